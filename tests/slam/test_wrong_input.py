"""Input that cannot be right is told apart, with the cure."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.cameras import PinholeRadtan, pinhole
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.imu.imu_axes import axes_doubt
from slam.imu.imu_checks import check_imu
from slam.sight.camera_checks import check_camera


@pytest.fixture
def turning(make_world, motion):
    """An IMU, keyframe times, rotations of a head that turns a lot."""
    world = make_world(replace(motion, turn_rad=0.8), seconds=8.0)
    return world.imu, world.tracks.timestamps_ns[::3], world.truth.rotation[::3]


def test_a_right_gyro_is_not_doubted(turning):
    assert axes_doubt(*turning) is None


def test_a_camera_that_hardly_moved_casts_no_doubt_on_the_gyro(make_world, motion):
    """Turns seen without parallax are a quarter of a degree off: no mounting follows from them."""
    world = make_world(replace(motion, turn_rad=0.05), seconds=5.0)
    off = np.random.default_rng(4).normal(0, 3e-3, (len(world.truth), 3))
    seen = world.truth.rotation @ matrix_from_rotvec(off)
    assert axes_doubt(world.imu, world.tracks.timestamps_ns[::5], seen[::5]) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (np.eye(3) * 180 / np.pi, 'gyro_unit = "deg/s"'),
        (np.eye(3) * np.pi / 180, 'gyro_unit = "rad/s"'),
        (np.diag([1.0, -1, 1]), "mirrored: its x is x, its y is -y, its z is z"),
        (np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]), "90 degrees off"),
        (matrix_from_rotvec([0, 0, np.deg2rad(8.0)]), "slam.refine=extrinsics"),
    ],
)
def test_wrong_units_and_axes_are_named(turning, change, words):
    imu, times_ns, rotation = turning
    doubt = axes_doubt(replace(imu, gyro=imu.gyro @ change.T), times_ns, rotation)
    assert words in doubt


@pytest.mark.parametrize(
    ("times", "words"), [(1.1, "too short, by 10% or more"), (0.9, "too long, by 10% or more")]
)
def test_a_wrong_focal_length_is_told_by_turns_across_the_picture(turning, times, words):
    """The camera sees them so many times as large, and those about its optical axis as they are."""
    imu, times_ns, rotation = turning
    camera_from_imu = imu.camera_from_imu.rotation
    across = np.diag([1 / times, 1 / times, 1.0])
    off = replace(imu, gyro=imu.gyro @ camera_from_imu.T @ across @ camera_from_imu)
    doubt = axes_doubt(off, times_ns, rotation)
    assert f"pictures turn {times:.2f} times as far as the gyro" in doubt
    assert words in doubt


def test_turns_that_fit_no_axes_ask_for_the_lens(turning):
    imu, times_ns, rotation = turning
    off = np.random.default_rng(1).normal(0, 0.008, (len(rotation), 3))
    doubt = axes_doubt(imu, times_ns, rotation @ matrix_from_rotvec(off))
    assert "intrinsics those of this video" in doubt


def test_another_recordings_gyro_is_told(turning):
    imu, times_ns, rotation = turning
    other = np.random.default_rng(0).normal(0, 0.4, (len(imu.gyro) // 20 + 2, 3))
    smooth = np.stack(
        [np.interp(np.arange(len(imu.gyro)) / 20, np.arange(len(other)), o) for o in other.T], 1
    )
    assert "under no unit" in axes_doubt(replace(imu, gyro=smooth), times_ns, rotation)


def test_two_sensors_in_one_file_are_refused():
    rng = np.random.default_rng(0)
    stamps = np.arange(1000) * 2_500_000
    accel = rng.normal([0, 0, 9.81], 0.05, (1000, 3))
    gyro = rng.normal(0, 0.01, (1000, 3))
    assert check_imu(stamps, gyro, accel, source="imu.csv") == (True, [])
    accel[1::2] = accel[1::2][:, [2, 0, 1]]
    with pytest.raises(BadInputError, match=r"imu\.csv: every other IMU sample"):
        check_imu(stamps, gyro, accel, source="imu.csv")


@pytest.mark.parametrize(
    ("column", "words"), [(1, "imu.csv: gyro y is 0 for 5.0 s"), (3, "accel x is 0 for 5.0 s")]
)
def test_a_frozen_axis_leaves_the_imu_out(column, words):
    rng = np.random.default_rng(0)
    stamps = np.arange(1000) * 5_000_000
    values = rng.normal([0, 0, 0, 5.0, 0, 9.0], [0.3] * 6, (1000, 6))
    values[:, column] = 0.0
    usable, warnings = check_imu(stamps, values[:, :3], values[:, 3:], source="imu.csv")
    assert not usable
    assert words in warnings[0]
    assert "left out" in warnings[0]


def test_a_coarse_sensor_at_rest_is_not_frozen():
    stamps, still = np.arange(1000) * 5_000_000, np.zeros((1000, 3))
    accel = np.round(np.random.default_rng(0).normal([0, 0, 9.81], 0.01, (1000, 3)), 1)
    assert check_imu(stamps, still, accel, source="imu.csv") == (True, [])


def test_a_repeated_stamp_is_called_so():
    stamps = np.arange(100) * 5_000_000
    stamps[7] = stamps[6]
    with pytest.raises(BadInputError, match="row 7 repeats the time"):
        check_imu(stamps, np.zeros((100, 3)), np.tile([0, 0, 9.81], (100, 1)), source="x")


def test_intrinsics_of_another_size_are_named():
    right = pinhole(500.0, (1280, 960))
    assert check_camera(right, source="c") == []
    half = PinholeRadtan((250.0, 250.0, 319.5, 239.5, 0, 0, 0, 0), (1280, 960))
    assert "those of a 640x480 image" in check_camera(half, source="c")[0]
    double = PinholeRadtan((1000.0, 1000.0, 1279.5, 959.5, 0, 0, 0, 0), (1279, 959))
    with pytest.raises(BadInputError, match="give the intrinsics of this resolution"):
        check_camera(replace(double, size_wh=(1000, 800)), source="c")


def test_a_lens_that_folds_or_is_far_too_long_is_named():
    folding = PinholeRadtan((300.0, 300.0, 319.5, 239.5, -0.9, 0, 0, 0), (640, 480))
    assert "folds over" in check_camera(folding, source="c")[0]
    long = pinhole(9000.0, (640, 480))
    assert "degrees wide" in check_camera(long, source="c")[0]


def test_the_pose_of_the_imu_enters_the_verdict(turning):
    imu, times_ns, rotation = turning
    wrong = SE3(matrix_from_rotvec([0, 1.0, 0]), np.zeros(3)) @ imu.camera_from_imu
    assert "degrees off" in axes_doubt(replace(imu, camera_from_imu=wrong), times_ns, rotation)
