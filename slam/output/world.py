"""Gauges: where a map's world has its origin, its up and its heading."""

import numpy as np

from core.geometry.alignment import rotation_between
from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.heading import levelled_heading
from core.geometry.se3 import SE3
from slam.imu.inertial import ImuData

CAMERA_UP = np.array([0.0, -1.0, 0.0])
MIN_LEVEL_S = 1.0  # a shorter mean of specific force says too little about up
MAX_MEAN_OFF_M_S2 = 1.0
END_S, MIN_END_FRAMES = 0.25, 3  # where the speed at either end is read


def settle(old_from_head: SE3, *, levelled: bool) -> SE3:
    """new_from_old: the first head goes to the origin, x to its heading.

    Where up is not known the first camera is taken to be upright.
    """
    rotation = old_from_head.rotation
    turn = np.eye(3) if levelled else rotation_between(rotation @ CAMERA_UP, [0.0, 0.0, 1.0])
    level = levelled_heading(turn @ rotation)
    if np.isnan(level).any():  # the head lies on its side: no heading, keep the axes
        level = np.eye(3)
    new_from_old = level.T @ turn
    return SE3(new_from_old, -new_from_old @ old_from_head.translation)


def up_from_accelerometer(
    times_ns: Ints,
    rotation: Floats,
    imu: ImuData,
    *,
    tracked: Bools,
    position: Floats | None = None,
) -> Floats | None:
    """Up ``(3,)`` in the world as the mean of specific force; None where the mean is no gravity.

    rotation ``(F,3,3)``: world_from_camera of frames at ``times_ns``. position ``(F,3)`` in metres,
    where they are known, takes out the mean acceleration; without, the head is taken to start and
    end at rest.
    """
    rows = np.flatnonzero(tracked)
    if len(rows) < 2 or times_ns[rows[-1]] - times_ns[rows[0]] < MIN_LEVEL_S * 1e9:
        return None
    moved = np.zeros(3)
    if position is not None:
        rows, moved = _mean_acceleration(times_ns, position, rows)
    source = imu.timestamps_ns.astype(np.float64)
    query = times_ns[rows].astype(np.float64)
    accel = np.stack([np.interp(query, source, imu.accel[:, k]) for k in range(3)], axis=1)
    force = np.einsum("nij,nj->ni", rotation[rows] @ imu.camera_from_imu.rotation, accel)
    mean = np.mean(force, axis=0) - moved
    length = float(np.linalg.norm(mean))
    return mean / length if abs(length - 9.81) < MAX_MEAN_OFF_M_S2 else None


def _mean_acceleration(times_ns: Ints, position: Floats, rows: Ints) -> tuple[Ints, Floats]:
    """Mean acceleration ``(3,)`` m/s² from the speeds at both ends, and the rows between them."""
    seconds = (times_ns[rows] - times_ns[rows[0]]) * 1e-9
    ends = [seconds <= END_S, seconds >= seconds[-1] - END_S]
    if min(int(end.sum()) for end in ends) < MIN_END_FRAMES:
        return rows, np.zeros(3)
    at = [float(seconds[end].mean()) for end in ends]
    speeds = [np.polyfit(seconds[end], position[rows[end]], 1)[0] for end in ends]
    between = rows[(seconds >= at[0]) & (seconds <= at[1])]
    return between, (speeds[1] - speeds[0]) / (at[1] - at[0])
