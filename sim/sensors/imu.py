"""What an inertial sensor on the head reads: the true motion, then the sensor's own errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.se3 import SE3
from sim.motion.tracks import PoseSpline
from sim.rig import ImuSpec

Array = NDArray[np.float64]

GRAVITY_M_S2 = 9.80665


@dataclass(frozen=True, eq=False)
class ImuReading:
    """seconds (N,); gyro_rad_s, accel_m_s2 (N, 3) as measured; gyro_bias, accel_bias (N, 3)."""

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


def read_imu(
    head: PoseSpline,
    head_from_imu: SE3,
    *,
    seconds: Array,
    spec: ImuSpec,
    quality: float,
    rng: np.random.Generator,
) -> ImuReading:
    """Sampled at ``seconds``; ``quality`` multiplies every error (0: perfect)."""
    gyro, accel = true_reading(head, head_from_imu, seconds)
    dt = 1.0 / spec.rate_hz
    parts = []
    for value, noise, walk, bias, limit in (
        (gyro, spec.gyro_noise, spec.gyro_walk, spec.gyro_bias, spec.gyro_range),
        (accel, spec.accel_noise, spec.accel_walk, spec.accel_bias, spec.accel_range),
    ):
        drift = rng.normal(0, walk * np.sqrt(dt), value.shape).cumsum(0)
        offset = quality * (rng.normal(0, bias, 3) + drift)
        shape = np.eye(3) + quality * np.diag(rng.normal(0, spec.scale, 3))
        shape += quality * rng.normal(0, spec.misalignment, (3, 3)) * (1 - np.eye(3))
        white = quality * rng.normal(0, noise / np.sqrt(dt), value.shape)
        measured = value @ shape.T + offset + white
        step = 2 * limit / 65536  # 16 bits
        parts.append((np.clip(np.round(measured / step) * step, -limit, limit), offset))
    (gyro_read, gyro_bias), (accel_read, accel_bias) = parts
    return ImuReading(seconds, gyro_read, accel_read, gyro_bias, accel_bias)
