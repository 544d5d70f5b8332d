"""Palm frames against the truth: where they are, at rest, and in the world. R: matched rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, mean, median, p95
from app.matching import NS, Rows, match_times
from core.geometry.landmarks import SIDES
from core.geometry.metrics import point_errors, rotation_error_deg
from core.geometry.se3 import SE3
from core.session.tables import EndEffectors, Trajectory

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PalmComparison:
    """side ``(R,)`` words, left rows before right ones, each rising in time; seconds ``(R,)``.

    tick, truth_tick ``(R,)``.   estimate, truth: head_from_palm, batches of R.
    sigma_m, sigma_rad ``(R,3)``: along the head's axes and about the palm's.
    """

    side: NDArray[np.object_]
    seconds: Floats
    tick: NDArray[np.int64]
    truth_tick: NDArray[np.int64]
    estimate: SE3
    truth: SE3
    sigma_m: Floats
    sigma_rad: Floats

    @property
    def errors_m(self) -> Floats:
        """Position errors ``(R,)``."""
        return point_errors(self.estimate.translation, self.truth.translation)

    @property
    def errors_deg(self) -> Floats:
        """Rotation errors ``(R,)``."""
        return rotation_error_deg(self.estimate.rotation, self.truth.rotation)

    def figures(self) -> list[Figure]:
        """The numbers people compare."""
        off = self.estimate.translation - self.truth.translation
        ray = self.truth.translation / np.linalg.norm(self.truth.translation, axis=-1)[:, None]
        along = np.abs(np.sum(off * ray, axis=-1))
        across = np.sqrt(np.maximum(self.errors_m**2 - along**2, 0.0))
        rows = f"{len(self.side)} palms"
        metres, degrees = 1e3 * self.errors_m, self.errors_deg
        return [
            Figure("hands", "palm position", median(metres), "mm", f"median, {rows}"),
            Figure("hands", "palm position, mean", mean(metres), "mm"),
            Figure("hands", "palm position, p95", p95(metres), "mm"),
            Figure("hands", "palm position, along the ray", 1e3 * median(along), "mm", "median"),
            Figure("hands", "palm position, across it", 1e3 * median(across), "mm", "median"),
            Figure("hands", "palm rotation", median(degrees), "deg", f"median, {rows}"),
            Figure("hands", "palm rotation, mean", mean(degrees), "deg"),
            Figure("hands", "palm rotation, p95", p95(degrees), "deg"),
        ]


def compare_palms(palms: EndEffectors, truth: EndEffectors) -> PalmComparison:
    """Match row by row by side and time."""
    parts = [_side(palms, truth, side) for side in SIDES]
    rows = np.concatenate([part[0] for part in parts])
    truth_rows = np.concatenate([part[1] for part in parts])
    start_ns = int(truth.timestamp_ns.min()) if len(truth) else 0
    return PalmComparison(
        side=palms.side[rows],
        seconds=(palms.timestamp_ns[rows] - start_ns) / NS,
        tick=palms.tick[rows],
        truth_tick=truth.tick[truth_rows],
        estimate=SE3.from_pose7(palms.head_from_palm[rows]),
        truth=SE3.from_pose7(truth.head_from_palm[truth_rows]),
        sigma_m=palms.sigma_m[rows].astype(np.float64),
        sigma_rad=palms.sigma_rad[rows].astype(np.float64),
    )


def _side(palms: EndEffectors, truth: EndEffectors, side: str) -> tuple[Rows, Rows]:
    ours = np.flatnonzero((palms.side == side) & palms.head_from_palm_valid)
    theirs = np.flatnonzero((truth.side == side) & truth.head_from_palm_valid)
    rows, truth_rows = match_times(palms.timestamp_ns[ours], truth.timestamp_ns[theirs])
    return ours[rows], theirs[truth_rows]


def heads_at(trajectory: Trajectory, ticks: NDArray[np.int64]) -> tuple[SE3, NDArray[np.int32]]:
    """world_from_head at tick numbers ``(R,)``, NaN where it is not tracked, and their maps."""
    if not len(trajectory):
        return SE3.from_pose7(np.full((len(ticks), 7), np.nan)), np.zeros(len(ticks), np.int32)
    place = np.minimum(np.searchsorted(trajectory.tick, ticks), len(trajectory) - 1)
    known = (trajectory.tick[place] == ticks) & trajectory.tracked[place]
    known &= trajectory.world_from_head_valid[place]
    pose7 = np.where(known[:, None], trajectory.world_from_head[place], np.nan)
    return SE3.from_pose7(pose7), trajectory.map_id[place]
