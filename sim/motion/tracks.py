"""Smooth motion as functions of time: minimum-jerk steps, band-limited noise, pose splines.

Every track can be evaluated at any time in seconds, so that cameras, inertial sensors and truth
sample the very same motion at their own instants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from core.geometry.rotations import mean_rotation
from core.geometry.se3 import SE3

Array = NDArray[np.float64]


def minimum_jerk(fraction: Array | float) -> Array:
    """Position along a rest-to-rest step, 0…1, for a fraction of its time (clipped to 0…1)."""
    s = np.clip(np.asarray(fraction, np.float64), 0.0, 1.0)
    return s * s * s * (10.0 - 15.0 * s + 6.0 * s * s)


@dataclass(frozen=True, eq=False)
class SmoothNoise:
    """A sum of sines: zero mean, band limited, the same for the same seed. D: dimensions.

    frequencies_hz, phases, amplitudes: (K, D).
    """

    frequencies_hz: Array
    phases: Array
    amplitudes: Array

    @classmethod
    def draw(
        cls, rng: np.random.Generator, band_hz: tuple[float, float], rms: float, *, dims: int = 3
    ) -> SmoothNoise:
        """Noise of a given root mean square per dimension inside a frequency band."""
        count = 6
        frequencies = rng.uniform(*band_hz, (count, dims))
        weights = rng.uniform(0.5, 1.0, (count, dims))
        weights *= rms * np.sqrt(2.0) / np.linalg.norm(weights, axis=0)
        return cls(frequencies, rng.uniform(0, 2 * np.pi, (count, dims)), weights)

    def at(self, seconds: Array) -> Array:
        """(T, D) at times (T,)."""
        angle = 2 * np.pi * seconds[:, None, None] * self.frequencies_hz + self.phases
        return np.sum(self.amplitudes * np.sin(angle), axis=1)


class PoseSpline:
    """A rigid body's motion as two quintic splines: position, and rotation vector about a mean.

    Exact derivatives give angular velocity and acceleration. Rotations must stay within about 150
    degrees of their mean.
    """

    def __init__(self, seconds: Array, world_from_body: SE3) -> None:
        rotation = world_from_body.rotation
        self._mean = mean_rotation(rotation)
        local = SE3(self._mean.T @ rotation, np.zeros((len(seconds), 3)))
        self._rotvec = make_interp_spline(seconds, local.to_vec6()[:, 3:], k=5)
        self._position = make_interp_spline(seconds, world_from_body.translation, k=5)

    def pose(self, seconds: Array) -> SE3:
        """world_from_body (T)."""
        vec6 = np.concatenate([np.zeros((len(seconds), 3)), self._rotvec(seconds)], axis=1)
        local = SE3.from_vec6(vec6)
        return SE3(self._mean @ local.rotation, self._position(seconds))

    def angular_velocity(self, seconds: Array) -> Array:
        """(T, 3) rad/s in the body's own axes."""
        phi, rate = self._rotvec(seconds), self._rotvec(seconds, 1)
        angle = np.linalg.norm(phi, axis=1)[:, None]
        small = angle < 1e-6
        safe = np.where(small, 1.0, angle)
        a = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
        b = np.where(small, 1.0 / 6.0, (safe - np.sin(safe)) / safe**3)
        first = np.cross(phi, rate)
        return rate - a * first + b * np.cross(phi, first)

    def angular_acceleration(self, seconds: Array) -> Array:
        """(T, 3) rad/s² in the body's own axes."""
        step = 1e-4
        ahead, behind = self.angular_velocity(seconds + step), self.angular_velocity(seconds - step)
        return (ahead - behind) / (2 * step)

    def velocity(self, seconds: Array) -> Array:
        """(T, 3) m/s in the world."""
        return np.asarray(self._position(seconds, 1))

    def acceleration(self, seconds: Array) -> Array:
        """(T, 3) m/s² in the world, gravity not included."""
        return np.asarray(self._position(seconds, 2))
