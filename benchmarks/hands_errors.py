"""Hands beside the truth of a take, tick by tick: errors, what is visible, jitter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import SIDES
from core.geometry.metrics import procrustes, rotation_error_deg
from core.geometry.palm import palm_frame
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from core.session.layout import TRUTH
from core.session.storage import SessionFolder
from core.session.tables import Hands, Ticks
from hands.wearer import Wearer

Floats = NDArray[np.float64]

STILL_M_S = 0.03  # slower palms, in the camera, are at rest


@dataclass(frozen=True, eq=False)
class Truth:
    """One side at T ticks. landmarks: ``(T,17,3)``, joints: ``(T,21,3)``, visible: ``(T,17)``."""

    landmarks: Floats
    joints: Floats
    visible: NDArray[np.bool_]


def truth_of(session: SessionFolder, ticks: Ticks) -> dict[str, Truth]:
    """By side, the row of the truth nearest to each tick."""
    table = Hands.read(session, TRUTH)
    sides = {}
    for side in SIDES:
        mine = table.take(np.array([name == side for name in table.side], dtype=bool))
        row = np.abs(mine.timestamp_ns[None] - ticks.timestamp_ns[:, None]).argmin(axis=1)
        sides[side] = Truth(
            mine.landmarks_in_head[row].reshape(-1, 17, 3).astype(np.float64),
            mine.raw21_in_head[row].reshape(-1, 21, 3).astype(np.float64),
            mine.visible[row],
        )
    return sides


def compared(
    wearer: Wearer, truth: dict[str, Truth], times_ns: NDArray[np.int64]
) -> dict[str, Any]:
    """Errors over both hands of one take."""
    parts = [_side(wearer, side, truth[side], times_ns=times_ns) for side in SIDES]
    merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    seen, claimed = merged["truly_visible"].astype(bool), merged["visible"].astype(bool)
    swaps = sum(
        int(np.sum(_miss(wearer, side, truth[other]) < _miss(wearer, side, truth[side])))
        for side, other in (SIDES, SIDES[::-1])
    )
    figures = {
        "found": np.mean(merged["found"]),
        "landmarks_mm": 1e3 * np.mean(merged["absolute"]),
        "wrist_relative_mm": 1e3 * np.mean(merged["relative"]),
        "aligned_mm": 1e3 * np.mean(merged["aligned"]),
        "palm_mm": 1e3 * np.mean(merged["palm"]),
        "palm_mm_median": median(1e3 * merged["palm"]),
        "palm_deg": np.mean(merged["turn"]),
        "palm_deg_median": median(merged["turn"]),
        "along_the_ray_mm": 1e3 * np.mean(merged["along"]),
        "inside_one_sigma_lateral": np.mean(merged["lateral_inside"]),
        "inside_one_sigma_ray": np.mean(merged["ray_inside"]),
        "visible_precision": np.sum(seen & claimed) / max(np.sum(claimed), 1),
        "visible_recall": np.sum(seen & claimed) / max(np.sum(seen), 1),
        "jitter_at_rest_mm": median(1e3 * merged["jitter"]),
        "jitter_at_rest_deg": median(np.rad2deg(merged["turn_jitter"])),
        "swaps": swaps,
    }
    return {k: None if v is None else round(float(v), 3) for k, v in figures.items()}


def _miss(wearer: Wearer, side: str, truth: Truth) -> Floats:
    """``(T,)`` NaN where the hand is missing."""
    apart = wearer.hands[side].landmarks - truth.landmarks
    return np.asarray(np.linalg.norm(apart, axis=-1).mean(axis=1))


def _side(
    wearer: Wearer, side: str, truth: Truth, *, times_ns: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    hand = wearer.hands[side]
    rows = hand.state == "measured"
    ours, true = hand.landmarks[rows], truth.landmarks[rows]
    error = ours - true
    rays = true / np.linalg.norm(true, axis=-1, keepdims=True)
    right = np.cross([0.0, 1.0, 0.0], rays)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    axes = np.stack([right, np.cross(rays, right), rays], axis=-2)
    apart = (axes @ error[..., None])[..., 0]
    palm, true_palm = hand.head_from_palm[rows], palm_frame(true, side)
    in_view = truth.visible.any(axis=1)
    calm = _calm(truth.landmarks[:, 1], times_ns)
    return {
        "found": (hand.state != "missing")[in_view],
        "absolute": np.linalg.norm(error, axis=-1).mean(axis=1),
        "relative": np.linalg.norm(error - error[:, :1], axis=-1).mean(axis=1),
        "aligned": np.linalg.norm(procrustes(ours, true) - true, axis=-1).mean(axis=1),
        "palm": np.linalg.norm(palm.translation - true_palm.translation, axis=-1),
        "turn": rotation_error_deg(palm.rotation, true_palm.rotation),
        "along": apart[..., 2].mean(axis=1),
        "lateral_inside": (np.abs(apart[..., :2]) < hand.sigma_lateral_m[rows, :, None]).ravel(),
        "ray_inside": (np.abs(apart[..., 2]) < hand.sigma_ray_m[rows]).ravel(),
        "visible": hand.visible[rows].ravel(),
        "truly_visible": truth.visible[rows].ravel(),
        "jitter": shake(hand.landmarks[:, 1] - truth.landmarks[:, 1])[calm],
        "turn_jitter": shake(turned(hand.head_from_palm, palm_frame(truth.landmarks, side)))[calm],
    }


def _calm(points: Floats, times_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """``(T-2,)`` where points ``(T,3)`` rest before and after."""
    speed = np.linalg.norm(np.diff(points, axis=0), axis=1) / np.diff(times_ns) * 1e9
    return np.asarray((speed[1:] < STILL_M_S) & (speed[:-1] < STILL_M_S))


def turned(ours: SE3, true: SE3) -> Floats:
    """``(T,3)`` rotation vectors of the error, NaN where one is missing."""
    turn = np.full((len(ours.translation), 3), np.nan)
    known = ours.finite & true.finite
    error = np.swapaxes(true.rotation[known], -1, -2) @ ours.rotation[known]
    turn[known] = rotvec_from_matrix(error)
    return turn


def shake(error: Floats) -> Floats:
    """``(T-2,)`` second differences over √6: the deviation of white noise in three numbers."""
    return np.asarray(np.linalg.norm(np.diff(error, n=2, axis=0), axis=1) / np.sqrt(6))


def median(values: Floats) -> float | None:
    """Of the finite ones."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None
