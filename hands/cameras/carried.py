"""What second views say of the head's distances, carried to the frames that only the head saw.

What makes the head camera see a hand too near or too far (its posture, how the detector reads it)
lasts for seconds. So the ratio of both distances, smooth in time, corrects the frames between.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hands.model.evidence import Evidence
from hands.model.proportions import HandShape
from hands.reconstruct import HandTrack

Floats = NDArray[np.float64]

REACH_S = 1.5  # one sigma of the kernel
EVERYWHERE = 0.02  # weight that the whole take has beside the moment
DOUBT = 3.0  # frames' worth of doubt that there is any error at all
LEAST_FRAMES = 10
SIGMA = 0.025  # of the logarithm of a corrected distance
LARGEST = 0.15  # of the logarithm of the ratio


def carried(
    evidence: Evidence, alone: Floats, both: HandTrack, *, shape: HandShape, times_s: Floats
) -> Evidence:
    """The evidence of one side with distances for frames not seen twice. alone: ``(T,)`` distances
    as the head alone gives them at the shape's length.   both: fitted with the other views.
    """
    known = np.isfinite(alone)
    twice = np.flatnonzero(known & both.twice & (both.state == "measured"))
    once = np.flatnonzero(known & evidence.seen & ~both.twice)
    if len(twice) < LEAST_FRAMES or not len(once):
        return evidence
    ratio = np.log(distances(both, shape)[twice] / alone[twice])
    ratio = np.clip(ratio, -LARGEST, LARGEST)
    apart = (times_s[once][:, None] - times_s[twice]) / REACH_S
    weight = np.exp(-0.5 * apart**2) + EVERYWHERE
    correction = (weight @ ratio) / (weight.sum(axis=1) + DOUBT)
    distance, sigma = evidence.distance.copy(), evidence.distance_sigma.copy()
    distance[once] = alone[once] * np.exp(correction) / shape.length_m
    sigma[once] = SIGMA
    return replace(evidence, distance=distance, distance_sigma=sigma)


def distances(track: HandTrack, shape: HandShape) -> Floats:
    """``(T,)`` of the hand's middle from the head camera; NaN where it was not measured."""
    middle = track.poses.joints(shape).mean(axis=1)
    return np.where(track.state == "measured", np.linalg.norm(middle, axis=-1), np.nan)
