"""How sure bundle adjustment is of its poses."""

import numpy as np

from core.geometry.cameras import pinhole
from core.geometry.se3 import SE3
from slam.map.bundle import POINT, POSE, _dense_covariances, adjust, covariances, load_gtsam
from slam.map.scene import Scene
from slam.sight.rays import rays_of
from slam.sight.tracks import Tracks

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


def test_a_point_without_parallax_still_holds_the_turns():
    """Its depth is eliminated by hand: gtsam can do that 1 km away, but not 10,000 km away."""
    endless, without = sigmas(scene_with(1e7)), sigmas(scene_with())
    np.testing.assert_allclose(endless[:, 0], sigmas(scene_with(1e3))[:, 0], rtol=1e-2)
    assert (endless[:, 0] < 0.9 * without[:, 0]).all()
    assert (endless < 1.001 * without).all()


def test_points_eliminated_by_hand_give_the_same_covariance():
    scene = scene_with()
    graph, values = adjust(scene, STEPS, sigma_px=1.0, rounds=1)
    keys = [load_gtsam().symbol(POSE, int(k)) for k in STEPS]
    marginals = load_gtsam().Marginals(graph, values)
    known = np.stack([marginals.marginalCovariance(key) for key in keys])
    found = _dense_covariances(graph, values, keys)
    np.testing.assert_allclose(found[1:], known[1:], rtol=1e-3, atol=1e-3 * known[1:].max())


def test_a_point_at_a_camera_drowns_nobody():
    """Its slopes are a million times the others': what is left of them is rounding."""
    keys = [load_gtsam().symbol(POSE, int(k)) for k in STEPS]
    known = _dense_covariances(*adjust(scene_with(), STEPS, sigma_px=1.0, rounds=1), keys)
    graph, values = adjust(scene_with(8.0), STEPS, sigma_px=1.0, rounds=1)
    at_eye = values.atPose3(keys[1]).translation() + np.array([0.0, 0.0, 3e-6])
    values.update(load_gtsam().symbol(POINT, 40), at_eye)
    found = _dense_covariances(graph, values, keys)
    assert np.linalg.eigvalsh(found).min() > 0
    np.testing.assert_allclose(found[1:], known[1:], atol=0.02 * known[1:].max())
