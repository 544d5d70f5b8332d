"""Depth as a camera reads it: true where it reads, with its noise, and holes where they belong."""

import numpy as np
import pytest

from core.geometry.cameras import camera_from_dict
from core.geometry.rotations import quat_wxyz_from_matrix
from sim.motion.head import look_at
from sim.rig import DepthSpec, find_rig
from sim.scene.model import CameraMount, SceneLook, SceneModel
from sim.scene.render import Renderer
from sim.sensors.depth import DepthSensor, shadowed

FOCAL = 190.0


def _read(depth, *, quality=1.0, seed=0):
    sensor = DepthSensor(DepthSpec(), FOCAL)
    return sensor.read(
        np.asarray(depth, np.float32), quality=quality, rng=np.random.default_rng(seed)
    )


@pytest.mark.parametrize("distance", [0.4, 1.5])
def test_noise_grows_with_the_square_of_the_distance(distance):
    spec = DepthSpec()
    levels = _read(np.full((240, 320), distance))
    seen = levels[levels > 0] * spec.unit_m
    assert 0.9 < len(seen) / levels.size < 1.0
    step = 1 / spec.steps_per_px
    pixels = np.hypot(spec.subpixel, step / np.sqrt(12))
    expected = distance**2 / (FOCAL * spec.baseline_m) * pixels
    assert seen.std() == pytest.approx(expected, rel=0.15)
    assert seen.mean() == pytest.approx(distance, rel=0.01)


def test_a_perfect_camera_is_true_to_the_level_and_blind_out_of_range():
    depth = np.linspace(0.05, 7.0, 240 * 320).reshape(240, 320)
    levels = _read(depth, quality=0.0)
    inside = (depth > 0.13) & (depth < 5.9)
    assert np.abs(levels[inside] * 0.001 - depth[inside]).max() <= 0.00051
    assert not levels[(depth < 0.11) | (depth > 6.1)].any()


def test_the_second_imager_is_blind_beside_something_near():
    """A post before a wall: the blind strip is as wide as the difference of the disparities."""
    disparity = np.full((4, 200), 5.0)
    disparity[:, 100:120] = 25.0
    blind = np.flatnonzero(shadowed(disparity)[0])
    assert blind.min() == pytest.approx(80, abs=1)
    assert blind.max() == 99
    assert not shadowed(np.full((4, 200), 5.0)).any()


@pytest.mark.usefixtures("can_draw")
def test_drawn_depth_is_the_distance_along_the_axis():
    """A plain table top seen from above at a slant: where each ray meets it is known."""
    camera = camera_from_dict(find_rig("rgbd").spec("head_depth").camera().to_dict())
    mounts = [CameraMount("head_depth", 2 * np.arctan(120 / camera.focal_px))]
    look = SceneLook(0, 0, 0.74, (0.0, 0.0, -1.0), 1.0)
    scene = SceneModel(look, things=(), cameras=mounts, image_wh=camera.size_wh)
    eye = np.array([0.1, 0.0, 0.45])
    rotation = look_at(eye[None], np.array([[0.35, 0.0, 0.0]]))[0]
    scene.place("head_depth_camera", eye, quat_wxyz_from_matrix(rotation))
    scene.settle()
    with Renderer(scene, camera.size_wh) as renderer:
        depth = renderer.depth("head_depth")
    for pixel in ((160, 120), (40, 60), (280, 200), (159, 70)):
        ray, _ = camera.unproject(np.array(pixel, float))
        down = (rotation @ ray)[2]
        reach = -eye[2] / down * ray[2]
        assert depth[pixel[1], pixel[0]] == pytest.approx(reach, rel=0.01)
