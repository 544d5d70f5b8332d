"""How far gyro and accelerometer are off in their axes and scales, and what that leaves in a map.

Nine figures each change what was felt of every turn and every push; at rest an accelerometer's go
with its bias, but a head that leans moves gravity from one axis to another, which passes for
acceleration and bends the scale. They are not estimated: where the camera is calibrated less well
than the sensors, that would bend the map. But how large the gyro's would come out says how much
such sensors are to be believed, and how the map would move with them is part of its covariance.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.se3 import SE3
from slam.imu.inertial import ImuData, integrate, twice
from slam.map.bundle import POINT, POSE, VELOCITY, WIDTHS
from slam.map.elimination import Linear, Points, linearised
from slam.map.marginal import eliminated

# Before looking: 0.14°, between 1e-3 rad of a bench and 0.2° of data sheets' axis to frame, and as
# much of the scale; it counts as much as so many figures seen.
MOUNTING_SIGMA_RAD, SEEN_BEFORE = 2.5e-3, 3
FELT_ROWS, UNFELT_ROWS, LAST_ROWS = 15, 12, 12  # residuals of a graph, as `add_states` ends it
ROUNDS = 30


def bent_by_axes(
    graph: Any, values: Any, imu: ImuData, *, times_ns: Ints, world_from_imu: SE3
) -> tuple[Floats, float]:
    """How keyframes' poses (rotation, translation along the world's axes) move with the gyro's nine
    figures and the accelerometer's, ``(k,6,18)``, and the sigma of such a figure.

    graph, values: of `visual_inertial.refine` at their best; its keyframes ``(k,)`` are at
    ``times_ns``.   imu: without its gyro's bias.
    """
    linear = linearised(graph, values, widths=WIDTHS)
    slope = _slopes(linear, imu, times_ns=times_ns, rotation=world_from_imu.rotation)
    points = Points.of(linear.jacobian, linear.columns(POINT))
    right = np.column_stack([slope, linear.residual]) * points.weight[:, None]
    left, moved = eliminated(points, right)
    seen = right[:, :9].T @ left
    first = np.searchsorted(points.others, linear.columns(POSE))
    bent = moved[first[:, None] + np.arange(6), :18].reshape(-1, 2, 3, 18)
    in_world = world_from_imu.rotation[:, None] @ bent
    return in_world.reshape(-1, 6, 18), spread(seen[:, :9], seen[:, 18])


def _slopes(linear: Linear, imu: ImuData, *, times_ns: Ints, rotation: Floats) -> Floats:
    """``(m,18)`` how residuals grow with the gyro's nine figures, then the accelerometer's.

    Feeling a turn or a push go further is the same as its end being turned or moved back.
    """
    told = imu.told(times_ns)
    rows = np.where(told, FELT_ROWS, UNFELT_ROWS)
    first = len(linear.residual) - LAST_ROWS - rows.sum() + np.cumsum(rows) - rows
    poses, velocities = linear.columns(POSE), linear.columns(VELOCITY)
    slope = np.zeros((len(linear.residual), 18))
    for k in np.flatnonzero(told):
        part, pose, speed = slice(first[k], first[k] + FELT_ROWS), poses[k + 1], velocities[k + 1]
        by_turn, by_shift, by_speed = (  # gtsam: rotation first, a shift along the body's own axes
            linear.jacobian[part, column : column + 3] for column in (pose, pose + 3, speed)
        )
        felt = felt_by_axes(imu, (times_ns[k], times_ns[k + 1]))
        end_from_start = rotation[k + 1].T @ rotation[k]
        slope[part] -= by_turn @ felt.turned + by_shift @ (end_from_start @ felt.shifted)
        slope[part] -= by_speed @ (rotation[k] @ felt.sped)
    return slope


def spread(information: Floats, gradient: Floats) -> float:
    """The sigma that figures ``(9,)`` share which least squares knows so well: by expectation
    maximisation, begun and held by what is believed before looking."""
    variance = MOUNTING_SIGMA_RAD**2
    for _ in range(ROUNDS):
        covariance = np.linalg.inv(information + np.eye(9) / variance)
        seen = np.sum((covariance @ gradient) ** 2) + np.trace(covariance)
        variance = (SEEN_BEFORE * MOUNTING_SIGMA_RAD**2 + seen) / (SEEN_BEFORE + 9)
    return float(np.sqrt(variance))


@dataclass(frozen=True, eq=False)
class Felt:
    """How what is felt between two times grows with 18 figures: the rows of two matrices that add
    their share to the gyro's readings and to the accelerometer's.

    turned ``(3,18)``: in the frame of the end.   sped, shifted ``(3,18)``: of the start.
    """

    turned: Floats
    sped: Floats
    shifted: Floats


def felt_by_axes(imu: ImuData, span_ns: tuple[int, int]) -> Felt:
    """From the first time to the second."""
    first, last = np.searchsorted(imu.timestamps_ns, span_ns)
    part = slice(max(first - 1, 0), last + 1)
    stamps, gyro, accel = imu.timestamps_ns[part], imu.gyro[part], imu.accel[part]
    every = np.unique([*span_ns, *stamps[(stamps > span_ns[0]) & (stamps < span_ns[1])]])
    seconds, source = ((times - span_ns[0]) * 1e-9 for times in (every, stamps))
    near = replace(imu, timestamps_ns=stamps, gyro=gyro, accel=accel)
    rotation, step = integrate(near, every).rotation, np.diff(seconds)[:, None]
    turns, pushes = (
        np.einsum("nij,kn->nijk", rotation, [np.interp(seconds, source, axis) for axis in felt.T])
        for felt in (gyro, accel)
    )
    turned = twice(turns.reshape(-1, 27), step)[0].reshape(-1, 3, 9)
    # a turn felt wrongly on the way turns every push that is felt after it
    force = np.einsum("nijj->ni", pushes)
    aside = np.cross(np.eye(3), force[:, None]).swapaxes(1, 2)
    both = np.concatenate([aside @ turned, pushes.reshape(-1, 3, 9)], axis=2)
    sped, shifted = (total[-1].reshape(3, 18) for total in twice(both.reshape(-1, 54), step))
    return Felt(np.pad(rotation[-1].T @ turned[-1], ((0, 0), (0, 9))), sped, shifted)
