"""How sure bundle adjustment is of its poses."""

import numpy as np

from core.geometry.cameras import pinhole
from core.geometry.se3 import SE3
from slam.bundle import adjust, covariances
from slam.rays import rays_of
from slam.scene import Scene
from slam.tracks import Tracks

CAMERA = pinhole(500.0, (640, 480))
STEPS = np.arange(4)


def scene_with(far_m=None):
    """Four keyframes along x and forty points near by; one more at ``far_m``."""
    points = np.random.default_rng(5).uniform([-1, -1, 2], [1, 1, 4], (40, 3))
    if far_m:
        points = np.concatenate([points, [[0.1 * far_m, 0.0, far_m]]])
    eyes = np.stack([0.1 * STEPS, 0.0 * STEPS, 0.0 * STEPS], axis=-1)
    uv = np.concatenate([CAMERA.project(points - eye)[0] for eye in eyes])
    rays, rad_per_px, _ = rays_of(CAMERA, uv)
    frame, track = np.repeat(STEPS, len(points)), np.tile(np.arange(len(points)), len(STEPS))
    scene = Scene(Tracks(frame, track, uv, rays, rad_per_px, STEPS * 50_000_000))
    for step, eye in zip(STEPS, eyes, strict=True):
        scene.set_pose(int(step), SE3(np.eye(3), eye))
    scene.points[:], scene.known[:] = points, True
    return scene


def sigmas(scene):
    covariance = covariances(*adjust(scene, STEPS, sigma_px=1.0, rounds=1), STEPS)
    return np.sqrt(covariance[1:, range(6), range(6)])


def test_a_point_without_parallax_says_nothing_about_the_poses():
    np.testing.assert_allclose(sigmas(scene_with(1e7)), sigmas(scene_with()), rtol=1e-6)
