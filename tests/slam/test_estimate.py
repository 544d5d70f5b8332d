"""The whole estimator on made worlds whose paths are known exactly."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.alignment import align_yaw_position, umeyama
from core.geometry.heading import levelled_heading
from core.geometry.rotations import angle_between
from slam.config import SlamConfig
from slam.estimate import estimate

CONFIG = SlamConfig()


def similarity_rms(position, truth):
    motion, scale = umeyama(position, truth, with_scale=True)
    off = np.linalg.norm(motion.apply(scale * position) - truth, axis=1)
    return np.sqrt(np.mean(off**2)), scale


def test_camera_and_imu_give_a_metric_level_path(make_world, motion):
    world = make_world(motion, seconds=6.0)
    result = estimate(world.tracks, CONFIG, imu=world.imu)
    path = result.path
    assert path.tracked.all()
    assert (result.scale_source, result.gravity_source) == ("imu", "imu")
    assert set(path.map_id) == {0}
    truth = world.truth.translation
    _, scale = similarity_rms(path.position, truth)
    assert scale == pytest.approx(1.0, abs=0.01)
    off = align_yaw_position(path.position, truth).apply(path.position) - truth
    assert np.sqrt(np.mean(np.sum(off**2, axis=1))) < 0.01
    up_seen = path.rotation[:, 2]  # the world's up in the camera's axes
    up_true = world.truth.rotation[:, 2]
    tilt = np.arccos(np.clip(np.sum(up_seen * up_true, axis=1), -1, 1))
    assert np.rad2deg(tilt).max() < 0.2


def test_world_starts_at_the_first_head_and_looks_along_x(make_world, motion):
    world = make_world(motion)
    path = estimate(world.tracks, CONFIG, imu=world.imu).path
    np.testing.assert_allclose(path.position[0], 0, atol=1e-9)
    np.testing.assert_allclose(levelled_heading(path.rotation[0]), np.eye(3), atol=1e-9)


def test_biases_are_found(make_world, motion):
    world = make_world(motion, seconds=6.0)
    states = estimate(world.tracks, CONFIG, imu=world.imu).maps[0].inertial
    np.testing.assert_allclose(states.gyro_bias.mean(axis=0), [0.01, -0.02, 0.015], atol=1e-3)
    np.testing.assert_allclose(states.accel_bias.mean(axis=0), [0.08, -0.05, 0.1], atol=0.03)


def test_sigmas_hold_the_errors(make_world, motion):
    world = make_world(motion, seconds=6.0)
    path = estimate(world.tracks, CONFIG, imu=world.imu).path
    truth = world.truth[0].inverse() @ world.truth
    mine = path.world_from_camera[0].inverse() @ path.world_from_camera
    off = np.linalg.norm(mine.translation - truth.translation, axis=1)
    sigma = np.linalg.norm(path.sigma_m, axis=1)
    assert np.mean(off < 3 * sigma) > 0.9
    assert sigma.max() < 0.1


def test_camera_alone_gives_the_shape_and_says_so(make_world, motion):
    world = make_world(motion)
    result = estimate(world.tracks, CONFIG)
    assert (result.scale_source, result.gravity_source) == ("unknown", "none")
    assert result.path.tracked.all()
    rms, _ = similarity_rms(result.path.position, world.truth.translation)
    assert rms < 0.01


def test_a_still_camera_is_measured_not_lost(make_world, still):
    world = make_world(still)
    result = estimate(world.tracks, CONFIG)
    assert result.path.tracked.all()
    assert result.scale_source == "unknown"
    assert np.ptp(result.path.position, axis=0).max() < 1e-2  # of the scene's depth
    turned = angle_between(result.path.rotation, result.path.rotation[0])
    assert np.rad2deg(turned).max() < 6  # it sways by 0.1 rad in roll


def test_a_still_camera_with_an_imu_is_level(make_world, still):
    world = make_world(still)
    result = estimate(world.tracks, CONFIG, imu=world.imu)
    assert result.path.tracked.all()
    assert result.gravity_source == "imu"
    up_seen, up_true = result.path.rotation[:, 2], world.truth.rotation[:, 2]
    tilt = np.arccos(np.clip(np.sum(up_seen * up_true, axis=1), -1, 1))
    assert np.rad2deg(tilt).max() < 1.5  # the accelerometer's bias alone is 0.8 degrees


def test_pure_rotation_is_followed(make_world, motion):
    world = make_world(replace(motion, sway_m=0.0))
    result = estimate(world.tracks, CONFIG)
    assert result.path.tracked.all()
    assert result.scale_source == "unknown"
    turned = result.path.rotation[0].T @ result.path.rotation
    truth = world.truth.rotation[0].T @ world.truth.rotation
    assert np.rad2deg(angle_between(turned, truth)).max() < 0.3


def test_a_lost_stretch_splits_the_map(make_world, motion):
    blind = range(40, 70)
    world = make_world(motion, seconds=6.0, blind=blind)
    path = estimate(world.tracks, CONFIG, imu=world.imu).path
    assert not path.tracked[40:70].any()
    assert not path.valid[40:70].any()
    assert all(path.reason[40:70])
    assert path.tracked[:40].all()
    assert path.tracked[70:].all()
    assert set(path.map_id[:40]) == {0}
    assert set(path.map_id[70:]) == {1}


def test_nothing_to_see_is_no_path(make_world, motion):
    world = make_world(motion, seconds=1.0, blind=range(20))
    result = estimate(world.tracks, CONFIG, imu=world.imu)
    assert not result.path.tracked.any()
    assert all(result.path.reason)


def test_swapped_imu_axes_are_noticed(make_world, motion):
    world = make_world(motion, seconds=4.0)
    wrong = replace(world.imu, gyro=world.imu.gyro[:, [1, 0, 2]] * [1, 1, -1])
    result = estimate(world.tracks, CONFIG, imu=wrong)
    assert result.scale_source == "unknown"
    assert result.gravity_source == "none"  # its accelerometer is mounted as its gyro is
    assert any("gyro_contradicts_camera" in w for w in result.warnings)
    assert result.path.tracked.all()


def test_an_accelerometer_read_as_gravity_gives_neither_metres_nor_up(make_world, motion):
    """Phones give the pull of gravity, which is the specific force the other way round."""
    world = make_world(motion, seconds=4.0)
    result = estimate(world.tracks, CONFIG, imu=replace(world.imu, accel=-world.imu.accel))
    assert (result.scale_source, result.gravity_source) == ("unknown", "none")
    assert any("the accelerometer's signs are reversed" in w for w in result.warnings)


def test_an_imu_eight_milliseconds_off_is_put_right(make_world, motion):
    world = make_world(motion, seconds=8.0)
    late = replace(world.imu, timestamps_ns=world.imu.timestamps_ns + 8_000_000)
    result = estimate(world.tracks, CONFIG, imu=late)
    clock = result.maps[0].clock
    assert abs(clock.offset_s + 0.008) < max(4 * clock.sigma_s, 1e-3)
    path, truth = result.path, world.truth.translation
    off = align_yaw_position(path.position, truth).apply(path.position) - truth
    assert np.sqrt(np.mean(np.sum(off**2, axis=1))) < 0.01
