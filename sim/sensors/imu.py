"""What an inertial sensor on the head reads: the true motion, then the sensor's own errors.

Readings come a part at a time, and may be asked for again: nothing of a take's length is kept.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.se3 import SE3
from sim.motion.tracks import PoseSpline
from sim.rig import ImuSpec

Array = NDArray[np.float64]

GRAVITY_M_S2 = 9.80665
PART = 6000  # readings at a time


@dataclass(frozen=True, eq=False)
class ImuReading:
    """N readings in a row, seconds (N,): gyro_rad_s, accel_m_s2 (N, 3) as measured; gyro_bias,
    accel_bias (N, 3).
    """

    seconds: Array
    gyro_rad_s: Array
    accel_m_s2: Array
    gyro_bias: Array
    accel_bias: Array


def true_reading(head: PoseSpline, head_from_imu: SE3, seconds: Array) -> tuple[Array, Array]:
    """(angular velocity, specific force), (N, 3) each, in the IMU's axes; world z is up."""
    rate = head.angular_velocity(seconds)
    turning = head.angular_acceleration(seconds)
    lever = head_from_imu.translation
    rotation = head.pose(seconds).rotation
    swing = np.cross(turning, lever) + np.cross(rate, np.cross(rate, lever))
    felt = head.acceleration(seconds) + np.array([0.0, 0.0, GRAVITY_M_S2])
    force = np.einsum("nji,nj->ni", rotation, felt) + swing
    return rate @ head_from_imu.rotation, force @ head_from_imu.rotation


@dataclass(frozen=True, eq=False)
class _Triad:
    """The errors of a gyro or an accelerometer during one take.

    walks, whites: generators that stand before all its steps of bias walk, all its white noise.
    bias: (3,) at switch-on.  shape: (3, 3), scale and misalignment.  walk, noise: one sigma of a
    step and of a reading.  limit: of its range.
    """

    walks: np.random.Generator
    whites: np.random.Generator
    bias: Array
    shape: Array
    walk: float
    noise: float
    limit: float
    quality: float

    @classmethod
    def draw(
        cls, sigmas: tuple[float, float, float], limit: float, *, spec: ImuSpec, quality: float,
        rng: np.random.Generator, count: int,
    ) -> _Triad:  # fmt: skip
        """sigmas: noise density, walk, bias.  count: of the take's readings."""
        density, walk, bias = sigmas
        dt = 1.0 / spec.rate_hz
        walks = _before(rng, count)
        at_first = rng.normal(0, bias, 3)
        shape = np.eye(3) + quality * np.diag(rng.normal(0, spec.scale, 3))
        shape += quality * rng.normal(0, spec.misalignment, (3, 3)) * (1 - np.eye(3))
        whites = _before(rng, count)
        steps = walk * np.sqrt(dt), density / np.sqrt(dt)
        return cls(walks, whites, at_first, shape, *steps, limit, quality)

    def again(self) -> _Triad:
        """The same errors from the beginning."""
        return replace(self, walks=copy.deepcopy(self.walks), whites=copy.deepcopy(self.whites))

    def read(self, true: Array, walked: Array) -> tuple[Array, Array, Array]:
        """(what it says of the next true values (N, 3), its bias (N, 3), where the walk got to).

        walked: (3,) where the walk of the bias was before.
        """
        drift = self.walks.normal(0, self.walk, true.shape)
        drift[0] += walked
        drift = drift.cumsum(0)
        offset = self.quality * (self.bias + drift)
        white = self.quality * self.whites.normal(0, self.noise, true.shape)
        measured = true @ self.shape.T + offset + white
        step = 2 * self.limit / 65536  # 16 bits
        told = np.clip(np.round(measured / step) * step, -self.limit, self.limit)
        return told, offset, drift[-1]


def _before(rng: np.random.Generator, count: int) -> np.random.Generator:
    """A generator about to draw (count, 3) normals; ``rng`` itself goes on after them."""
    before = copy.deepcopy(rng)
    for start in range(0, count, PART):
        rng.standard_normal((min(PART, count - start), 3))
    return before


class InertialSensor:
    """An inertial sensor through a take; `parts` gives the same readings every time.

    ``quality`` multiplies every error (0: perfect).  count: of its readings.
    """

    def __init__(
        self,
        head: PoseSpline,
        head_from_imu: SE3,
        *,
        span_s: tuple[float, float],
        spec: ImuSpec,
        quality: float,
        rng: np.random.Generator,
    ) -> None:
        self._head, self._head_from_imu = head, head_from_imu
        self._start_s = span_s[0]
        self._step_s = (span_s[0] + 1.0 / spec.rate_hz) - span_s[0]
        self.count = int(np.ceil((span_s[1] - span_s[0]) * spec.rate_hz))
        shared = {"spec": spec, "quality": quality, "rng": rng, "count": self.count}
        gyro = (spec.gyro_noise, spec.gyro_walk, spec.gyro_bias)
        accel = (spec.accel_noise, spec.accel_walk, spec.accel_bias)
        self._gyro = _Triad.draw(gyro, spec.gyro_range, **shared)  # type: ignore[arg-type]
        self._accel = _Triad.draw(accel, spec.accel_range, **shared)  # type: ignore[arg-type]

    def parts(self) -> Iterator[ImuReading]:
        """Every reading in order, `PART` at a time."""
        triads = [self._gyro.again(), self._accel.again()]
        walked = [np.zeros(3), np.zeros(3)]
        for start in range(0, self.count, PART):
            index = np.arange(start, min(start + PART, self.count))
            seconds = self._start_s + index * self._step_s
            told, biases = [], []
            true = true_reading(self._head, self._head_from_imu, seconds)
            for k, (triad, values) in enumerate(zip(triads, true, strict=True)):
                measured, bias, walked[k] = triad.read(values, walked[k])
                told.append(measured)
                biases.append(bias)
            yield ImuReading(seconds, *told, *biases)
