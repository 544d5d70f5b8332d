"""What the accelerometer's noise turns out to be, and what that does to a scale's sigma."""

from dataclasses import replace

import numpy as np
import pytest

from slam.metric import UNMEASURED, accel_noise
from slam.visual_inertial import Inertial

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
