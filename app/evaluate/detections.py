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

    def take(self, rows: NDArray[np.intp]) -> "WantedHands":
        """Some of them."""
        return WantedHands(
            self.tick[rows], self.side[rows], self.raw21_px[rows], self.size_px[rows]
        )


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
    own_tick, true_tick = _same_moments(ticks, truth)
    wanted = wanted_hands(truth, camera)
    wanted = wanted.take(np.flatnonzero(np.isin(wanted.tick, true_tick)))
    head = detections.take(np.flatnonzero(detections.stream == "head"))
    rows = {
        true: np.flatnonzero(head.tick == own)
        for own, true in zip(own_tick.tolist(), true_tick.tolist(), strict=True)
    }
    px = head.raw21_px.reshape(-1, 21, 2).astype(np.float64)
    chosen = found_of(wanted, {tick: px[here] for tick, here in rows.items()})
    got = wanted.take(np.flatnonzero(chosen >= 0))
    pairs = zip(got.tick.tolist(), chosen[chosen >= 0], strict=True)
    found = np.array([rows[tick][one] for tick, one in pairs], dtype=np.intp)
    off = np.linalg.norm(px[found] - got.raw21_px, axis=-1)
    over = f"of {len(chosen)} hands half visible and over {SMALLEST_PX:g} px"
    figures = [
        Figure("hands_detect", "found", share(len(found), len(chosen)), "share", over),
        Figure("hands_detect", "side is right", mean(head.side[found] == got.side), "share",
               "of the found ones"),
        Figure("hands_detect", "pixel error", median(np.nanmean(off, axis=-1)), "px",
               "median over hands of the mean over 21 points"),
    ]  # fmt: skip
    if hands is not None:
        own_of = dict(zip(true_tick.tolist(), own_tick.tolist(), strict=True))
        kept = mean(_measured(hands, wanted, own_of))
        figures.append(Figure("hands_detect", "measured by the hands stage", kept, "share", over))
    return figures


def _measured(hands: Hands, wanted: WantedHands, own_of: Mapping[int, int]) -> list[bool]:
    """Per wanted hand, whether the session has landmarks of it that are not filled in."""
    rows = hands.landmarks_in_head_valid & (hands.state == "measured")
    have = set(zip(hands.tick[rows].tolist(), hands.side[rows].tolist(), strict=True))
    pairs = zip(wanted.tick.tolist(), wanted.side.tolist(), strict=True)
    return [(own_of[tick], side) in have for tick, side in pairs]


def _same_moments(ticks: Ticks, truth: Hands) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tick numbers of the session and of the truth that belong together."""
    numbers, first = np.unique(truth.tick, return_index=True)
    rows, exact = match_times(ticks.timestamp_ns, truth.timestamp_ns[first])
    return ticks.tick[rows], numbers[exact]
