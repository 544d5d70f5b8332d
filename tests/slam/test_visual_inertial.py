"""What a tilted accelerometer does to the world, and what the covariance says of it."""

import numpy as np

from core.geometry.rotations import matrix_from_rotvec
from slam.map.visual_inertial import MOUNTING_SIGMA_RAD, with_mounting


def test_a_tilt_turns_every_pose_and_moves_what_is_far():
    rng = np.random.default_rng(0)
    away = np.array([[0.0, 0, 0], [2.0, -1.0, 0.5]])
    added = with_mounting(np.zeros((2, 6, 6)), away)
    tilts = np.zeros((20000, 3))
    tilts[:, :2] = rng.normal(0, MOUNTING_SIGMA_RAD, (20000, 2))
    moved = matrix_from_rotvec(tilts) @ away[1] - away[1]
    seen = np.cov(np.concatenate([tilts, moved], axis=1).T)
    np.testing.assert_allclose(added[1], seen, atol=0.04 * np.abs(seen).max())
    assert not added[0, 3:].any()
    assert added[0, 2, 2] == 0  # the heading is not gravity's to tell


def test_what_was_known_stays():
    known = np.tile(np.diag(np.arange(1.0, 7)), (3, 1, 1))
    np.testing.assert_allclose((with_mounting(known, np.zeros((3, 3))) - known)[:, 2:, 2:], 0)
