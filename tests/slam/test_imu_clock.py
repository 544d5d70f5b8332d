"""The inertial clock and mounting found from turns: known shifts, known wrong mountings."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.rotations import angle_between, matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.imu.imu_clock import OFFSET_SIGMA_S, fit_clock


def shifted(imu, offset_s):
    return replace(imu, timestamps_ns=imu.timestamps_ns + round(offset_s * 1e9))


def seen_with_noise(world, rng, sigma_rad=3e-4):
    noise = matrix_from_rotvec(rng.normal(0, sigma_rad, (len(world.truth), 3)))
    return world.truth.rotation[2:-2:4] @ noise[2:-2:4], world.tracks.timestamps_ns[2:-2:4]


@pytest.mark.parametrize("offset_s", [0.0, 0.008, -0.03, 0.12])
def test_a_shifted_clock_is_found_within_its_sigma(make_world, motion, offset_s):
    world = make_world(motion, seconds=12.0)
    rotation, times_ns = seen_with_noise(world, np.random.default_rng(0))
    clock = fit_clock(shifted(world.imu, -offset_s), times_ns, rotation)
    prior_pull = abs(offset_s) * (clock.sigma_s / OFFSET_SIGMA_S) ** 2
    assert abs(clock.offset_s - offset_s) < 4 * clock.sigma_s + prior_pull + 1e-4
    assert clock.sigma_s < 1.5e-3


def test_the_sigma_is_that_of_many_recordings(make_world, motion):
    world = make_world(motion, seconds=8.0)
    rng = np.random.default_rng(1)
    found = [fit_clock(world.imu, *seen_with_noise(world, rng)[::-1]) for _ in range(12)]
    spread = np.std([c.offset_s for c in found])
    assert 0.4 < spread / np.median([c.sigma_s for c in found]) < 1.7


def test_a_still_camera_leaves_the_clock_alone(make_world, still):
    world = make_world(still, seconds=3.0)
    rotation, times_ns = seen_with_noise(world, np.random.default_rng(3))
    clock = fit_clock(world.imu, times_ns, rotation)
    assert abs(clock.offset_s) < 2 * clock.sigma_s
    assert clock.sigma_s > 0.5 * OFFSET_SIGMA_S


def test_a_wrong_mounting_is_found_when_asked(make_world, motion):
    world = make_world(motion, seconds=12.0)
    wrong = matrix_from_rotvec([0.02, -0.015, 0.01])
    mounting = world.imu.camera_from_imu
    imu = replace(world.imu, camera_from_imu=SE3(mounting.rotation @ wrong, mounting.translation))
    rotation, times_ns = seen_with_noise(world, np.random.default_rng(2))
    clock = fit_clock(imu, times_ns, rotation, mounting=True)
    right = clock.applied(imu).camera_from_imu.rotation
    assert angle_between(right, mounting.rotation) < max(4 * clock.turn_sigma_rad, 2e-3)
    assert angle_between(right, mounting.rotation) < 0.2 * 0.027
    kept = fit_clock(imu, times_ns, rotation)
    np.testing.assert_allclose(kept.turn, np.eye(3), atol=1e-6)
