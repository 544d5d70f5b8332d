"""How far off each landmark may be, across and along its viewing ray.

From the information of the fit at its solution, plus what one camera cannot know: a hand that is
really larger by s lies farther by s. Frames without evidence grow with the time to the next
evidence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import landmarks17_from_mediapipe21
from hands.model.by_finger import whole
from hands.model.by_frame import ByFrame
from hands.model.kinematics import POSITION, ROTATION
from hands.model.poses import HandPoses, joints_and_slopes
from hands.model.proportions import HandShape

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# How much worse the truth is than independent landmark errors make believe: neighbouring landmarks
# err together. Set so that 68 % of the errors lie inside one sigma: a little more on synthetic
# takes with truth, a little less on real pictures.
ACROSS_FACTOR = 1.05
OVER_TIME = 0.9  # times that: the frames around a frame have a say in where its hand lies
ALONG_FACTOR = 0.85
TURN_FACTOR = 1.2
# Where a second camera helps, shared errors are in the fit. Set on six takes, two of them with the
# cameras at their true places.
TWICE_FACTOR, TWICE_TURN_FACTOR = 1.0, 1.6
MEASURED = ("measured", "marker")  # lengths that a second camera's distances do not hang on
DRIFT_M_S = 0.15  # growth while a hand is not seen
DRIFT_RAD_S = 0.8
BATCH = 400  # frames whose slopes are held at once


@dataclass(frozen=True, eq=False)
class Sigmas(ByFrame):
    """lateral_m, ray_m: ``(T,17)``.   palm_m, palm_rad: ``(T,3)``, head axes and palm axes.
    distance: ``(T,)`` of the logarithm of the wrist's distance, by the evidence of the frame alone.
    """

    lateral_m: Floats
    ray_m: Floats
    palm_m: Floats
    palm_rad: Floats
    distance: Floats


def sigmas_of(
    poses: HandPoses,
    information: Floats,
    shape: HandShape,
    *,
    seen: Bools,
    there: Bools,
    times_s: Floats,
    twice: Bools,
    over_time: bool,
) -> Sigmas:
    """Of T poses, NaN where nothing is ``there`` ``(T,)``. ``information`` ``(N,27,27)`` of the
    frames ``seen`` ``(T,)``; the others have that of the nearest one, and drift.
    """
    evidence, wanted = np.flatnonzero(seen), np.flatnonzero(there)
    nearest = _nearest(evidence, wanted)
    blank = [np.full((len(seen), *size), np.nan) for size in ((17,), (17,), (3,), (3,), ())]
    for start in range(0, len(wanted), BATCH):
        rows, near = wanted[start : start + BATCH], nearest[start : start + BATCH]
        found = sigmas(
            poses.rows(rows),
            information[near],
            shape,
            unseen_s=np.abs(times_s[rows] - times_s[evidence[near]]),
            twice=twice[evidence[near]],
            over_time=over_time,
        )
        for into, values in zip(blank, vars(found).values(), strict=True):
            into[rows] = values
    return Sigmas(*blank)


def _nearest(evidence: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of the rising rows of evidence is nearest to each wanted row."""
    after = np.clip(np.searchsorted(evidence, wanted), 0, len(evidence) - 1)
    before = np.clip(after - 1, 0, None)
    closer = np.abs(evidence[before] - wanted) < np.abs(evidence[after] - wanted)
    return np.where(closer, before, after)


def sigmas(
    poses: HandPoses,
    information: Floats,
    shape: HandShape,
    *,
    unseen_s: Floats,
    twice: Bools,
    over_time: bool,
) -> Sigmas:
    """Of T poses. ``information`` ``(T,27,27)``; ``unseen_s`` ``(T,)`` seconds to the nearest
    evidence; ``twice`` ``(T,)`` whether a second camera told how far the hand was.
    over_time: the poses were fitted together, not each by itself.
    """
    covariance = np.linalg.inv(information)
    points, jacobian = _landmarks_and_slopes(poses, shape)
    spread = jacobian @ covariance[:, None] @ np.swapaxes(jacobian, -1, -2)  # (T,17,3,3)
    distance = np.linalg.norm(points, axis=-1)
    rays = points / distance[..., None]
    along = np.einsum("tki,tkij,tkj->tk", rays, spread, rays)
    across = (np.trace(spread, axis1=-2, axis2=-1) - along) / 2
    place, of_place = poses.position, covariance[:, POSITION, POSITION]
    farther = np.einsum("ti,tij,tj->t", place, of_place, place)
    drift = (DRIFT_M_S * unseen_s[:, None]) ** 2
    hangs = ~twice if shape.scale_source in MEASURED else np.ones_like(twice)
    size = (distance * hangs[:, None] * shape.length_sigma_m / shape.length_m) ** 2
    once = ACROSS_FACTOR * (OVER_TIME if over_time else 1.0)
    across = np.where(twice, TWICE_FACTOR, once)[:, None] ** 2 * across + drift
    along = np.where(twice, TWICE_FACTOR, ALONG_FACTOR)[:, None] ** 2 * along + drift + size
    palm_ray = rays[:, 1] ** 2
    turn = np.einsum("tii->ti", covariance[:, ROTATION, ROTATION])
    turn_drift = (DRIFT_RAD_S * unseen_s[:, None]) ** 2
    return Sigmas(
        lateral_m=np.sqrt(across),
        ray_m=np.sqrt(along),
        palm_m=np.sqrt(across[:, 1:2] * (1 - palm_ray) + along[:, 1:2] * palm_ray),
        palm_rad=np.sqrt(
            np.where(twice, TWICE_TURN_FACTOR, TURN_FACTOR)[:, None] ** 2 * turn + turn_drift
        ),
        distance=np.sqrt(farther) / np.sum(place**2, axis=1),
    )


def _landmarks_and_slopes(poses: HandPoses, shape: HandShape) -> tuple[Floats, Floats]:
    """``(T,17,3)`` landmarks and ``(T,17,3,27)`` their derivatives."""
    joints, slopes = joints_and_slopes(poses, shape)
    flat = landmarks17_from_mediapipe21(whole(slopes).reshape(len(joints), 21, -1))
    return landmarks17_from_mediapipe21(joints), flat.reshape(len(joints), 17, 3, -1)
