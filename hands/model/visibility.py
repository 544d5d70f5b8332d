"""Which landmarks the camera can see: inside the picture, and not behind a part of either hand.

Where lines of sight pass by fingers and palms (`hands.model.occlusion`) would tell, if the hands
were known exactly. Fitted joints are some millimetres off, as much as fingers are thick, and not at
random: so a network of 27 kB says what a hand that was fitted like this one mostly shows of itself.
It is trained on synthetic takes and on made-up errors (`hands.model.visibility_training`). The
other hand hides what its capsules hide. Things in front are not known here.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from hands.model.occlusion import PALM, clearances_m, palm_axes, palm_scale

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEIGHTS = Path(__file__).with_name("visibility.npz")
# of each landmark: the part it belongs to, its joint and the one before
PART = np.array([PALM, PALM, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
JOINT = np.array([9, 9, 2, 3, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20])
BEFORE = np.array([0, 0, 1, 2, 3, 0, 5, 7, 0, 9, 11, 0, 13, 15, 0, 17, 19])
INSIDE_M = 0.0018  # so deep in a part of a hand a line of sight is surely stopped
SURE = 0.25  # logit above which a landmark counts as seen: rather hidden than wrongly seen
SURE_UNPLACED = 1.5  # the same of hands whose joints are known badly
EDGE_M = 0.005  # so near to the picture's edge a landmark is as often beyond it
DOUBT_M = 0.002  # so much nearer to that, it may be
FARTHEST_M, CLEARANCE_M, DEPTH_M = 0.02, 0.005, 0.03  # of clearances: what counts as far; units


def visible_landmarks(
    joints: Floats,
    landmarks: Floats,
    others: Floats,
    *,
    camera: Camera,
    sure: Floats | float = SURE,
) -> Bools:
    """``(T,17)``. joints ``(T,21,3)`` and landmarks ``(T,17,3)`` of one hand in the camera, NaN
    where it is not known; ``others`` ``(T,21,3)`` joints of the other hand.   sure: the least logit
    of a landmark that is seen, or one ``(T,)`` for each.
    """
    uv_px, valid = camera.project(landmarks)
    distance = np.linalg.norm(landmarks, axis=-1, keepdims=True)
    margin_px = EDGE_M * camera.focal_px / distance
    last_px = np.array(camera.size_wh) - 1
    within = (margin_px <= uv_px) & (uv_px <= last_px - margin_px)
    inside = valid & within.all(axis=-1)
    behind = np.min(clearances_m(landmarks, others), axis=-1) < -INSIDE_M  # never without another
    itself = logits(features(joints, landmarks), shipped_weights()) > np.expand_dims(sure, -1)
    return np.asarray(inside & itself & ~behind)


def features(joints: Floats, landmarks: Floats) -> Floats:
    """``(T,153)`` what the network looks at, the same for a hand and its mirror image; NaN where a
    joint is not known.
    """
    sight = landmarks / np.linalg.norm(landmarks, axis=-1, keepdims=True)
    fingers = clearances_m(landmarks, joints)
    own = fingers[:, np.arange(len(PART)), PART]
    palm = fingers[..., PALM].copy()
    fingers[:, np.arange(len(PART)), PART] = np.nan
    rest = np.fmin.reduce(fingers[..., :PALM], axis=-1)
    off = np.stack([own, rest, palm], axis=-1)
    bone = joints[:, JOINT] - joints[:, BEFORE]
    bone /= np.linalg.norm(bone, axis=-1, keepdims=True)
    middle = landmarks.mean(axis=1, keepdims=True)
    lean = np.sum(sight * bone, axis=-1)
    depth = np.sum((landmarks - middle) * sight, axis=-1) / palm_scale(joints)[:, None]
    parts = (
        np.clip(off, -FARTHEST_M, FARTHEST_M) / CLEARANCE_M,
        np.tanh((np.fmin.reduce(off, axis=-1, keepdims=True) + INSIDE_M) / DOUBT_M),
        sight @ np.swapaxes(palm_axes(joints), 1, 2),
        lean[..., None],
        depth[..., None] / DEPTH_M,
    )
    return np.concatenate(parts, axis=-1).reshape(len(joints), -1)


def logits(values: Floats, weights: dict[str, Floats]) -> Floats:
    """``(T,17)`` of being seen. What is not known counts as usual."""
    usual = np.nan_to_num((values - weights["mean"]) / weights["scale"])
    hidden = usual @ weights["weight_0"] + weights["bias_0"]
    hidden = hidden / (1 + np.exp(-np.clip(hidden, -30, 30)))  # SiLU
    return np.asarray(hidden @ weights["weight_1"] + usual @ weights["direct"] + weights["bias_1"])


@lru_cache(maxsize=1)
def shipped_weights() -> dict[str, Floats]:
    """The arrays of the network that comes with Handoff."""
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        return {name: arrays[name].astype(np.float64) for name in arrays.files}
