"""How far gyro and accelerometer are off in their axes and scales, and what that leaves in a map.

Nine figures each change what was felt of every turn and every push; at rest an accelerometer's go
with its bias, but a head that leans moves gravity from one axis to another, which passes for
acceleration and bends the scale. They are not estimated: where the camera is calibrated less well
than the sensors, that would bend the map. But how large the gyro's would come out says how much
such sensors are to be believed, and how the map would move with them is part of its covariance.
"""

from dataclasses import dataclass
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
    felt = felt_by_axes(imu, times_ns)
    slope = _slopes(linear, imu, felt, times_ns=times_ns, rotation=world_from_imu.rotation)
    points = Points.of(linear.jacobian, linear.columns(POINT))
    right = np.column_stack([slope, linear.residual]) * points.weight[:, None]
    left, moved = eliminated(points, right)
    seen = right[:, :9].T @ left
    first = np.searchsorted(points.others, linear.columns(POSE))
    bent = moved[first[:, None] + np.arange(6), :18].reshape(-1, 2, 3, 18)
    in_world = world_from_imu.rotation[:, None] @ bent
    return in_world.reshape(-1, 6, 18), spread(seen[:, :9], seen[:, 18])


def _slopes(
    linear: Linear, imu: ImuData, felt: "Felt", *, times_ns: Ints, rotation: Floats
) -> Floats:
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
        end_from_start = rotation[k + 1].T @ rotation[k]
        slope[part] -= by_turn @ felt.turned[k]
        slope[part] -= by_shift @ (end_from_start @ felt.shifted[k])
        slope[part] -= by_speed @ (rotation[k] @ felt.sped[k])
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
    """How what is felt between neighbouring times grows with 18 figures: the rows of two matrices
    that add their share to the gyro's readings and to the accelerometer's. I intervals.

    turned ``(I,3,18)``: in the frame of the end.   sped, shifted ``(I,3,18)``: of the start.
    """

    turned: Floats
    sped: Floats
    shifted: Floats


def felt_by_axes(imu: ImuData, times_ns: Ints) -> Felt:
    """Between the rising times."""
    inside = (imu.timestamps_ns > times_ns[0]) & (imu.timestamps_ns < times_ns[-1])
    every = np.unique(np.concatenate([imu.timestamps_ns[inside], times_ns]))
    seconds, source = ((t - every[0]) * 1e-9 for t in (every, imu.timestamps_ns))
    rate, force = (
        np.stack([np.interp(seconds, source, signal[:, k]) for k in range(3)], axis=1)
        for signal in (imu.gyro, imu.accel)
    )
    rotation, step = integrate(imu, every).rotation, np.diff(seconds)[:, None]
    turns, pushes = (
        np.einsum("nij,nk->nijk", rotation, felt).reshape(-1, 3, 9) for felt in (rate, force)
    )
    turned = twice(turns.reshape(-1, 27), step)[0].reshape(-1, 3, 9)
    at = np.searchsorted(every, times_ns)
    start, end = at[:-1], at[1:]
    # a turn felt wrongly on the way turns every push that is felt after it
    aside = np.cross(np.eye(3), (rotation @ force[..., None])[..., 0][:, None]).swapaxes(1, 2)
    since = np.concatenate([aside @ turned, pushes, aside], axis=2)
    once, again = (total.reshape(-1, 3, 21) for total in twice(since.reshape(-1, 63), step))
    lasting = (seconds[end] - seconds[start])[:, None, None]
    sped, shifted = once[end] - once[start], again[end] - again[start] - once[start] * lasting
    to_start, to_end = (rotation[rows].transpose(0, 2, 1) for rows in (start, end))

    def grown(total: Floats) -> Floats:
        by_turn = total[:, :, :9] - total[:, :, 18:] @ turned[start]
        return np.concatenate([to_start @ by_turn, to_start @ total[:, :, 9:18]], axis=2)

    by_gyro = to_end @ (turned[end] - turned[start])
    return Felt(np.pad(by_gyro, ((0, 0), (0, 0), (0, 9))), grown(sped), grown(shifted))
