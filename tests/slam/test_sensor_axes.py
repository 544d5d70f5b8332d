"""What sensors with tilted axes do to the world, and what the covariance says of it."""

from dataclasses import replace

import numpy as np

from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.imu.inertial import deltas, integrate
from slam.map.sensor_axes import MOUNTING_SIGMA_RAD, spread, turned_by_axes, with_mounting

SHAPE = np.array([[0.3, -1.0, 0.6], [0.8, -0.5, 0.2], [-0.4, 0.9, 0.7]])


def test_a_tilt_turns_every_pose_and_moves_what_is_far():
    rng = np.random.default_rng(0)
    away = np.array([[0.0, 0, 0], [2.0, -1.0, 0.5]])
    poses = SE3(np.tile(matrix_from_rotvec([0.3, 0.2, -1.0]), (2, 1, 1)), away + 5.0)
    added = with_mounting(np.zeros((2, 6, 6)), poses, sigma=MOUNTING_SIGMA_RAD)
    tilts = np.zeros((20000, 3))
    tilts[:, :2] = rng.normal(0, MOUNTING_SIGMA_RAD, (20000, 2))
    moved = matrix_from_rotvec(tilts) @ away[1] - away[1]
    seen = np.cov(np.concatenate([tilts, moved], axis=1).T)
    np.testing.assert_allclose(added[1], seen, atol=0.04 * np.abs(seen).max())
    assert not added[0, 3:].any()
    assert added[0, 2, 2] == 0  # the heading is not gravity's to tell


def test_a_gyro_with_other_axes_gets_turns_wrong_by_a_share_of_them():
    rng = np.random.default_rng(0)
    turns = np.stack([np.zeros(3), [0.0, 0.8, -0.4], np.zeros(3)])
    poses = SE3(matrix_from_rotvec(turns), np.zeros((3, 3)))
    added = with_mounting(np.zeros((3, 6, 6)), poses, sigma=MOUNTING_SIGMA_RAD)
    shapes = np.eye(3) + rng.normal(0, MOUNTING_SIGMA_RAD, (20000, 3, 3))
    told = matrix_from_rotvec(shapes @ turns[1])
    off = rotvec_from_matrix(told @ poses.rotation[1].T)
    assert abs(np.sqrt(added[1, 2, 2]) / off[:, 2].std() - 1) < 0.1
    assert added[0, 2, 2] == added[2, 2, 2] == 0  # turned back, what it got wrong is gone


def test_what_was_known_stays():
    known = np.tile(np.diag(np.arange(1.0, 7)), (3, 1, 1))
    still = SE3(np.tile(np.eye(3), (3, 1, 1)), np.zeros((3, 3)))
    more = with_mounting(known, still, sigma=MOUNTING_SIGMA_RAD) - known
    np.testing.assert_allclose(more[:, 2:, 2:], 0)


def _with_axes(imu, shape):
    return replace(imu, gyro=imu.gyro + imu.gyro @ shape.T)


def test_axes_change_turns_as_integrating_them_anew_says(make_world, motion):
    imu = make_world(motion, seconds=2.0).imu
    times_ns = imu.timestamps_ns[10:300:40]
    before, after = (
        deltas(integrate(one, times_ns)).rotation for one in (imu, _with_axes(imu, 1e-4 * SHAPE))
    )
    told = turned_by_axes(imu, times_ns) @ (1e-4 * SHAPE).ravel()
    seen = rotvec_from_matrix(before.transpose(0, 2, 1) @ after)
    np.testing.assert_allclose(told, seen, atol=0.02 * np.abs(seen).max())


def test_a_sigma_is_found_from_figures_that_are_told_well():
    rng = np.random.default_rng(0)
    found = []
    for true in (5e-4, 8e-3):
        figures = rng.normal(0, true, (200, 9))
        information = np.eye(9) / 1e-4**2
        found.append(np.mean([spread(information, information @ row) for row in figures]))
    held = np.sqrt((3 * MOUNTING_SIGMA_RAD**2 + 9 * np.array([5e-4, 8e-3]) ** 2) / 12)
    np.testing.assert_allclose(found, held, rtol=0.06)
    nothing = spread(np.zeros((9, 9)), np.zeros(9))
    assert nothing == MOUNTING_SIGMA_RAD


def test_a_gyro_that_contradicts_the_camera_makes_turns_less_sure(make_world, motion):
    world = make_world(motion, seconds=4.0)
    right, bent = (
        estimate(world.tracks, SlamConfig(), imu=imu).path.sigma_rad.mean()
        for imu in (world.imu, _with_axes(world.imu, 2e-2 * SHAPE))
    )
    assert bent > 1.5 * right
