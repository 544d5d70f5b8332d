"""A trajectory against a ground truth of the user's own: matched in time, laid on it, measured.

A: associated poses, those of the estimate for whose time the truth is known. G: truth rows.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import rmse
from app.evaluate.time_pairs import pairs_after
from core.errors import BadInputError
from core.geometry.alignment import align_yaw_position, umeyama
from core.geometry.clock import median_period_ns, resample_indices
from core.geometry.metrics import path_length_m, point_errors, rotation_error_deg
from core.geometry.rotations import mean_rotation
from core.geometry.se3 import SE3, interpolate

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Flags = NDArray[np.bool_]

NS = 1e9
ALIGNMENTS = ("yaw", "se3", "sim3", "none")
ASSOCIATIONS = ("interpolate", "nearest")
MAX_GAP_MS = {"interpolate": 100.0, "nearest": 10.0}
COVER_FRAMES = 1.5  # between two poses further apart than so many frames nothing is tracked
MIN_POSES = 3  # a piece of fewer cannot be laid on anything
RPE_S = 1.0
LINE = 0.05  # a path whose second extent is below this share of the first is a line
BODY_TURN_DEG = 10.0  # a constant turn beyond this is another body, not an error


@dataclass(frozen=True, eq=False)
class TimedPoses:
    """Poses that somebody knows. N: number of poses, rising in time; only those that are known.

    map_id ``(N,)``: poses of different maps share no world.   period_ns: between two frames.
    span_ns: first and last frame of the take, where that is known beyond its poses.
    """

    timestamps_ns: Times
    world_from_body: SE3
    map_id: NDArray[np.int32]
    period_ns: int
    span_ns: tuple[int, int] | None = None

    @staticmethod
    def of(timestamps_ns: Times, world_from_body: SE3) -> "TimedPoses":
        """Poses of one map, a pose for every frame."""
        one_map = np.zeros(len(timestamps_ns), dtype=np.int32)
        period_ns = median_period_ns(timestamps_ns)
        return TimedPoses(timestamps_ns, world_from_body, one_map, period_ns)

    def moved(self, body_from_part: SE3) -> "TimedPoses":
        """Where a part of the body is, given its pose in the body."""
        return replace(self, world_from_body=self.world_from_body @ body_from_part)


@dataclass(frozen=True, eq=False)
class PathErrors:
    """What was measured. A: associated poses that could be aligned.

    seconds ``(A,)`` from the truth's first row.   aligned, truth: world_from_body, batches of A.
    map_id ``(A,)``.   estimate_poses: all of the estimate.   truth_rows, covered: rows of the
    truth (within the take, where its span is known), and those between two poses of the estimate
    no further apart than cover_gap_ms; the rest counts as untracked.
    scales, tilts_deg: per map, truth / estimate and the angle between both worlds' z axes.
    body_turn_deg: constant turn between the two bodies; where it is large, rotations tell nothing.
    """

    seconds: Floats
    aligned: SE3
    truth: SE3
    map_id: NDArray[np.int32]
    estimate_poses: int
    truth_rows: int
    covered: int
    cover_gap_ms: float
    scales: tuple[float, ...]
    tilts_deg: tuple[float, ...]
    body_turn_deg: float
    align: str

    @property
    def errors_m(self) -> Floats:
        """Position errors ``(A,)``."""
        return point_errors(self.aligned.translation, self.truth.translation)

    @property
    def same_body(self) -> bool:
        """Do both speak of one body? Otherwise rotations cannot be compared."""
        return self.body_turn_deg <= BODY_TURN_DEG

    def figures(self) -> dict[str, float]:
        """Metres, degrees, shares; NaN for what cannot be said."""
        errors, nan = self.errors_m, float("nan")
        metres, degrees = self.relative()
        turned = rotation_error_deg(self.aligned.rotation, self.truth.rotation)
        return {
            "ate_rmse_m": rmse(errors),
            "ate_mean_m": float(np.mean(errors)),
            "ate_median_m": float(np.median(errors)),
            "ate_max_m": float(np.max(errors)),
            "rotation_median_deg": float(np.median(turned)) if self.same_body else nan,
            "rpe_1s_rmse_m": rmse(metres) if self.same_body else nan,
            "rpe_1s_rmse_deg": rmse(degrees) if self.same_body else nan,
            "scale": float(np.median(self.scales)),
            "gravity_tilt_deg": float(np.mean(self.tilts_deg)),
            "tracked_share": self.covered / self.truth_rows,
            "truth_rows": float(self.truth_rows),
            "untracked_rows": float(self.truth_rows - self.covered),
            "associated": float(len(errors)),
            "estimate_poses": float(self.estimate_poses),
            "maps": float(len(self.scales)),
            "path_m": path_length_m(self.truth.translation),
        }

    def relative(self) -> tuple[Floats, Floats]:
        """Errors of the motion over one second, metres and degrees, over all pairs of one map."""
        first, second = pairs_after(self.seconds, RPE_S, group=self.map_id)
        moved = self.aligned[first].inverse() @ self.aligned[second]
        should = self.truth[first].inverse() @ self.truth[second]
        error = should.inverse() @ moved
        metres = np.linalg.norm(error.translation, axis=-1)
        return metres, rotation_error_deg(moved.rotation, should.rotation)


def path_errors(
    estimate: TimedPoses,
    truth: TimedPoses,
    *,
    align: str = "se3",
    associate: str = "interpolate",
    max_gap_ms: float | None = None,
) -> PathErrors:
    """Match, align map by map, measure.

    associate: ``interpolate`` the truth at the estimate's times between rows no further apart than
    the gap, or take the ``nearest`` row within the gap. Raises BadInputError where nothing matches.
    """
    gap_ns = round(1e6 * (MAX_GAP_MS[associate] if max_gap_ms is None else max_gap_ms))
    exact, known = read_at(truth, estimate.timestamps_ns, associate=associate, gap_ns=gap_ns)
    cover_ns = round(COVER_FRAMES * estimate.period_ns)
    filmed = truth.timestamps_ns
    if estimate.span_ns is not None:
        filmed = filmed[(filmed >= estimate.span_ns[0]) & (filmed <= estimate.span_ns[1])]
    _, covered = read_at(estimate, filmed, associate="interpolate", gap_ns=cover_ns)
    rows = np.flatnonzero(known)
    map_id = estimate.map_id[rows]
    big = [m for m in np.unique(map_id) if np.sum(map_id == m) >= MIN_POSES]
    rows = rows[np.isin(map_id, big)]
    if not len(rows):
        raise BadInputError(_nothing_matches(estimate, truth, gap_ns=gap_ns))
    poses, exact, map_id = estimate.world_from_body[rows], exact[rows], estimate.map_id[rows]
    rotation, position = np.array(poses.rotation), np.array(poses.translation)
    scales, tilts, turns = [], [], []
    for number in big:
        here = np.flatnonzero(map_id == number)
        motion, factor, scale = aligned_motion(poses[here], exact[here], align=align)
        laid = motion @ SE3(poses[here].rotation, factor * poses[here].translation)
        rotation[here], position[here] = laid.rotation, laid.translation
        tilt, turn = _turns(poses[here], exact[here])
        scales.append(scale)
        tilts.append(tilt)
        turns.append(turn)
    return PathErrors(
        seconds=(estimate.timestamps_ns[rows] - truth.timestamps_ns[0]) / NS,
        aligned=SE3(rotation, position),
        truth=exact,
        map_id=map_id,
        estimate_poses=len(estimate.timestamps_ns),
        truth_rows=len(filmed),
        covered=int(covered.sum()),
        cover_gap_ms=cover_ns / 1e6,
        scales=tuple(scales),
        tilts_deg=tuple(tilts),
        body_turn_deg=float(np.max(turns)),
        align=align,
    )


def read_at(
    known: TimedPoses, times_ns: Times, *, associate: str, gap_ns: int
) -> tuple[SE3, Flags]:
    """Poses at other times ``(Q,)`` and where they are known; NaN elsewhere."""
    if associate == "nearest":
        index, near = resample_indices(known.timestamps_ns, times_ns, max_distance_ns=gap_ns)
        picked = known.world_from_body[np.maximum(index, 0)]
        position = np.where(near[:, None], picked.translation, np.nan)
        return SE3(picked.rotation, position), near
    poses, valid = interpolate(
        known.timestamps_ns, known.world_from_body, times_ns, max_gap_ns=gap_ns
    )
    after = np.clip(np.searchsorted(known.timestamps_ns, times_ns), 0, len(known.map_id) - 1)
    exact = known.timestamps_ns[after] == times_ns
    before = np.where(exact, after, np.maximum(after - 1, 0))
    return poses, valid & (known.map_id[before] == known.map_id[after])


def aligned_motion(estimate: SE3, truth: SE3, *, align: str) -> tuple[SE3, float, float]:
    """(truth_from_world, factor on the estimate's lengths, scale of the best similarity).

    The scale is truth / estimate, reported whatever the alignment; NaN where nothing moves.
    """
    there, exact = estimate.translation, truth.translation
    moves = float(np.ptp(there, axis=0).max()) > 1e-9
    similar, scale = umeyama(there, exact, with_scale=True) if moves else (None, float("nan"))
    if align == "none":
        return SE3.identity(), 1.0, scale
    if align == "yaw":
        return align_yaw_position(there, exact), 1.0, scale
    if align == "sim3":
        if similar is None:
            raise BadInputError("alignment sim3: the estimate never moves; use --align se3")
        return similar, scale, scale
    return umeyama(there, exact, with_scale=False)[0], 1.0, scale


def _turns(estimate: SE3, truth: SE3) -> tuple[float, float]:
    """(tilt between the two worlds, constant turn between the two bodies) in degrees.

    The shape of the path tells one from the other, unless it is a line: then only the spread of
    the rotations does, and a tilt is known only where that is small.
    """
    fitted = umeyama(estimate.translation, truth.translation)[0].rotation
    seen = mean_rotation(truth.rotation @ np.swapaxes(estimate.rotation, -1, -2))
    shape = np.linalg.svd(
        estimate.translation - estimate.translation.mean(axis=0), compute_uv=False
    )
    if shape[1] > LINE * shape[0] > 0:
        back = np.swapaxes(estimate.rotation, -1, -2)
        turn = _angle_deg(mean_rotation(back @ fitted.T @ truth.rotation))
    else:
        turn = float(np.median(rotation_error_deg(seen @ estimate.rotation, truth.rotation)))
        fitted = np.full((3, 3), np.nan)
    up = (seen if turn <= BODY_TURN_DEG else fitted)[:, 2]
    return float(np.degrees(np.arctan2(np.hypot(up[0], up[1]), up[2]))), turn


def _angle_deg(rotation: Floats) -> float:
    return float(rotation_error_deg(rotation, np.eye(3)))


def _nothing_matches(estimate: TimedPoses, truth: TimedPoses, *, gap_ns: int) -> str:
    spans = [
        f"{poses.timestamps_ns[0] / NS:.3f} to {poses.timestamps_ns[-1] / NS:.3f} s"
        if len(poses.timestamps_ns)
        else "nothing"
        for poses in (estimate, truth)
    ]
    return (
        f"fewer than {MIN_POSES} poses belong together: the estimate covers {spans[0]}, the truth "
        f"{spans[1]}, allowed gap {gap_ns / 1e6:g} ms; are they of one take and one clock?"
    )
