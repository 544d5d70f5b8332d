"""Rolling shutter, lens distortion and blur."""

import numpy as np
import pytest

from core.geometry.cameras import camera_from_dict
from core.geometry.rotations import matrix_from_rotvec
from sim.rig import find_rig
from sim.sensors.lens import Lens, SensorNoise


def _camera(k1: float = 0.0):
    params = [320.0, 320.0, 319.5, 239.5, k1, 0.0, 0.0, 0.0]
    return camera_from_dict({"model": "pinhole_radtan", "params": params, "size_wh": [640, 480]})


def test_ideal_camera_passes_pictures_through():
    lens = Lens(_camera())
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    assert lens.atlas_wh == (640, 480)
    np.testing.assert_array_equal(lens.expose(picture, np.zeros(3)), picture)


@pytest.mark.parametrize("k1", [0.0, -0.05])
def test_rows_are_read_one_after_another(k1):
    """A far point is recorded in the row that is read when the point is there."""
    camera, readout = _camera(k1), 0.030
    rate = np.array([0.3, -1.0, 0.2])
    lens = Lens(camera, readout_s=readout)
    columns, rows = lens.maps(rate)
    (view,) = lens.views
    centre = np.array(view.centre_px)
    for direction in ([0.3, 0.4, 1.0], [-0.5, -0.4, 1.0], [0.1, 0.02, 1.0]):
        ray = np.array(direction)
        row = 239.5
        for _ in range(20):  # where is the point when its own row is read?
            seconds = readout * (row / 479 - 0.5)
            uv, _ = camera.project(matrix_from_rotvec(seconds * rate).T @ ray)
            row = float(uv[1])
        u, v = np.round(uv).astype(int)
        seen = np.array([columns[v, u], rows[v, u]]) - centre
        expected = view.focal_px * ray[:2] / ray[2]
        assert np.abs(seen - expected).max() < 1.5


@pytest.mark.parametrize("pixel", [(40, 30), (320, 6), (600, 470), (173, 240), (470, 100)])
def test_rows_of_a_fisheye_too(pixel):
    camera, readout = find_rig("fisheye-head").head.camera(), 0.030
    rate = np.array([0.3, -1.0, 0.2])
    lens = Lens(camera, readout_s=readout)
    columns, rows = lens.maps(rate)
    ray, _ = camera.unproject(np.array(pixel, float))
    turned = matrix_from_rotvec(readout * (pixel[1] / 479 - 0.5) * rate) @ ray
    seen = np.array([columns[pixel[1], pixel[0]], rows[pixel[1], pixel[0]]])
    misses = [np.abs(view.place(turned) - seen).max() for view in lens.views]
    assert min(misses) < 0.3


def test_fast_turns_blur():
    lens = Lens(_camera(), exposure_s=0.02)
    width, height = lens.atlas_wh
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, width // 2] = 255
    sharp = lens.expose(picture, np.zeros(3))
    smeared = lens.expose(picture, np.array([0.0, 1.0, 0.0]))
    assert (smeared[240, :, 0] > 10).sum() > (sharp[240, :, 0] > 10).sum() + 3


def test_grain_has_the_asked_strength():
    noise = SensorNoise(4.0, (64, 48), np.random.default_rng(0))
    grey = np.full((48, 64, 3), 128, np.uint8)
    assert noise.add(grey).astype(float).std() == pytest.approx(4.0, rel=0.15)
