"""How far gyro and accelerometer are off in their axes and scales, and what that leaves in a map.

A gyro's nine figures would change what it felt of every turn. They are not estimated: where the
camera is calibrated less well than the gyro, that would bend the map. But how large they would come
out says how much such a sensor is to be believed.
"""

from typing import Any

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.imu.inertial import ImuData, integrate
from slam.map.bundle import POINT, POSE, WIDTHS
from slam.map.elimination import Points, linearised
from slam.map.marginal import left_over

# Before looking: 0.14°, between 1e-3 rad of a bench and 0.2° of data sheets' axis to frame, and as
# much of the scale; it counts as much as so many figures seen.
MOUNTING_SIGMA_RAD, SEEN_BEFORE = 2.5e-3, 3
FELT_ROWS, UNFELT_ROWS, LAST_ROWS = 15, 12, 12  # residuals of a graph, as `add_states` ends it
ROUNDS = 30


def mounting_sigma(graph: Any, values: Any, imu: ImuData, *, times_ns: Ints) -> float:
    """One standard deviation of how far axes lean (radians) and scales are off (shares).

    graph, values: of `visual_inertial.refine` at their best; its keyframes are at ``times_ns``.
    imu: without its gyro's bias.
    """
    linear = linearised(graph, values, widths=WIDTHS)
    told, turned = imu.told(times_ns), turned_by_axes(imu, times_ns)
    rows = np.where(told, FELT_ROWS, UNFELT_ROWS)
    first = len(linear.residual) - LAST_ROWS - rows.sum() + np.cumsum(rows) - rows
    poses = linear.columns(POSE)
    slope = np.zeros((len(linear.residual), 9))
    for k in np.flatnonzero(told):
        # feeling a turn go further is the same as its end being turned back (gtsam: rotation first)
        part, end = slice(first[k], first[k] + FELT_ROWS), slice(poses[k + 1], poses[k + 1] + 3)
        slope[part] = -(linear.jacobian[part, end] @ turned[k])
    points = Points.of(linear.jacobian, linear.columns(POINT))
    right = np.column_stack([slope, linear.residual]) * points.weight[:, None]
    total = right[:, :9].T @ left_over(points, right)
    return spread(total[:, :9], total[:, 9])


def spread(information: Floats, gradient: Floats) -> float:
    """The sigma that figures ``(9,)`` share which least squares knows so well: by expectation
    maximisation, begun and held by what is believed before looking."""
    variance = MOUNTING_SIGMA_RAD**2
    for _ in range(ROUNDS):
        covariance = np.linalg.inv(information + np.eye(9) / variance)
        seen = np.sum((covariance @ gradient) ** 2) + np.trace(covariance)
        variance = (SEEN_BEFORE * MOUNTING_SIGMA_RAD**2 + seen) / (SEEN_BEFORE + 9)
    return float(np.sqrt(variance))


def turned_by_axes(imu: ImuData, times_ns: Ints) -> Floats:
    """``(I,3,9)``: by how much the turn between neighbouring times grows, in the frame of its end,
    with the rows of a matrix that adds its share to the gyro's readings."""
    inside = (imu.timestamps_ns > times_ns[0]) & (imu.timestamps_ns < times_ns[-1])
    every = np.unique(np.concatenate([imu.timestamps_ns[inside], times_ns]))
    seconds, source = ((t - every[0]) * 1e-9 for t in (every, imu.timestamps_ns))
    rate = np.stack([np.interp(seconds, source, imu.gyro[:, k]) for k in range(3)], axis=1)
    rotation = integrate(imu, every).rotation
    grows = np.einsum("nij,nk->nijk", rotation, rate).reshape(-1, 3, 9)
    steps = (grows[1:] + grows[:-1]) / 2 * np.diff(seconds)[:, None, None]
    total = np.concatenate([np.zeros((1, 3, 9)), np.cumsum(steps, axis=0)])
    at = np.searchsorted(every, times_ns)
    return np.asarray(rotation[at[1:]].transpose(0, 2, 1) @ np.diff(total[at], axis=0))


def with_mounting(covariance: Floats, world_from_camera: SE3, *, sigma: float) -> Floats:
    """Keyframes' covariance ``(k,6,6)`` and what the sensors' own axes leave in their poses.

    No residual shows it. An accelerometer's tilted axes tilt the whole world, and what lies away
    from its origin moves with it; the turn about the vertical is not gravity's to tell. A gyro's
    leave a share of every turn, and one turned back leaves nothing.
    """
    away = world_from_camera.translation - world_from_camera.translation[0]
    by_tilt = np.zeros((len(away), 6, 3))
    by_tilt[:, :3] = np.eye(3)
    by_tilt[:, 3:] = -np.cross(away[:, None, :], np.eye(3)).swapaxes(1, 2)
    tilt = np.diag([sigma**2, sigma**2, 0.0])
    result = covariance + by_tilt @ tilt @ by_tilt.swapaxes(1, 2)
    rotation = world_from_camera.rotation
    turned = np.linalg.norm(rotvec_from_matrix(rotation[0].T @ rotation), axis=1)
    result[:, :3, :3] += (sigma * turned[:, None, None]) ** 2 * np.eye(3)
    return np.asarray(result)
