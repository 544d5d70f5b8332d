"""What sensors with tilted axes do to the world, and what the covariance says of it."""

import numpy as np

from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.map.visual_inertial import MOUNTING_SIGMA_RAD, with_mounting


def test_a_tilt_turns_every_pose_and_moves_what_is_far():
    rng = np.random.default_rng(0)
    away = np.array([[0.0, 0, 0], [2.0, -1.0, 0.5]])
    poses = SE3(np.tile(matrix_from_rotvec([0.3, 0.2, -1.0]), (2, 1, 1)), away + 5.0)
    added = with_mounting(np.zeros((2, 6, 6)), poses)
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
    added = with_mounting(np.zeros((3, 6, 6)), poses)
    shapes = np.eye(3) + rng.normal(0, MOUNTING_SIGMA_RAD, (20000, 3, 3))
    told = matrix_from_rotvec(shapes @ turns[1])
    off = rotvec_from_matrix(told @ poses.rotation[1].T)
    assert abs(np.sqrt(added[1, 2, 2]) / off[:, 2].std() - 1) < 0.1
    assert added[0, 2, 2] == added[2, 2, 2] == 0  # turned back, what it got wrong is gone


def test_what_was_known_stays():
    known = np.tile(np.diag(np.arange(1.0, 7)), (3, 1, 1))
    still = SE3(np.tile(np.eye(3), (3, 1, 1)), np.zeros((3, 3)))
    np.testing.assert_allclose((with_mounting(known, still) - known)[:, 2:, 2:], 0)
