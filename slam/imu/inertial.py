"""Inertial measurements between keyframes: preintegration, and the linear start of visual-inertial
estimation (gyro bias, scale, gravity, velocities, accelerometer bias).

Convention: specific force ``accel = Rᵀ (a - g)`` with g pointing down; bias is added by the sensor.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3

GRAVITY_M_S2 = 9.81
ACCEL_BIAS_SIGMA = 0.2  # m/s², what an unknown accelerometer may be off by
GYRO_BIAS_SIGMA = 0.05  # rad/s
LONGEST_STEP_NS = 50_000_000  # samples further apart leave a hole
# Carried on for longer an IMU is metres off: it tells nothing, and its equations, linear in what
# they are to find, keep an adjustment from moving at all.
LONGEST_RUN_NS = 5_000_000_000
UNFELT_M_S_SQRTS = 10.0  # accelerometer noise in a hole: it tells nothing


@dataclass(frozen=True, eq=False)
class ImuData:
    """M samples of one IMU and how it sits on the camera.

    timestamps_ns ``(M,)`` rising; gyro ``(M,3)`` rad/s; accel ``(M,3)`` m/s² specific force. Noise
    densities per root hertz, bias walks likewise, as in Kalibr's convention.
    """

    timestamps_ns: Ints
    gyro: Floats
    accel: Floats
    camera_from_imu: SE3
    gyro_noise: float = 1e-3
    gyro_walk: float = 2e-5
    accel_noise: float = 1e-2
    accel_walk: float = 1e-3

    def without_bias(self, gyro_bias: Floats, accel_bias: Floats) -> "ImuData":
        """The same samples with these biases taken off."""
        return replace(self, gyro=self.gyro - gyro_bias, accel=self.accel - accel_bias)

    def told(self, timestamps_ns: Ints) -> Bools:
        """``(Q-1,)`` between which neighbours of these rising times there are samples all along,
        and no more than `LONGEST_RUN_NS`.

        Where there are none, before the first, after the last or in a hole, the values that
        `integrate` interpolates mean nothing.
        """
        return self._whole(timestamps_ns) & (np.diff(timestamps_ns) <= LONGEST_RUN_NS)

    def covers(self, timestamps_ns: Ints) -> bool:
        """Whether there are samples, without holes, all along these times."""
        return len(timestamps_ns) > 0 and bool(self._whole(timestamps_ns).all())

    def _whole(self, timestamps_ns: Ints) -> Bools:
        times = self.timestamps_ns
        step_ns = np.diff(times)
        at = np.flatnonzero(step_ns > LONGEST_STEP_NS)
        ends = [times[:1] - LONGEST_STEP_NS, times[at + 1], [np.iinfo(np.int64).max]]
        starts = [[np.iinfo(np.int64).min], times[at], times[-1:] + LONGEST_STEP_NS]
        hole_starts, hole_ends = np.concatenate(starts), np.concatenate(ends)
        following = np.searchsorted(hole_ends, timestamps_ns[:-1], side="right")
        return np.asarray(hole_starts[following] >= timestamps_ns[1:])


@dataclass(frozen=True, eq=False)
class Integrated:
    """Free integration from the first query time on, in the IMU frame of that time, no gravity.

    rotation ``(Q,3,3)``, velocity ``(Q,3)``, position ``(Q,3)``; by_bias: ``(Q,3,3)`` integrals of
    the rotation, once and twice: how velocity and position fall with the accelerometer bias.
    """

    times_s: Floats
    rotation: Floats
    velocity: Floats
    position: Floats
    velocity_by_bias: Floats
    position_by_bias: Floats


def integrate(imu: ImuData, query_ns: Ints) -> Integrated:
    """Dead reckoning through all query times (rising), trapezoidal, samples interpolated there."""
    inside = (imu.timestamps_ns > query_ns[0]) & (imu.timestamps_ns < query_ns[-1])
    times = np.unique(np.concatenate([imu.timestamps_ns[inside], query_ns]))
    seconds = (times - query_ns[0]) * 1e-9
    source = (imu.timestamps_ns - query_ns[0]) * 1e-9
    gyro, accel = (
        np.stack([np.interp(seconds, source, signal[:, k]) for k in range(3)], axis=1)
        for signal in (imu.gyro, imu.accel)
    )
    step = np.diff(seconds)[:, None]
    turns = matrix_from_rotvec((gyro[1:] + gyro[:-1]) / 2 * step)
    rotation = np.empty((len(times), 3, 3))
    rotation[0] = np.eye(3)
    for k, turn in enumerate(turns):
        rotation[k + 1] = rotation[k] @ turn
    velocity, position = twice(np.einsum("nij,nj->ni", rotation, accel), step)
    by_velocity, by_position = twice(-rotation.reshape(-1, 9), step)
    at = np.searchsorted(times, query_ns)
    return Integrated(
        seconds[at],
        rotation[at],
        velocity[at],
        position[at],
        by_velocity[at].reshape(-1, 3, 3),
        by_position[at].reshape(-1, 3, 3),
    )


def twice(rate: Floats, step: Floats) -> tuple[Floats, Floats]:
    """First and second integral of rows of a rate that is linear within every step."""
    zero = np.zeros((1, rate.shape[1]))
    once = np.concatenate([zero, np.cumsum((rate[1:] + rate[:-1]) / 2 * step, axis=0)])
    within = once[:-1] * step + (2 * rate[:-1] + rate[1:]) / 6 * step**2
    return once, np.concatenate([zero, np.cumsum(within, axis=0)])


@dataclass(frozen=True, eq=False)
class Deltas:
    """Motion between neighbouring query times, each in the IMU frame of its start. I intervals.

    seconds ``(I,)``; rotation ``(I,3,3)``; velocity, position ``(I,3)``; *_by_bias ``(I,3,3)``.
    """

    seconds: Floats
    rotation: Floats
    velocity: Floats
    position: Floats
    velocity_by_bias: Floats
    position_by_bias: Floats


def deltas(path: Integrated) -> Deltas:
    """Cut free integration into intervals."""
    seconds = np.diff(path.times_s)
    back = path.rotation[:-1].transpose(0, 2, 1)
    dt = seconds[:, None]
    velocity = np.diff(path.velocity, axis=0)
    position = np.diff(path.position, axis=0) - path.velocity[:-1] * dt
    velocity_by = np.diff(path.velocity_by_bias, axis=0)
    position_by = (
        np.diff(path.position_by_bias, axis=0) - path.velocity_by_bias[:-1] * dt[..., None]
    )
    return Deltas(
        seconds,
        back @ path.rotation[1:],
        np.einsum("nij,nj->ni", back, velocity),
        np.einsum("nij,nj->ni", back, position),
        back @ velocity_by,
        back @ position_by,
    )


def gyro_bias(imu: ImuData, times_ns: Ints, world_from_imu: Floats) -> Floats:
    """Constant gyro bias ``(3,)`` that makes gyro and camera rotations ``(K,3,3)`` agree."""
    bias = np.zeros(3)
    seen = world_from_imu[:-1].transpose(0, 2, 1) @ world_from_imu[1:]
    for _ in range(3):
        turned = deltas(integrate(imu.without_bias(bias, np.zeros(3)), times_ns))
        off = rotvec_from_matrix(turned.rotation.transpose(0, 2, 1) @ seen)
        rate = off / turned.seconds[:, None]
        weight = turned.seconds / (1 + (np.linalg.norm(off, axis=1) / 0.02) ** 2)
        weight = weight * imu.told(times_ns)
        # a bias b turns the interval by -b dt, to first order
        bias = bias - np.average(rate, axis=0, weights=weight)
    return bias


@dataclass(frozen=True, eq=False)
class Start:
    """The linear solution, in the vision frame. gravity ``(3,)`` points down; velocities
    ``(K,3)``.
    """

    scale: float
    scale_sigma: float  # relative
    gravity: Floats
    accel_bias: Floats
    gyro_bias: Floats
    velocities: Floats


def linear_start(imu: ImuData, times_ns: Ints, world_from_camera: SE3) -> Start | None:
    """Scale, gravity, velocities and biases from up-to-scale camera poses ``(K,)``; |g| is known.

    None where the equations give no positive scale.
    """
    world_from_imu = world_from_camera.rotation @ imu.camera_from_imu.rotation
    lever = world_from_camera.rotate(np.tile(imu.camera_from_imu.translation, (len(times_ns), 1)))
    bias = gyro_bias(imu, times_ns, world_from_imu)
    moved = deltas(integrate(imu.without_bias(bias, np.zeros(3)), times_ns))
    problem = _Linear(
        moved,
        imu,
        rotation=world_from_imu,
        position=world_from_camera.translation,
        lever=lever,
        told=imu.told(times_ns),
    )
    solution, covariance = problem.solve(None)
    for _ in range(5):
        solution, covariance = problem.solve(solution[1:4])
    scale = float(solution[0])
    if not np.isfinite(scale) or scale <= 0:
        return None
    sigma = float(np.sqrt(max(covariance, 0))) / scale
    return Start(scale, sigma, solution[1:4], solution[4:7], bias, solution[7:].reshape(-1, 3))


class _Linear:
    """Least squares in [scale, gravity 3, accelerometer bias 3, velocities 3K]."""

    def __init__(
        self,
        moved: Deltas,
        imu: ImuData,
        *,
        rotation: Floats,
        position: Floats,
        lever: Floats,
        told: Bools,
    ) -> None:
        n, dt = len(moved.seconds), moved.seconds[:, None, None]
        eye = np.broadcast_to(np.eye(3), (n, 3, 3))
        start = rotation[:-1]
        noise = np.where(told, imu.accel_noise, UNFELT_M_S_SQRTS)
        sigma_v = noise * np.sqrt(moved.seconds) + 1e-3
        sigma_p = sigma_v * moved.seconds / np.sqrt(3) + 2e-3
        columns = 7 + 3 * (n + 1)
        parts: list[tuple[Floats, Ints, Ints]] = []
        rows = np.arange(3 * n).reshape(n, 3)

        def put(block: Floats, row: Ints, column: Ints) -> None:
            r = np.broadcast_to(row[:, :, None], block.shape)
            c = np.broadcast_to(column[:, None, :], block.shape)
            parts.append((block.ravel(), r.ravel(), c.ravel()))

        def col(first: int, width: int) -> Ints:
            return np.broadcast_to(first + np.arange(width), (n, width))

        v_i = 7 + np.arange(3 * n).reshape(n, 3)
        w_v, w_p = (1 / s[:, None, None] for s in (sigma_v, sigma_p))
        in_world_v = (start @ moved.velocity[..., None])[..., 0]
        in_world_p = (start @ moved.position[..., None])[..., 0]
        put(-eye * dt * w_v, rows, col(1, 3))
        put(-(start @ moved.velocity_by_bias) * w_v, rows, col(4, 3))
        put(-eye * w_v, rows, v_i)
        put(eye * w_v, rows, v_i + 3)
        below = rows + 3 * n
        put(np.diff(position, axis=0)[..., None] * w_p, below, col(0, 1))
        put(-eye * dt**2 / 2 * w_p, below, col(1, 3))
        put(-(start @ moved.position_by_bias) * w_p, below, col(4, 3))
        put(-eye * dt * w_p, below, v_i)
        prior = np.full(3, 1 / ACCEL_BIAS_SIGMA)
        parts.append((prior, 6 * n + np.arange(3), 4 + np.arange(3)))
        value, row, column = (np.concatenate([p[k] for p in parts]) for k in range(3))
        self._matrix = coo_matrix((value, (row, column)), shape=(6 * n + 3, columns)).tocsc()
        self._right = np.concatenate([
            (in_world_v * w_v[..., 0]).ravel(),
            ((in_world_p - np.diff(lever, axis=0)) * w_p[..., 0]).ravel(),
            np.zeros(3),
        ])
        self._columns = columns

    def solve(self, gravity: Floats | None) -> tuple[Floats, float]:
        """Solution and the variance of the scale. gravity: the last one, to hold its length."""
        if gravity is None:
            basis, offset = np.eye(3), np.zeros(3)
        else:
            down = gravity / np.linalg.norm(gravity)
            basis, offset = np.linalg.svd(down[None])[2][1:].T, GRAVITY_M_S2 * down
        k = basis.shape[1]
        rest = self._columns - 7
        value = [np.ones(1), basis.ravel(), np.ones(3 + rest)]
        row = [np.zeros(1), 1 + np.repeat(np.arange(3), k), np.arange(4, self._columns)]
        column = [np.zeros(1), 1 + np.tile(np.arange(k), 3), 1 + k + np.arange(3 + rest)]
        reduce = coo_matrix(
            (np.concatenate(value), (np.concatenate(row), np.concatenate(column))),
            shape=(self._columns, self._columns - 3 + k),
        ).tocsc()
        matrix = self._matrix @ reduce
        right = self._right - self._matrix[:, 1:4] @ offset
        normal = splu((matrix.T @ matrix).tocsc())
        short = normal.solve(matrix.T @ right)
        first = np.zeros(len(short))
        first[0] = 1.0
        variance = float(normal.solve(first)[0])
        solution = reduce @ short
        solution[1:4] += offset
        return solution, variance
