"""A made world with exact answers: points in a room, a smooth head path, an IMU. No renderer."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from core.geometry.cameras import pinhole
from core.geometry.rotations import matrix_from_rotvec, matrix_from_ypr, rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.imu.inertial import ImuData
from slam.sight.rays import rays_of
from slam.sight.tracks import Tracks

CAMERA = pinhole(460.0, (640, 480))
WORLD_FROM_LEVEL_CAMERA = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # looks along world x
GYRO_BIAS, ACCEL_BIAS = np.array([0.01, -0.02, 0.015]), np.array([0.08, -0.05, 0.1])
CAMERA_FROM_IMU = SE3(matrix_from_rotvec([0.1, -1.2, 0.3]), np.array([0.03, -0.02, 0.05]))


@dataclass(frozen=True)
class Motion:
    """Amplitudes of a swaying head: metres and radians. haste: how much faster it turns."""

    sway_m: float = 0.3
    turn_rad: float = 0.3
    haste: float = 1.0

    def pose(self, t):
        """world_from_camera at seconds ``(N,)``."""
        t = np.asarray(t, float)
        position = self.sway_m * np.stack(
            [np.sin(1.9 * t), np.sin(2.6 * t + 1), 0.6 * np.sin(2.2 * t + 2)], axis=-1
        )
        k = self.haste * t
        turn = matrix_from_ypr(
            self.turn_rad * np.sin(0.9 * k), self.turn_rad * 0.4 * np.sin(1.3 * k), 0.1 * np.sin(k)
        )
        return SE3(turn @ WORLD_FROM_LEVEL_CAMERA, position)


@dataclass(frozen=True, eq=False)
class World:
    """points ``(P,3)``; frames at 20 Hz; exact poses; the tracks and IMU samples made of them."""

    truth: SE3
    tracks: Tracks
    imu: ImuData


def see(truth, times_ns, points, rng, *, noise_px=0.3, blind=()):
    """Tracks of the points; a point that leaves the view comes back under another id."""
    seen = np.zeros((len(times_ns), len(points)), bool)
    uv = np.zeros((len(times_ns), len(points), 2))
    for k in range(len(times_ns)):
        in_camera = truth[k].inverse().apply(points)
        uv[k], valid = CAMERA.project(in_camera)
        seen[k] = valid & CAMERA.in_image(uv[k]) & (in_camera[:, 2] > 0.3)
    seen[list(blind)] = False
    visit = np.cumsum(np.diff(seen.astype(int), axis=0, prepend=0) == 1, axis=0)
    frame, point = np.nonzero(seen)
    track = point + len(points) * visit[frame, point]
    order = np.lexsort((track, frame))
    frame, point, track = frame[order], point[order], track[order]
    pixels = uv[frame, point] + rng.normal(0, noise_px, (len(frame), 2))
    rays, rad_per_px, _ = rays_of(CAMERA, pixels)
    return Tracks(frame, track, pixels, rays, rad_per_px, times_ns)


def feel(motion, times_s, start_ns):
    """Exact inertial samples at 200 Hz over these times, with constant biases."""
    t = np.arange(times_s[0] - 0.02, times_s[-1] + 0.02, 0.005)
    h = 1e-4
    before, here, after = (motion.pose(t + k * h) @ CAMERA_FROM_IMU for k in (-1, 0, 1))
    accel = (before.translation - 2 * here.translation + after.translation) / h**2
    gyro = rotvec_from_matrix(before.rotation.transpose(0, 2, 1) @ after.rotation) / (2 * h)
    force = np.einsum("nji,nj->ni", here.rotation, accel + np.array([0, 0, 9.81]))
    stamps = start_ns + np.rint(t * 1e9).astype(np.int64)
    return ImuData(
        stamps, gyro + GYRO_BIAS, force + ACCEL_BIAS, CAMERA_FROM_IMU,
        gyro_noise=1e-4, accel_noise=1e-3,
    )  # fmt: skip


@pytest.fixture
def make_world():
    """Builds a World: ``make_world(Motion(), seconds=4.0)``."""

    def make(motion, *, seconds=4.0, blind=(), seed=1, noise_px=0.3):
        rng = np.random.default_rng(seed)
        points = rng.uniform([1.0, -3, -2], [5, 3, 2], (700, 3))
        times_s = np.arange(0, seconds, 0.05)
        times_ns = 5_000_000_000 + np.rint(times_s * 1e9).astype(np.int64)
        truth = motion.pose(times_s)
        tracks = see(truth, times_ns, points, rng, noise_px=noise_px, blind=blind)
        return World(truth, tracks, feel(motion, times_s, 5_000_000_000))

    return make


@pytest.fixture
def look():
    """`see`, for a second camera in the same world."""
    return see


@pytest.fixture
def motion():
    """The default head motion; ``replace(motion, sway_m=0)`` for others."""
    return Motion()


@pytest.fixture
def still(motion):
    """A camera on a table."""
    return replace(motion, sway_m=0.0, turn_rad=0.0)
