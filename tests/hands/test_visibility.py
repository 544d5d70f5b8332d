"""Landmarks behind fingers and palms are hidden, and nothing else is."""

import numpy as np
import pytest

from core.geometry.cameras import camera_from_dict
from core.geometry.landmarks import INDEX, landmarks17_from_mediapipe21
from core.geometry.rotations import matrix_from_rotvec
from hands.model.kinematics import joints_in_palm, place
from hands.model.proportions import hand_shape
from hands.model.visibility import clearance_m, visible_landmarks

CAMERA = camera_from_dict({
    "model": "pinhole_radtan",
    "params": [320.0, 320.0, 319.5, 239.5, 0.0, 0.0, 0.0, 0.0],
    "size_wh": [640, 480],
})
FACING = matrix_from_rotvec(np.array([0.0, np.pi, 0.0]))  # palm to the camera, fingers to its left


def hand(rotation, *, bent=0.0, place_m=(0.0, 0.0, 0.4)):
    """An open right hand, or one whose finger joints bend by so many radians: (1,21,3)."""
    angles = np.zeros((1, 21))
    angles[0, 0] = -0.9  # the thumb aside
    angles[:, [5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 19, 20]] = bent
    return place(joints_in_palm(angles, hand_shape(185.0)), rotation, np.array([place_m]))


def seen(joints, other=None):
    other = np.full((1, 21, 3), np.nan) if other is None else other
    points = landmarks17_from_mediapipe21(joints)
    return visible_landmarks(joints, points, other, camera=CAMERA)[0]


def test_an_open_hand_shows_all_its_landmarks_from_both_sides():
    assert seen(hand(FACING)).all()
    assert seen(hand(np.eye(3))).all()


def test_a_mirrored_hand_shows_the_same():
    joints = hand(FACING @ matrix_from_rotvec(np.array([1.2, 0.3, 0.0])), bent=0.7)
    assert not seen(joints).all()
    assert (seen(joints) == seen(joints * [-1.0, 1.0, 1.0])).all()


def test_tips_of_a_fist_hide_behind_its_back():
    visible = seen(hand(np.eye(3), bent=1.4))
    tips = [INDEX[f"{finger}_tip"] for finger in ("index", "middle", "ring", "pinky")]
    assert not visible[tips].any()
    assert visible[INDEX["index_mcp"]]


def test_the_other_hand_hides_what_lies_behind_it():
    joints = hand(FACING)
    over = hand(FACING, place_m=(0.0, 0.0, 0.3))
    assert seen(joints).sum() - seen(joints, over).sum() > 6
    assert seen(over, joints).all()


def test_outside_the_picture_is_not_seen():
    assert not seen(hand(FACING, place_m=(0.6, 0.0, 0.4))).any()


def test_clearance_is_the_distance_from_the_skin():
    """A point over the middle of a finger, seen past it at a known distance."""
    joints = hand(FACING)
    bone = (joints[0, 10] + joints[0, 11]) / 2  # of the middle finger
    behind = np.tile(bone + np.array([0.0, 0.0, 0.05]), (1, 17, 1))
    scale = np.linalg.norm(joints[0, 9] - joints[0, 0]) / 0.089
    assert clearance_m(behind, joints)[0, 5] == pytest.approx(-0.0089, abs=2e-3 * scale)
