"""A session's tracks read at the dataset's own times. Nothing is extrapolated or bridged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.episode import (
    HEAD,
    POSE_COLUMNS,
    POSE_VALID,
    BoolArray,
    IntArray,
    fill_nearest,
    fill_poses,
)
from core.geometry.landmarks import SIDES
from core.geometry.se3 import SE3, interpolate
from core.session.tables import EndEffectors, Hands, Trajectory
from export.source import SessionSource

SNAP = 0.02  # of a frame's period


@dataclass(frozen=True, eq=False, kw_only=True)
class Sampled:
    """Tracks at G grid times. Invalid rows hold the nearest valid values.

    state: ``(G, 16)``.   head_pose: ``(G, 7)``.   valid: ``(G, 5)``.   map_id: ``(G,)``.
    landmarks: ``(G, 102)`` metres in the head frame.   landmarks_valid: ``(G, 34)``.
    """

    times_ns: IntArray
    state: NDArray[np.float64]
    head_pose: NDArray[np.float64]
    valid: BoolArray
    map_id: IntArray
    landmarks: NDArray[np.float64]
    landmarks_valid: BoolArray


def grid_times(stamps_ns: IntArray, start_ns: int, end_ns: int, *, fps: int) -> IntArray:
    """Times of a constant rate in [start_ns, end_ns), and one more for the last action's target.

    stamps_ns: the ticks, rising. A grid time within a fiftieth of a period of a tick is that
    tick's,
    so that a clock's jitter does not turn measured poses into interpolated ones.
    """
    count = max(-(-(end_ns - start_ns) * fps // 1_000_000_000), 1)
    times: IntArray = start_ns + np.round(np.arange(count + 1) * (1e9 / fps)).astype(np.int64)
    before, after = _neighbours(stamps_ns, times)
    nearer_after = stamps_ns[after] - times < times - stamps_ns[before]
    nearest = np.where(nearer_after, stamps_ns[after], stamps_ns[before])
    close = np.abs(nearest - times) <= SNAP * 1e9 / fps
    return np.where(close, nearest, times)


def sample_session(source: SessionSource, times_ns: IntArray, *, max_gap_s: float) -> Sampled:
    """Head, hands and landmarks at these times; gaps longer than ``max_gap_s`` stay invalid."""
    gap_ns = round(max_gap_s * 1e9)
    frames = len(times_ns)
    state, valid = np.zeros((frames, 16)), np.zeros((frames, 5), dtype=bool)
    landmarks, seen = np.zeros((frames, 102)), np.zeros((frames, 34), dtype=bool)
    for number, side in enumerate(SIDES):
        poses, known = _palms(source.end_effectors, side, times_ns, gap_ns=gap_ns)
        state[:, POSE_COLUMNS[side]] = fill_poses(poses, known)
        valid[:, POSE_VALID[side]] = known
        points, known = _landmarks(source.hands, side, times_ns, gap_ns=gap_ns)
        landmarks[:, 51 * number : 51 * (number + 1)] = fill_nearest(
            points, known, placeholder=np.zeros(51)
        )
        seen[:, 17 * number : 17 * (number + 1)] = known[:, None]
    head, known, map_id = _head(source.trajectory, times_ns, gap_ns=gap_ns)
    valid[:, HEAD] = known
    return Sampled(
        times_ns=times_ns,
        state=state,
        head_pose=fill_poses(head, known),
        valid=valid,
        map_id=map_id,
        landmarks=landmarks,
        landmarks_valid=seen,
    )


def _palms(
    table: EndEffectors, side: str, times_ns: IntArray, *, gap_ns: int
) -> tuple[NDArray[np.float64], BoolArray]:
    mine = table.take(np.array([name == side for name in table.side], dtype=bool))
    poses, valid = interpolate(
        mine.timestamp_ns, SE3.from_pose7(mine.head_from_palm), times_ns, max_gap_ns=gap_ns
    )
    return _pose7(poses, valid), valid


def _pose7(poses: SE3, valid: BoolArray) -> NDArray[np.float64]:
    rows = np.full((len(valid), 7), np.nan)
    if valid.any():
        rows[valid] = poses[valid].to_pose7()
    return rows


def _head(
    table: Trajectory, times_ns: IntArray, *, gap_ns: int
) -> tuple[NDArray[np.float64], BoolArray, IntArray]:
    """Poses, where they are tracked, and the map each time belongs to."""
    if len(table) == 0:
        frames = len(times_ns)
        return (
            np.full((frames, 7), np.nan),
            np.zeros(frames, dtype=bool),
            np.zeros(frames, dtype=np.int64),
        )
    usable = table.world_from_head_valid & table.tracked
    poses = np.where(usable[:, None], table.world_from_head, np.nan)
    found, valid = interpolate(
        table.timestamp_ns, SE3.from_pose7(poses), times_ns, max_gap_ns=gap_ns
    )
    before, after = _neighbours(table.timestamp_ns, times_ns)
    same_map = table.map_id[before] == table.map_id[after]
    return _pose7(found, valid & same_map), valid & same_map, table.map_id[before].astype(np.int64)


def _neighbours(stamps: IntArray, times_ns: IntArray) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows at or before, and at or after, each time (clipped at the ends)."""
    before = np.clip(np.searchsorted(stamps, times_ns, side="right") - 1, 0, len(stamps) - 1)
    after = np.clip(np.searchsorted(stamps, times_ns, side="left"), 0, len(stamps) - 1)
    return before, after


def _landmarks(
    table: Hands, side: str, times_ns: IntArray, *, gap_ns: int
) -> tuple[NDArray[np.float64], BoolArray]:
    mine = table.take(np.array([name == side for name in table.side], dtype=bool))
    if len(mine) == 0:
        return np.zeros((len(times_ns), 51)), np.zeros(len(times_ns), dtype=bool)
    stamps = mine.timestamp_ns
    before, after = _neighbours(stamps, times_ns)
    span = stamps[after] - stamps[before]
    known = mine.landmarks_in_head_valid
    valid = known[before] & known[after] & (span <= gap_ns)
    valid &= (times_ns >= stamps[0]) & (times_ns <= stamps[-1])
    fraction = (times_ns - stamps[before]) / np.maximum(span, 1)
    start = mine.landmarks_in_head[before].astype(np.float64)
    end = mine.landmarks_in_head[after].astype(np.float64)
    points = start + fraction[:, None] * (end - start)
    return np.where(valid[:, None], points, 0.0), valid
