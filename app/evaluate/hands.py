"""Found hands against the truth, matched by side and time. R: rows that both tables have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, share
from app.evaluate.landmarks import LandmarkErrors, landmark_figures
from app.matching import Rows, match_times
from core.geometry.landmarks import FLIPPED_SIDE, SIDES
from core.session.tables import Hands

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_VISIBLE = 9  # of 17 landmarks: then the truth counts a hand as in view
SWAP_MARGIN_M = 0.02  # a wrist nearer to the other hand by this much counts as swapped


@dataclass(frozen=True)
class SeenLandmarks:
    """Landmarks of all hands at all matched ticks. claimed: the estimate says it sees them.

    there: the truth does.   both: both do. Of a hand that was not found nothing is claimed.
    """

    claimed: int
    there: int
    both: int


@dataclass(frozen=True, eq=False)
class HandComparison:
    """side ``(R,)`` words; timestamp_ns ``(R,)``; landmarks, truth ``(R,17,3)`` in the head frame.

    truth_visible ``(R,17)``.   sigma_lateral_m, sigma_ray_m ``(R,17)``: what the estimate claims.
    in_view: hands the truth shows; found: how many of those were found; invented: hands found
    where the truth has none; swapped: found hands that lie on the other hand.
    """

    side: NDArray[np.object_]
    timestamp_ns: NDArray[np.int64]
    landmarks: Floats
    truth: Floats
    truth_visible: Flags
    sigma_lateral_m: Floats
    sigma_ray_m: Floats
    seen: SeenLandmarks
    in_view: int
    found: int
    invented: int
    swapped: int

    def errors(self) -> LandmarkErrors:
        """Joint by joint."""
        return LandmarkErrors.of(self.landmarks, self.truth)

    def figures(self) -> list[Figure]:
        """The numbers people compare."""
        seen = self.seen
        return [
            Figure("hands", "found", share(self.found, self.in_view), "share",
                   f"of {self.in_view} hands in view"),
            Figure("hands", "invented", float(self.invented), "", "found where there is none"),
            Figure("hands", "swapped", share(self.swapped, len(self.landmarks)), "share",
                   "left and right exchanged"),
            Figure("hands", "visibility precision", share(seen.both, seen.claimed), "share",
                   f"of {seen.claimed} landmarks said to be seen"),
            Figure("hands", "visibility recall", share(seen.both, seen.there), "share",
                   f"of {seen.there} landmarks in view and not hidden"),
            *landmark_figures(self.errors(), self.truth_visible),
        ]  # fmt: skip


def compare_hands(hands: Hands, truth: Hands) -> HandComparison:
    """Match row by row by side and time."""
    parts = [_side(hands, truth, side) for side in SIDES]
    rows = np.concatenate([part[0] for part in parts])
    truth_rows = np.concatenate([part[1] for part in parts])
    in_view = truth.landmarks_in_head_valid & (truth.visible.sum(-1) >= MIN_VISIBLE)
    return HandComparison(
        side=hands.side[rows],
        timestamp_ns=hands.timestamp_ns[rows],
        landmarks=hands.landmarks_in_head[rows].reshape(-1, 17, 3).astype(np.float64),
        truth=truth.landmarks_in_head[truth_rows].reshape(-1, 17, 3).astype(np.float64),
        truth_visible=truth.visible[truth_rows],
        sigma_lateral_m=hands.sigma_lateral_m[rows].astype(np.float64),
        sigma_ray_m=hands.sigma_ray_m[rows].astype(np.float64),
        seen=_seen(hands, truth),
        in_view=int(in_view.sum()),
        found=int(in_view[truth_rows].sum()),
        invented=int(hands.landmarks_in_head_valid.sum()) - len(rows),
        swapped=_swapped(hands, truth, rows, truth_rows=truth_rows),
    )


def _side(hands: Hands, truth: Hands, side: str) -> tuple[Rows, Rows]:
    """Rows of one side that have landmarks in both."""
    ours = np.flatnonzero((hands.side == side) & hands.landmarks_in_head_valid)
    theirs = np.flatnonzero((truth.side == side) & truth.landmarks_in_head_valid)
    rows, truth_rows = match_times(hands.timestamp_ns[ours], truth.timestamp_ns[theirs])
    return ours[rows], theirs[truth_rows]


def _seen(hands: Hands, truth: Hands) -> SeenLandmarks:
    """Over every tick that both tables have, whether the hand was found or not."""
    counts = np.zeros(3, dtype=int)
    for side in SIDES:
        ours, theirs = np.flatnonzero(hands.side == side), np.flatnonzero(truth.side == side)
        rows, truth_rows = match_times(hands.timestamp_ns[ours], truth.timestamp_ns[theirs])
        claimed, there = hands.visible[ours[rows]], truth.visible[theirs[truth_rows]]
        counts += [claimed.sum(), there.sum(), (claimed & there).sum()]
    return SeenLandmarks(*counts.tolist())


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
