"""A flat hand beside a calibration board: straight fingers, and a board that can be read."""

import cv2
import numpy as np

from core.geometry.markers import MarkerFinder
from sim.hand.skeleton import SHAPES, flat_posture
from sim.hand_beside_board import sitting


def test_fingers_of_a_flat_hand_are_straight():
    right, left = (flat_posture(side=side).joints[0] for side in ("right", "left"))
    mcp, tip = right[11], right[14]
    assert np.isclose(np.linalg.norm(tip - mcp), sum(SHAPES["middle"].lengths))
    np.testing.assert_allclose(left, right * [1, -1, 1])


def test_the_board_is_read_beside_the_hand():
    one = sitting(4, pictures=1)
    found = MarkerFinder("aruco_4x4").find(cv2.cvtColor(one.images_rgb[0], cv2.COLOR_RGB2GRAY))
    assert len(found) >= 12
    assert 0.16 < one.length_m < 0.22
