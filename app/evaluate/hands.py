"""Landmarks and palm frames against the truth. R: rows, one per tick and side, that both have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, mean, median
from app.matching import Rows, match_times
from core.geometry.landmarks import FLIPPED_SIDE, SIDES
from core.geometry.metrics import point_errors, procrustes, rotation_error_deg, wrist_relative
from core.geometry.se3 import SE3
from core.session.tables import EndEffectors, Hands

Floats = NDArray[np.float64]
MIN_VISIBLE = 9  # of 17 landmarks: then the truth counts a hand as in view
SWAP_MARGIN_M = 0.02  # a wrist nearer to the other hand by this much counts as swapped


@dataclass(frozen=True, eq=False)
class HandComparison:
    """side ``(R,)`` words; timestamp_ns ``(R,)``; landmarks, truth ``(R,17,3)`` in the head frame.

    in_view: hands the truth shows; found: how many of those were found; invented: hands found
    where the truth has none; swapped: found hands that lie on the other hand.
    palm_m, palm_deg: errors of the palm frames.
    """

    side: NDArray[np.object_]
    timestamp_ns: NDArray[np.int64]
    landmarks: Floats
    truth: Floats
    in_view: int
    found: int
    invented: int
    swapped: int
    palm_m: Floats
    palm_deg: Floats

    def figures(self) -> list[Figure]:
        """The numbers people compare."""
        n = len(self.landmarks)
        joints = point_errors(self.landmarks, self.truth)
        relative = point_errors(wrist_relative(self.landmarks), wrist_relative(self.truth))
        fitted = point_errors(procrustes(self.landmarks, self.truth), self.truth) if n else joints
        rows = f"{n} hands of 17 landmarks"
        share = self.found / self.in_view if self.in_view else float("nan")
        swaps = self.swapped / n if n else float("nan")
        return [
            Figure("hands", "found", share, "share", f"of {self.in_view} hands in view"),
            Figure("hands", "invented", float(self.invented), "", "found where there is none"),
            Figure("hands", "swapped", swaps, "share", "left and right exchanged"),
            Figure("hands", "MPJPE", 1e3 * mean(joints), "mm", f"in the head frame, {rows}"),
            Figure("hands", "MPJPE wrist-relative", 1e3 * mean(relative), "mm", rows),
            Figure("hands", "MPJPE Procrustes", 1e3 * mean(fitted), "mm", rows),
            Figure("hands", "palm position", 1e3 * median(self.palm_m), "mm", "median"),
            Figure("hands", "palm rotation", median(self.palm_deg), "deg", "median"),
        ]


def compare_hands(
    hand_pair: tuple[Hands, Hands], palm_pair: tuple[EndEffectors, EndEffectors]
) -> HandComparison:
    """(estimate, truth) of both tables, matched row by row by side and time."""
    hands, truth = hand_pair
    parts = [_side(hands, truth, side) for side in SIDES]
    rows = np.concatenate([part[0] for part in parts])
    truth_rows = np.concatenate([part[1] for part in parts])
    palm_m, palm_deg = _palm_errors(*palm_pair)
    in_view = truth.landmarks_in_head_valid & (truth.visible.sum(-1) >= MIN_VISIBLE)
    matched_in_view = int(in_view[truth_rows].sum())
    estimate = hands.landmarks_in_head[rows].reshape(-1, 17, 3).astype(np.float64)
    exact = truth.landmarks_in_head[truth_rows].reshape(-1, 17, 3).astype(np.float64)
    return HandComparison(
        side=hands.side[rows],
        timestamp_ns=hands.timestamp_ns[rows],
        landmarks=estimate,
        truth=exact,
        in_view=int(in_view.sum()),
        found=matched_in_view,
        invented=int(hands.landmarks_in_head_valid.sum()) - len(rows),
        swapped=_swapped(hands, truth, rows, truth_rows=truth_rows),
        palm_m=palm_m,
        palm_deg=palm_deg,
    )


def _side(hands: Hands, truth: Hands, side: str) -> tuple[Rows, Rows]:
    """Rows of one side that have landmarks in both."""
    ours = np.flatnonzero((hands.side == side) & hands.landmarks_in_head_valid)
    theirs = np.flatnonzero((truth.side == side) & truth.landmarks_in_head_valid)
    rows, truth_rows = match_times(hands.timestamp_ns[ours], truth.timestamp_ns[theirs])
    return ours[rows], theirs[truth_rows]


def _swapped(hands: Hands, truth: Hands, rows: Rows, *, truth_rows: Rows) -> int:
    """Hands that lie nearer to the truth of the other side at the same time."""
    if not len(rows):
        return 0
    wrist = hands.landmarks_in_head[rows, :3]
    own = np.linalg.norm(wrist - truth.landmarks_in_head[truth_rows, :3], axis=-1)
    place = {
        (side, int(time)): row
        for row, (side, time) in enumerate(zip(truth.side, truth.timestamp_ns, strict=True))
        if truth.landmarks_in_head_valid[row]
    }
    count = 0
    for k, truth_row in enumerate(truth_rows):
        key = (FLIPPED_SIDE[truth.side[truth_row]], int(truth.timestamp_ns[truth_row]))
        if key in place:
            other = float(np.linalg.norm(wrist[k] - truth.landmarks_in_head[place[key], :3]))
            count += other + SWAP_MARGIN_M < own[k]
    return int(count)


def _palm_errors(palms: EndEffectors, truth: EndEffectors) -> tuple[Floats, Floats]:
    metres, degrees = [], []
    for side in SIDES:
        ours = np.flatnonzero((palms.side == side) & palms.head_from_palm_valid)
        theirs = np.flatnonzero((truth.side == side) & truth.head_from_palm_valid)
        rows, truth_rows = match_times(palms.timestamp_ns[ours], truth.timestamp_ns[theirs])
        a = SE3.from_pose7(palms.head_from_palm[ours[rows]])
        b = SE3.from_pose7(truth.head_from_palm[theirs[truth_rows]])
        metres.append(point_errors(a.translation, b.translation))
        degrees.append(rotation_error_deg(a.rotation, b.rotation))
    return np.concatenate(metres), np.concatenate(degrees)
