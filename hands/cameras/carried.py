"""What second views say of the head's distances, carried to the frames that only the head saw.

What makes the head camera see a hand too near or too far (its posture, how the detector reads it)
lasts for seconds. So the ratio of both distances, smooth in time, corrects the frames between. What
makes it guess, a hand half out of the picture, does not last: such frames' ratios count for little.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hands.cameras.strapped import fitted_apart
from hands.config import HandsConfig
from hands.model.evidence import Evidence
from hands.model.poses import HandPoses
from hands.model.proportions import HandShape
from hands.reconstruct import HandTrack

Floats = NDArray[np.float64]

REACH_S = 1.5  # one sigma of the kernel
EVERYWHERE = 0.02  # weight that the whole take has beside the moment
DOUBT = 1.5  # looks' worth of doubt that there is any error at all
LEAST_FRAMES = 5
SIGMA = 0.025  # of the logarithm of a corrected distance
LARGEST = 0.15  # of the logarithm of the ratio
BATCH = 2000  # frames that are corrected at once
UNKNOWN = 1e3  # sigma of a distance that the head does not tell


def carried(
    evidence: Evidence, track: HandTrack, shape: HandShape, *, times_s: Floats, config: HandsConfig
) -> Evidence:
    """The evidence of one side with distances for frames that only the head saw. track: as the head
    alone gives it.
    """
    read, more = evidence.read, evidence.twice
    twice, once = np.flatnonzero(read & more), np.flatnonzero(read & ~more)
    if len(twice) < LEAST_FRAMES or not len(once):
        return evidence
    chosen = twice[np.linspace(0, len(twice) - 1, min(config.bone_frames, len(twice))).astype(int)]
    both = fitted_apart(evidence[chosen], track.poses.rows(chosen), shape, config=config)[0]
    alone = distances(track.poses, shape)
    ratio = np.log(distances(both, shape) / alone[chosen])
    ratio = np.clip(ratio, -LARGEST, LARGEST)
    unsure = _unsure(track, np.append(chosen, once))
    usual = np.median(unsure)
    trust = (usual / np.maximum(unsure[: len(chosen)], usual)) ** 2 * len(twice) / len(chosen)
    distance, sigma = evidence.distance.copy(), evidence.distance_sigma.copy()
    for rows in np.array_split(once, 1 + len(once) // BATCH):
        apart = (times_s[rows][:, None] - times_s[chosen]) / REACH_S
        weight = (np.exp(-0.5 * apart**2) + EVERYWHERE) * trust
        correction = (weight @ ratio) / (weight.sum(axis=1) + DOUBT)
        distance[rows] = alone[rows] * np.exp(correction) / shape.length_m
    sigma[once] = SIGMA
    return replace(evidence, distance=distance, distance_sigma=sigma)


def _unsure(track: HandTrack, rows: NDArray[np.intp]) -> Floats:
    """``(n,)`` sigma of the logarithm of the distances of these ticks, by what the head saw."""
    known = track.state[rows] == "measured"
    return np.where(known, track.sigmas.distance[rows], UNKNOWN)


def distances(poses: HandPoses, shape: HandShape) -> Floats:
    """``(N,)`` of the hands' middles from the head camera."""
    return np.asarray(np.linalg.norm(poses.joints(shape).mean(axis=1), axis=-1))
