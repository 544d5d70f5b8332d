"""What the accelerometer's noise turns out to be, and what that does to a scale's sigma."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.alignment import umeyama
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.map.metric import UNMEASURED, accel_noise
from slam.map.visual_inertial import Inertial

BIASES = np.array([0.01, -0.02, 0.015]), np.array([0.08, -0.05, 0.1])


def _seen(world, *, density):
    """Accelerometer noise found along the exact path, white noise of this density added."""
    rng = np.random.default_rng(3)
    imu = world.imu
    noise = density * np.sqrt(200) * rng.standard_normal(imu.accel.shape)
    times_ns = world.tracks.timestamps_ns[::5]
    n = len(times_ns)
    states = Inertial(np.zeros((n, 3)), *(np.tile(b, (n, 1)) for b in BIASES))
    imu = replace(imu, accel=imu.accel + noise, accel_noise=0.01)
    return accel_noise(imu, times_ns, world.truth[::5], states=states)


@pytest.mark.parametrize("density", [0.03, 0.2])
def test_a_noise_that_nobody_claimed_is_found(make_world, motion, density):
    assert _seen(make_world(motion, seconds=12.0), density=density) == pytest.approx(
        density, rel=0.25
    )


def test_a_quiet_sensor_is_found_quieter_than_claimed(make_world, motion):
    assert _seen(make_world(motion, seconds=12.0), density=0.0) < 0.01


def test_a_short_recording_shows_nothing_and_is_not_trusted(make_world, motion):
    short = _seen(make_world(motion, seconds=1.2), density=0.0)
    assert short == pytest.approx(UNMEASURED * 0.01, rel=0.01)


def test_an_imu_far_noisier_than_it_says_is_found_out(make_world, motion):
    world = make_world(motion, seconds=6.0)
    rng = np.random.default_rng(5)
    gyro, accel = (rng.standard_normal(world.imu.gyro.shape) for _ in range(2))
    noisy = replace(world.imu, gyro=world.imu.gyro + 0.1 * gyro, accel=world.imu.accel + 2 * accel)
    result = estimate(world.tracks, SlamConfig(), imu=noisy)
    found, there = result.maps[0], world.truth.translation
    assert 0.3 < found.imu.gyro_noise / (0.1 / np.sqrt(200)) < 1.5  # it says 0.014 of that
    assert 0.5 < found.imu.accel_noise / (2 / np.sqrt(200)) < 1.5  # and 0.007
    _, scale = umeyama(result.path.position, there, with_scale=True)
    assert abs(1 / scale - 1) < 3 * found.scale_sigma
