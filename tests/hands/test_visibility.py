"""Landmarks behind fingers and palms are hidden, and nothing else is."""

import numpy as np
import pytest

from core.geometry.cameras import camera_from_dict
from core.geometry.landmarks import INDEX, landmarks17_from_mediapipe21
from core.geometry.rotations import matrix_from_rotvec
from hands.model.kinematics import joints_in_palm, place
from hands.model.occlusion import PARTS, clearances_m
from hands.model.proportions import hand_shape
from hands.model.visibility import (
    CLEARANCE_M,
    INSIDE_M,
    logits,
    shipped_weights,
    visible_landmarks,
)
from hands.model.visibility_training import (
    VisibilityTraining,
    made_up,
    precision_and_recall,
    save,
    train,
)

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
    off = clearances_m(behind, joints)[0, 5, PARTS.index("middle")]
    assert off == pytest.approx(-0.0089, abs=2e-3 * scale)


def test_hands_from_any_side_with_wrong_joints_are_told_as_well_as_by_their_capsules():
    """Takes of work, which the network has learnt from, do not show these."""
    hands = made_up(np.random.default_rng(5), VisibilityTraining(made_up=1000))
    off = hands.values.reshape(-1, 17, 9)[..., :3] * CLEARANCE_M  # its own finger, others, palm
    by_capsules = np.nanmin(off, axis=-1) > -INSIDE_M
    by_network = logits(hands.values, shipped_weights()) > 0
    wrong = np.mean(by_network != hands.visible)
    assert wrong < 1.05 * np.mean(by_capsules != hands.visible)


def test_joints_that_a_source_does_not_know_hide_nothing():
    joints = hand(FACING)
    joints[:, 1] = np.nan  # Aria knows no thumb CMC
    assert seen(joints).all()


def test_training_learns_and_is_repeatable(tmp_path):
    pytest.importorskip("torch")
    config = VisibilityTraining(hidden=8, steps=120, batch=128, made_up=300, rate=0.02)
    hands = made_up(np.random.default_rng(1), config)
    first, again = (train(hands, config) for _ in range(2))
    np.testing.assert_array_equal(first["weight_0"], again["weight_0"])
    precision, recall = precision_and_recall(first, hands)
    assert precision > hands.visible.mean() + 0.1
    assert recall > 0.8
    save(first, tmp_path / "small.npz")
    assert (tmp_path / "small.npz").stat().st_size < 12_000
