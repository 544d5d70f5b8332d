"""The head trajectory against the truth. T: matched ticks at which both have a pose."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, mean, median, rmse, share
from app.evaluate.time_pairs import pairs_after
from app.matching import NS, Rows, match_times
from core.geometry.alignment import align_yaw_position, umeyama
from core.geometry.metrics import path_length_m, point_errors, rotation_error_deg
from core.geometry.rotations import mean_rotation
from core.geometry.se3 import SE3
from core.session.tables import Trajectory

Floats = NDArray[np.float64]
NEEDS_METRE = {"ATE RMSE", "scale error", "RPE over 1 s", "jitter"}
NEEDS_UP = {"ATE RMSE", "rotation error", "gravity error"}
MIN_POSES = 3  # a piece of fewer cannot be laid on anything


@dataclass(frozen=True, eq=False)
class TrajectoryComparison:
    """Estimate laid on truth by yaw and position, map by map.

    seconds ``(T,)`` from the first matched tick.   aligned, truth: world_from_head, batches of T.
    rows, truth_rows ``(T,)``: of both tables.   map_id ``(T,)``.   scaled_errors_m ``(T,)``: what a
    similarity fit leaves.   start_ns: time of the first matched tick.
    alignments: map -> truth_from_world.   scales: truth / estimate, per map.
    tracked_share: of the ticks that the truth has.   tilt_deg: error of the estimated up, per map.
    level, metric: whether the estimate claims to know up and the metre; without, the figures that
    need them are missing, and positions of `aligned` tell nothing.
    """

    seconds: Floats
    aligned: SE3
    truth: SE3
    rows: Rows
    truth_rows: Rows
    map_id: NDArray[np.int32]
    scaled_errors_m: Floats
    start_ns: int
    alignments: dict[int, SE3]
    tracked_share: float
    scales: tuple[float, ...]
    tilt_deg: tuple[float, ...]
    level: bool = True
    metric: bool = True

    @property
    def absolute(self) -> bool:
        """Can positions be compared after alignment by yaw and position?"""
        return self.level and self.metric

    @property
    def errors_m(self) -> Floats:
        """Position errors ``(T,)``."""
        return point_errors(self.aligned.translation, self.truth.translation)

    @property
    def rotation_errors_deg(self) -> Floats:
        """Rotation errors ``(T,)``."""
        return rotation_error_deg(self.aligned.rotation, self.truth.rotation)

    def figures(self) -> list[Figure]:
        """The numbers people compare."""
        length = path_length_m(self.truth.translation) if len(self.seconds) else 0.0
        scale = median(np.abs(np.array(self.scales) - 1.0))
        metres, degrees = self.relative(1.0)
        over = f"{len(self.seconds)} frames, {length:.2f} m path"
        step_s = median(np.diff(self.seconds))
        jitter, _ = self.relative(step_s) if len(self.seconds) > 1 else (metres, degrees)
        pairs = f"root mean square of {len(metres)} pairs"
        figures = [
            Figure("slam", "tracked", self.tracked_share, "share", "of the frames in the truth"),
            Figure("slam", "maps", float(len(self.scales)), "", "pieces that were not joined"),
            Figure("slam", "ATE RMSE", 1e3 * rmse(self.errors_m), "mm", over),
            Figure("slam", "ATE RMSE, scale fitted", 1e3 * rmse(self.scaled_errors_m), "mm",
                   "similarity, map by map"),
            Figure("slam", "rotation error", median(self.rotation_errors_deg), "deg", "median"),
            Figure("slam", "scale error", scale, "share", "from a similarity fit"),
            Figure("slam", "gravity error", mean(self.tilt_deg), "deg", "tilt of the world"),
            Figure("slam", "RPE over 1 s", 1e3 * rmse(metres), "mm", pairs),
            Figure("slam", "RPE over 1 s, turn", rmse(degrees), "deg", pairs),
            Figure("slam", "jitter", 1e3 * rmse(jitter), "mm", "RPE over one frame"),
        ]  # fmt: skip
        return [self._if_known(figure) for figure in figures]

    def _if_known(self, figure: Figure) -> Figure:
        """The figure, or its absence where the estimate never claimed what it needs."""
        lacking = []
        if not self.metric and figure.name in NEEDS_METRE:
            lacking.append("scale")
        if not self.level and figure.name in NEEDS_UP:
            lacking.append("gravity")
        if not lacking:
            return figure
        note = f"{' and '.join(lacking)} unknown to the estimate"
        return replace(figure, value=float("nan"), note=note)

    def relative(self, span_s: float) -> tuple[Floats, Floats]:
        """Errors of the motion over a span, metres and degrees, over all pairs of one map."""
        first, second = pairs_after(self.seconds, span_s, group=self.map_id)
        moved = self.aligned[first].inverse() @ self.aligned[second]
        should = self.truth[first].inverse() @ self.truth[second]
        error = should.inverse() @ moved
        metres = np.linalg.norm(error.translation, axis=-1)
        return metres, rotation_error_deg(moved.rotation, should.rotation)


def compare_trajectories(
    estimate: Trajectory, truth: Trajectory, *, level: bool = True, metric: bool = True
) -> TrajectoryComparison:
    """Match by time, align each map on its own by yaw and position.

    level, metric: does the estimate claim to know up and the metre?
    """
    known = np.flatnonzero(truth.world_from_head_valid)
    rows, truth_rows = match_times(estimate.timestamp_ns, truth.timestamp_ns[known])
    truth_rows = known[truth_rows]
    usable = estimate.tracked[rows] & estimate.world_from_head_valid[rows]
    rows, truth_rows = rows[usable], truth_rows[usable]
    poses = SE3.from_pose7(estimate.world_from_head[rows])
    exact = SE3.from_pose7(truth.world_from_head[truth_rows])
    map_id = estimate.map_id[rows]
    rotation, position = np.array(poses.rotation), np.array(poses.translation)
    scaled_errors = np.full(len(rows), np.nan)
    scales, tilts, alignments = [], [], {}
    for number in np.unique(map_id):
        here = np.flatnonzero(map_id == number)
        if len(here) < MIN_POSES:
            continue
        scale, scaled_errors[here] = _similarity(poses[here], exact[here])
        scales.append(scale)
        tilts.append(_tilt_deg(poses[here], exact[here]))
        motion = align_yaw_position(poses[here].translation, exact[here].translation)
        alignments[int(number)] = motion
        laid = motion @ poses[here]
        rotation[here], position[here] = laid.rotation, laid.translation
    placed = np.isin(map_id, list(alignments))
    times = estimate.timestamp_ns[rows][placed]
    return TrajectoryComparison(
        seconds=(times - times[0]) / NS if len(times) else np.zeros(0),
        aligned=SE3(rotation[placed], position[placed]),
        truth=exact[placed],
        rows=rows[placed],
        truth_rows=truth_rows[placed],
        map_id=map_id[placed],
        scaled_errors_m=scaled_errors[placed],
        start_ns=int(times[0]) if len(times) else 0,
        alignments=alignments,
        tracked_share=share(len(rows), len(known)),
        scales=tuple(scales),
        tilt_deg=tuple(tilts),
        level=level,
        metric=metric,
    )


def _similarity(estimate: SE3, truth: SE3) -> tuple[float, Floats]:
    """truth / estimate and what errors are left by a similarity fit; NaN where nothing moves."""
    there, exact = estimate.translation, truth.translation
    if float(np.ptp(there, axis=0).max()) < 1e-6:
        return float("nan"), np.full(len(there), np.nan)
    motion, scale = umeyama(there, exact, with_scale=True)
    return scale, point_errors(motion.apply(scale * there), exact)


def _tilt_deg(estimate: SE3, truth: SE3) -> float:
    """Angle between the true up and the estimate's up, both seen from the head."""
    turn = mean_rotation(truth.rotation @ np.swapaxes(estimate.rotation, -1, -2))
    up = turn[:, 2]
    return float(np.degrees(np.arctan2(np.hypot(up[0], up[1]), up[2])))
