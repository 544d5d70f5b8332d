"""Does the detector see the hands? Detections in the head camera against projected true hands.

A hand must be found when at least half of its landmarks are in view and not hidden, and it is
larger than 60 pixels. N: hands that must be found.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from app.evaluate.figures import Figure, mean, median, share
from app.matching import match_times
from core.geometry.camera_model import Camera
from core.session.tables import Detections, Hands, Ticks

Floats = NDArray[np.float64]

HALF_VISIBLE = 0.5
SMALLEST_PX = 60.0
ON_THE_HAND = 0.5  # mean landmark miss, of the hand's size, up to which it counts as found


@dataclass(frozen=True, eq=False)
class WantedHands:
    """Hands that a detector must find. tick ``(N,)`` of the truth; side ``(N,)``;
    raw21_px ``(N,21,2)``; size_px ``(N,)``: the longer side of what is in the picture.
    """

    tick: NDArray[np.int64]
    side: NDArray[np.object_]
    raw21_px: Floats
    size_px: Floats


def wanted_hands(truth: Hands, camera: Camera) -> WantedHands:
    """From the exact hands and the exact camera."""
    known = truth.landmarks_in_head_valid & truth.raw21_in_head_valid
    known &= truth.visible.mean(axis=1) >= HALF_VISIBLE
    rows = np.flatnonzero(known)
    uv, valid = camera.project(truth.landmarks_in_head[rows].reshape(-1, 17, 3))
    inside = (camera.in_image(uv) & valid)[..., None]
    low, high = np.where(inside, uv, np.inf).min(1), np.where(inside, uv, -np.inf).max(1)
    size = np.max(high - low, axis=1)
    large = size > SMALLEST_PX
    rows, size = rows[large], size[large]
    raw, valid = camera.project(truth.raw21_in_head[rows].reshape(-1, 21, 3))
    raw = np.where(valid[..., None], raw, np.nan)
    return WantedHands(truth.tick[rows], truth.side[rows], raw, size)


def found_of(wanted: WantedHands, points_px: Mapping[int, Floats]) -> NDArray[np.intp]:
    """``(N,)`` which detection of its tick lies on each wanted hand, -1 for none.

    points_px: truth tick -> ``(D,21,2)``. No two hands share a detection; the best fit wins.
    """
    chosen = np.full(len(wanted.tick), -1, dtype=np.intp)
    for tick in np.unique(wanted.tick):
        points = points_px.get(int(tick))
        if points is None or not len(points):
            continue
        rows = np.flatnonzero(wanted.tick == tick)
        off = np.linalg.norm(points[None] - wanted.raw21_px[rows, None], axis=-1)  # (h,D,21)
        miss = np.nanmean(off, axis=-1) / wanted.size_px[rows, None]
        allowed = miss <= ON_THE_HAND
        for hand, one in zip(*linear_sum_assignment(np.where(allowed, miss, 1e3)), strict=True):
            if allowed[hand, one]:
                chosen[rows[hand]] = one
    return chosen


def detection_figures(
    detections: Detections, hands: Hands | None, *, ticks: Ticks, truth: Hands, camera: Camera
) -> list[Figure]:
    """How many of the hands that must be found the detector finds, and how many are left when the
    hands stage has chosen among its finds (None: it has not run).
    """
    wanted = wanted_hands(truth, camera)
    own_tick, true_tick = _same_moments(ticks, truth)
    taken = np.isin(wanted.tick, true_tick)
    wanted = WantedHands(*(part[taken] for part in vars(wanted).values()))
    head = detections.take(np.flatnonzero(detections.stream == "head"))
    points, rows_of = {}, {}
    for own, true in zip(own_tick.tolist(), true_tick.tolist(), strict=True):
        rows_of[true] = np.flatnonzero(head.tick == own)
        points[true] = head.raw21_px[rows_of[true]].reshape(-1, 21, 2).astype(np.float64)
    chosen = found_of(wanted, points)
    got = np.flatnonzero(chosen >= 0)
    sides = [head.side[rows_of[int(wanted.tick[k])][chosen[k]]] == wanted.side[k] for k in got]
    off = [
        np.linalg.norm(points[int(wanted.tick[k])][chosen[k]] - wanted.raw21_px[k], axis=-1)
        for k in got
    ]
    over = f"of {len(chosen)} hands half visible and over {SMALLEST_PX:g} px"
    figures = [
        Figure("hands_detect", "found", share(len(got), len(chosen)), "share", over),
        Figure("hands_detect", "side is right", mean(sides), "share", "of the found ones"),
        Figure("hands_detect", "pixel error", median([np.nanmean(one) for one in off]), "px",
               "median over hands of the mean over 21 points"),
    ]  # fmt: skip
    if hands is not None:
        measured = hands.landmarks_in_head_valid & (hands.state == "measured")
        tick_of = dict(zip(true_tick.tolist(), own_tick.tolist(), strict=True))
        have = set(zip(hands.tick[measured].tolist(), hands.side[measured].tolist(), strict=True))
        kept = [
            (tick_of[tick], side) in have
            for tick, side in zip(wanted.tick.tolist(), wanted.side.tolist(), strict=True)
        ]
        figures.append(
            Figure("hands_detect", "measured by the hands stage", mean(kept), "share", over)
        )
    return figures


def _same_moments(ticks: Ticks, truth: Hands) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tick numbers of the session and of the truth that belong together."""
    numbers, first = np.unique(truth.tick, return_index=True)
    rows, exact = match_times(ticks.timestamp_ns, truth.timestamp_ns[first])
    return ticks.tick[rows], numbers[exact]
