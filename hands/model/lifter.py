"""From a detector's 21 image points and its own 3D guess to joints: a small learned correction.

MediaPipe reads hands that lean away from the camera 20 to 30 degrees too flat and puts some of
their landmarks beside where they are. A two-layer network, trained on synthetic hands with truth
(`hands.model.lifter_training`), says from its answer where the landmarks are, how deep each lies
against the others, and how sure that is. That is evidence for the fit, not the result. Evaluated
with numpy, about 0.05 ms a hand.

The network sees every hand the same way: as a right hand, straight ahead, wrist to knuckles up,
at the size of its palm.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hands.model.evidence import (
    BY_FRAME,
    NO_RAY,
    PALM_JOINTS,
    PARENTS,
    Evidence,
    normalised,
    placed_guess,
    turn_to,
)
from hands.model.proportions import POPULATION_HAND_LENGTH_M, hand_shape

Floats = NDArray[np.float64]

WEIGHTS = Path(__file__).with_name("lifter.npz")
MCPS = [5, 9, 13, 17]
OUTPUTS = 21 * 2 + 21 + 1  # offsets across the view, depths, log distance
DEPTHS = slice(42, 63)
# The depths of one palm err together, as its lean: they count as if they were so much less sure.
PALM_TOGETHER = 2.0
# Where picture and 3D guess miss each other by less than this part of a palm, MediaPipe knows the
# hand, as it does on photographs of hands that face the camera, and the lifter adds nothing about
# its lean.
AGREEING, AGREEING_STEEPNESS = 0.06, 4


@dataclass(frozen=True, eq=False)
class View:
    """How N hands were turned and scaled before the network saw them.

    turn: ``(N,3,3)`` camera from the network's axes.   palm: ``(N,)`` tangent of the palm's angle.
    flat: ``(N,21,2)`` landmarks in the network's picture, palms."""

    turn: Floats
    palm: Floats
    flat: Floats


def features(rays: Floats, guess: Floats) -> tuple[Floats, View]:
    """``(N,108)`` inputs. rays ``(N,21,3)`` unit, guess ``(N,21,3)``, as right hands."""
    centre = normalised(rays.mean(axis=1))
    turn = turn_to(centre)
    ahead = rays @ turn
    flat = ahead[..., :2] / np.maximum(ahead[..., 2:], 0.2)
    up = flat[:, MCPS].mean(axis=1) - flat[:, 0]
    up /= np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-9)
    roll = np.zeros((len(rays), 3, 3))  # network's axes to the turned camera: y along the hand
    roll[:, :2, 1], roll[:, 0, 0], roll[:, 1, 0], roll[:, 2, 2] = up, up[:, 1], -up[:, 0], 1.0
    flat = flat @ roll[:, :2, :2]
    long = np.linalg.norm(flat[:, 9] - flat[:, 0], axis=1)
    palm = np.maximum(long, 1.4 * np.linalg.norm(flat[:, 5] - flat[:, 17], axis=1))
    palm = np.maximum(palm, 1e-3)
    flat = flat / palm[:, None, None]
    shape = guess @ roll
    size = np.linalg.norm(shape[:, 1:] - shape[:, PARENTS[1:]], axis=-1).sum(axis=1)
    shape = (shape - shape.mean(axis=1, keepdims=True)) * (4.0 / size)[:, None, None]
    aside = (centre[:, None, :2] / centre[:, None, 2:].clip(0.2)) @ roll[:, :2, :2]
    parts = [flat, 3 * shape, aside, np.log(palm)[:, None] + 1.5]
    values = np.concatenate([p.reshape(len(rays), -1) for p in parts], axis=1)
    return values, View(turn @ roll, palm, flat)


def targets(points: Floats, view: View, length_m: Floats) -> Floats:
    """``(N,64)`` what the network should say of true landmarks ``(N,21,3)`` in the camera, metres:
    offsets across the view in palms, depths from their mean in hand lengths, log of that mean times
    the palm's angle.
    """
    local = points @ view.turn / length_m[:, None, None]
    flat = local[..., :2] / local[..., 2:] / view.palm[:, None, None]
    middle = local[..., 2].mean(axis=1)
    parts = [flat - view.flat, local[..., 2] - middle[:, None], np.log(middle * view.palm)[:, None]]
    return np.concatenate([p.reshape(len(points), -1) for p in parts], axis=1)


