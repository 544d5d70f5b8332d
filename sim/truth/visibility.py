"""Which hand landmarks a camera sees: in the picture, and nothing in front of them.

Rays from the camera to each landmark are walked through the same shapes the scene is drawn from
(fingers as capsules, palm, forearms, things as primitives), so no picture is needed and the answer
is exact to a few millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera_model import Camera
from core.geometry.landmarks import LANDMARKS
from core.geometry.se3 import SE3
from sim.hand.skeleton import FINGERS, SHAPES, THUMB_RADII
from sim.motion.human import HandState
from sim.tasks.things import Thing, thing_distance

Array = NDArray[np.float64]

SAMPLES = 36
NEAR_M = (
    0.24  # an occluder nearer to the camera than this much before the landmark is not looked for
)
HIDDEN_M = -0.0015  # the ray is inside something
# how far in front of a landmark its own skin lies, by landmark
SKIN_M = np.array(
    [0.026, 0.024, *(0.019, 0.014, 0.011), *([0.018, 0.013, 0.010] * 4)], dtype=np.float64
)
OUTSIDE, SELF, OTHER_HAND = "outside", "own hand", "other hand"
OWN_ARM, OTHER_ARM = "own arm", "other arm"
FOREARM_M = 0.36
# of an arm by its sleeve: where it begins behind the wrist, its radius there and at the elbow
ARMS = {
    "long": (0.067, 0.031, 0.050),
    "short": (0.060, 0.024, 0.046),
    "none": (0.060, 0.024, 0.040),
}


def _segments(scale: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array]:
    """Capsules (start joint, end joint, radius, radius) of a hand."""
    rows = []
    for number, finger in enumerate(FINGERS):
        first = 1 if number == 0 else 5 * number + 1
        radii = THUMB_RADII if number == 0 else SHAPES[finger].radii
        rows += [(first + k, first + k + 1, radii[k], radii[k + 1]) for k in range(3)]
        if number:
            rows.append((first - 1, first, 0.013, radii[0]))
    rows += [
        (0, 5, 0.016, 0.013),
        (0, 20, 0.016, 0.013),
        (1, 2, 0.016, 0.0145),
        (6, 11, 0.010, 0.010),
    ]
    table = np.array(rows)
    return (
        table[:, 0].astype(int),
        table[:, 1].astype(int),
        table[:, 2] * scale,
        table[:, 3] * scale,
    )


def hand_clearance(points: Array, joints: Array, scale: float) -> Array:
    """Signed distance (T, P) of points (T, P, 3) to hands with joints (T, 25, 3)."""
    start, end, radius_a, radius_b = _segments(scale)
    best = np.full(points.shape[:2], np.inf)
    for a, b, ra, rb in zip(start, end, radius_a, radius_b, strict=True):
        base, axis = joints[:, None, a], joints[:, None, b] - joints[:, None, a]
        along = np.sum((points - base) * axis, -1) / np.maximum(np.sum(axis * axis, -1), 1e-12)
        along = np.clip(along, 0.0, 1.0)
        distance = np.linalg.norm(points - base - along[..., None] * axis, axis=-1)
        best = np.minimum(best, distance - ra - along * (rb - ra))
    return best


def arm_clearance(points: Array, state: HandState, *, scale: float, sleeve: str) -> Array:
    """Signed distance (T, P) of points (T, P, 3) to the forearm of a hand, cloth included."""
    cuff_m, cuff, elbow = ARMS[sleeve]
    along = state.desk_from_forearm.rotation[:, None, :, 0]
    wrist = state.desk_from_forearm.translation[:, None]
    offset = (points - wrist) / scale
    depth = np.clip(-np.sum(offset * along, -1), cuff_m, FOREARM_M)
    nearest = np.linalg.norm(offset + depth[..., None] * along, axis=-1)
    share = (depth - cuff_m) / (FOREARM_M - cuff_m)
    return np.asarray(scale * (nearest - cuff - share * (elbow - cuff)))


def occluders(
    camera: Camera,
    desk_from_camera: SE3,
    hands: tuple[HandState, HandState],
    *,
    scale: float,
    things: Sequence[tuple[Thing, SE3]],
    sleeve: str = "long",
) -> NDArray[np.object_]:
    """(T, 17) for the first hand: None where seen, else "outside", "own hand", "other hand", "own
    arm", "other arm" or a thing's name. things: with desk_from_thing (T), or one pose, each.
    """
    mine, other = hands
    landmarks = mine.landmarks_in_desk
    count = len(landmarks)
    uv, valid = camera.project(desk_from_camera.inverse().apply(landmarks))
    answer = np.full((count, len(LANDMARKS)), None, dtype=object)
    points = _sight(desk_from_camera.translation, landmarks, scale)
    candidates = [
        (SELF, hand_clearance(points, mine.joints_in_desk, scale)),
        (OTHER_HAND, hand_clearance(points, other.joints_in_desk, scale)),
        (OTHER_ARM, arm_clearance(points, other, scale=scale, sleeve=sleeve)),
        (OWN_ARM, arm_clearance(points, mine, scale=scale, sleeve=sleeve)),
    ]
    candidates += [(thing.name, _thing_clearance(points, thing, pose)) for thing, pose in things]
    for name, clearance in candidates:
        hidden = clearance.reshape(count, len(LANDMARKS), SAMPLES).min(-1) < HIDDEN_M
        answer[hidden & np.equal(answer, None)] = name
    answer[~(np.asarray(valid) & camera.in_image(uv))] = OUTSIDE
    return answer


def _sight(eye: Array, landmarks: Array, scale: float) -> Array:
    """Points (T, 17 * S, 3) along the last stretch from an eye (T, 3) to each landmark's skin."""
    sight = landmarks - eye[:, None]
    depth = np.linalg.norm(sight, axis=-1, keepdims=True)
    stop = depth - SKIN_M[:, None] * scale
    begin = np.maximum(stop - NEAR_M, 0.05)
    reach = begin + np.linspace(0.0, 1.0, SAMPLES) * (stop - begin)  # (T, 17, S)
    points = eye[:, None, None] + reach[..., None] * (sight / depth)[:, :, None]
    return np.asarray(points.reshape(len(eye), -1, 3))


def _thing_clearance(points: Array, thing: Thing, desk_from_thing: SE3) -> Array:
    """Signed distance (T, P) to a thing; infinite at instants when no point comes near it."""
    if not desk_from_thing.shape:
        one = desk_from_thing
        desk_from_thing = SE3(np.broadcast_to(one.rotation, (len(points), 3, 3)), one.translation)
    reach = max(
        float(np.linalg.norm(np.abs(part.position) + np.max(part.size))) for part in thing.parts
    )
    away = np.linalg.norm(points - desk_from_thing.translation[:, None], axis=-1)
    near = np.flatnonzero(away.min(1) < 2 * reach)
    clearance = np.full(points.shape[:2], np.inf)
    clearance[near] = thing_distance(desk_from_thing[near].inverse().apply(points[near]), thing)
    return clearance
