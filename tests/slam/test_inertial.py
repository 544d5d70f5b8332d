"""Preintegration and the linear start against an IMU made from an exact path."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.rotations import angle_between, matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.imu.imu_checks import check_imu
from slam.imu.inertial import ImuData, deltas, integrate, linear_start

STAMPS = np.arange(0, 2_000_000_000, 5_000_000)
N = len(STAMPS)


def at_rest(gyro=(0, 0, 0), accel=(0, 0, 9.81)):
    return ImuData(
        STAMPS, np.tile(gyro, (N, 1)) * 1.0, np.tile(accel, (N, 1)) * 1.0, SE3.identity()
    )


def test_constant_turn_integrates_to_its_angle():
    run = integrate(at_rest(gyro=(0, 0, 0.5)), np.array([100_000_000, 1_103_000_000]))
    np.testing.assert_allclose(run.rotation[1], matrix_from_rotvec([0, 0, 0.5 * 1.003]), atol=1e-9)


def test_constant_force_integrates_to_half_a_t_squared():
    run = integrate(at_rest(accel=(2.0, 0, 0)), np.array([0, 1_000_000_000]))
    np.testing.assert_allclose(run.velocity[1], [2, 0, 0], atol=1e-9)
    np.testing.assert_allclose(run.position[1], [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(run.position_by_bias[1], -0.5 * np.eye(3), atol=1e-9)


def test_deltas_do_not_depend_on_where_integration_started(make_world, motion):
    imu = make_world(motion, seconds=2.0).imu
    query = imu.timestamps_ns[10:300:40]
    all_at_once = deltas(integrate(imu, query))
    alone = deltas(integrate(imu, query[3:5]))
    np.testing.assert_allclose(all_at_once.velocity[3], alone.velocity[0], atol=1e-9)
    np.testing.assert_allclose(all_at_once.position[3], alone.position[0], atol=1e-9)
    assert angle_between(all_at_once.rotation[3], alone.rotation[0]) < 1e-7


def test_linear_start_finds_scale_gravity_and_biases(make_world, motion):
    world = make_world(motion, seconds=6.0)
    times_ns = world.tracks.timestamps_ns[::5]
    shrunk = SE3(world.truth.rotation[::5], world.truth.translation[::5] / 7.0)
    start = linear_start(world.imu, times_ns, shrunk)
    assert start.scale == pytest.approx(7.0, rel=0.01)
    down = start.gravity / np.linalg.norm(start.gravity)
    assert np.rad2deg(np.arccos(-down[2])) < 0.3
    np.testing.assert_allclose(start.gyro_bias, [0.01, -0.02, 0.015], atol=1e-4)
    np.testing.assert_allclose(start.accel_bias, [0.08, -0.05, 0.1], atol=0.03)


def test_a_still_path_gives_no_certain_scale(make_world, still):
    world = make_world(still, seconds=3.0)
    rng = np.random.default_rng(0)
    jitter = SE3(world.truth.rotation[::5], rng.normal(0, 1e-3, world.truth[::5].translation.shape))
    start = linear_start(world.imu, world.tracks.timestamps_ns[::5], jitter)
    assert start is None or start.scale_sigma > 0.1


def test_holes_are_noticed(make_world, motion):
    imu = make_world(motion, seconds=2.0).imu
    times_ns = imu.timestamps_ns[[20, -20]]
    assert imu.covers(times_ns)
    keep = np.r_[0:100, 140 : len(imu.timestamps_ns)]
    holed = replace(
        imu, timestamps_ns=imu.timestamps_ns[keep], gyro=imu.gyro[keep], accel=imu.accel[keep]
    )
    assert not holed.covers(times_ns)


@pytest.mark.parametrize(
    ("gyro", "accel", "word"),
    [
        ((0, 0, 0), (0, 0, 1.0), "g: set accel_unit"),
        ((0, 0, 40.0), (0, 0, 9.81), "deg/s"),
        ((0, 0, 0), (0, 0, 0.05), "specific force"),
        ((0, 0, 0), (0, 0, 981.0), "m/s^2"),
        ((0, np.nan, 0), (0, 0, 9.81), "NaN"),
    ],
)
def test_wrong_units_are_refused_with_the_cure(gyro, accel, word):
    imu = at_rest(gyro, accel)
    with pytest.raises(BadInputError, match=r"imu\.parquet") as caught:
        check_imu(STAMPS, imu.gyro, imu.accel, source="imu.parquet")
    assert word in str(caught.value)


def test_backward_stamps_are_refused():
    swapped = STAMPS.copy()
    swapped[[50, 51]] = swapped[[51, 50]]
    imu = at_rest()
    with pytest.raises(BadInputError, match="row 51 goes back"):
        check_imu(swapped, imu.gyro, imu.accel, source="imu.parquet")