def lifted(evidence: Evidence) -> Evidence:
    """The evidence put right. Hands without a 3D guess stay as they are."""
    rows = evidence.seen & np.isfinite(evidence.guess).all(axis=(1, 2))
    if not rows.any():
        return evidence
    values, view = features(evidence.rays[rows], evidence.guess[rows])
    mean, sigma = run(values, _weights())
    ahead = ahead_of(mean, view)
    depth = np.exp(mean[:, 63]) / view.palm
    points = ahead * (depth[:, None] + mean[:, DEPTHS])[..., None]
    points -= points.mean(axis=1, keepdims=True)
    new = {name: getattr(evidence, name).copy() for name in BY_FRAME}
    new["rays"][rows] = rays = normalised(ahead @ np.swapaxes(view.turn, 1, 2))
    spread = sigma[:, :42].reshape(-1, 21, 2).mean(axis=-1) * view.palm[:, None]
    new["sigma_rad"][rows] = np.where(evidence.sigma_rad[rows] < NO_RAY, spread, NO_RAY)
    back = np.swapaxes(view.turn, 1, 2) @ turn_to(normalised(rays.mean(axis=1)))
    new["guess"][rows] = points @ back * POPULATION_HAND_LENGTH_M
    new["distance"][rows], new["distance_sigma"][rows] = depth, sigma[:, 63]
    apart = disagreement(evidence.rays[rows], evidence.guess[rows])
    new["palm_sigma"][rows] = palm_sigmas(sigma[:, DEPTHS], apart)
    return replace(evidence, **new)


def palm_sigmas(depth_sigma: Floats, apart: Floats) -> Floats:
    """``(N,5)`` of the palm's bones, hand lengths: of the network's depths ``(N,21)`` where picture
    and guess disagree, ``apart`` ``(N,)``; growing to no weight at all where they agree.
    """
    bones = np.hypot(depth_sigma[:, list(PALM_JOINTS)], depth_sigma[:, :1])
    doubt = np.hypot(1.0, (AGREEING / apart) ** AGREEING_STEEPNESS)
    return np.asarray(PALM_TOGETHER * doubt[:, None] * bones)


def disagreement(rays: Floats, guess: Floats) -> Floats:
    """``(N,)`` how far, in palms, the guess's points miss their rays where it lies best."""
    shape = hand_shape(None)
    points = placed_guess(rays, guess, shape)
    along = np.sum(points * rays, axis=-1, keepdims=True)
    miss = np.median(np.linalg.norm(points - along * rays, axis=-1), axis=1)
    return np.asarray(np.maximum(miss / shape.bones_m[2, 0], 1e-3))


def ahead_of(mean: Floats, view: View) -> Floats:
    """The network's landmarks at depth one in its own axes, ``(N,21,3)``."""
    flat = (view.flat + mean[:, :42].reshape(-1, 21, 2)) * view.palm[:, None, None]
    return np.concatenate([flat, np.ones((*flat.shape[:2], 1))], axis=-1)


def run(values: Floats, weights: dict[str, Floats]) -> tuple[Floats, Floats]:
    """The network: means and sigmas ``(N,64)``."""
    hidden = (values - weights["mean"]) / weights["scale"]
    for layer in range(2):
        hidden = hidden @ weights[f"weight_{layer}"] + weights[f"bias_{layer}"]
        hidden = hidden / (1 + np.exp(-np.clip(hidden, -30, 30)))  # SiLU
    out = hidden @ weights["weight_2"] + weights["bias_2"]
    mean = out[:, :OUTPUTS] * weights["out_scale"] + weights["out_mean"]
    return mean, np.exp(np.clip(out[:, OUTPUTS:], -5, 2)) * weights["out_scale"]


@cache
def _weights() -> dict[str, Any]:
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        return {name: arrays[name].astype(np.float64) for name in arrays.files}
