"""The head trajectory against the truth. T: matched ticks at which both have a pose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, mean, median
from app.matching import NS, match_times
from core.geometry.alignment import align_yaw_position, umeyama
from core.geometry.metrics import path_length_m, point_errors, rotation_error_deg, rpe
from core.geometry.rotations import mean_rotation
from core.geometry.se3 import SE3
from core.session.tables import Trajectory

Floats = NDArray[np.float64]
MIN_POSES = 3  # a piece of fewer cannot be laid on anything


@dataclass(frozen=True, eq=False)
class TrajectoryComparison:
    """Estimate laid on truth by yaw and position, map by map.

    seconds ``(T,)`` from the first matched tick.   aligned, truth: world_from_head, batches of T.
    map_id ``(T,)``.   scaled_errors_m ``(T,)``: what a similarity fit leaves.
    start_ns: time of the first matched tick.
    alignments: map -> truth_from_world.   scales: truth / estimate, per map.
    tracked_share: of the ticks that the truth has.   tilt_deg: error of the estimated up, per map.
    """

    seconds: Floats
    aligned: SE3
    truth: SE3
    map_id: NDArray[np.int32]
    scaled_errors_m: Floats
    start_ns: int
    alignments: dict[int, SE3]
    tracked_share: float
    scales: tuple[float, ...]
    tilt_deg: tuple[float, ...]

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
        errors, n = self.errors_m, len(self.seconds)
        rmse_mm = 1e3 * float(np.sqrt(np.mean(errors**2))) if n else float("nan")
        scaled_mm = 1e3 * float(np.sqrt(mean(self.scaled_errors_m**2)))
        length = path_length_m(self.truth.translation) if n else 0.0
        scale = median(np.abs(np.array(self.scales) - 1.0))
        drift_mm, turn_deg = self._relative()
        maps = len(self.scales)
        return [
            Figure("slam", "tracked", self.tracked_share, "share", "of the frames in the truth"),
            Figure("slam", "maps", float(maps), "", "pieces that were not joined"),
            Figure("slam", "ATE RMSE", rmse_mm, "mm", f"{n} frames, {length:.2f} m path"),
            Figure("slam", "ATE RMSE, scale fitted", scaled_mm, "mm", "similarity, map by map"),
            Figure("slam", "rotation error", median(self.rotation_errors_deg), "deg", "median"),
            Figure("slam", "scale error", scale, "share", "from a similarity fit"),
            Figure("slam", "gravity error", mean(self.tilt_deg), "deg", "tilt of the world"),
            Figure("slam", "RPE over 1 s", drift_mm, "mm", "median"),
            Figure("slam", "RPE over 1 s, turn", turn_deg, "deg", "median"),
        ]

    def _relative(self) -> tuple[float, float]:
        if len(self.seconds) < 3:
            return float("nan"), float("nan")
        step = max(1, round(1.0 / float(np.median(np.diff(self.seconds)))))
        if step >= len(self.seconds):
            return float("nan"), float("nan")
        metres, degrees = rpe(self.aligned, self.truth, step=step)
        spans = self.seconds[step:] - self.seconds[:-step]
        whole = (self.map_id[step:] == self.map_id[:-step]) & (np.abs(spans - 1.0) < 0.2)
        return 1e3 * median(metres[whole]), median(degrees[whole])


def compare_trajectories(estimate: Trajectory, truth: Trajectory) -> TrajectoryComparison:
    """Match by time, align each map on its own by yaw and position."""
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
        map_id=map_id[placed],
        scaled_errors_m=scaled_errors[placed],
        start_ns=int(times[0]) if len(times) else 0,
        alignments=alignments,
        tracked_share=len(rows) / len(known) if len(known) else float("nan"),
        scales=tuple(scales),
        tilt_deg=tuple(tilts),
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
