"""The articulated hand keeps its bones, bends towards the palm, and knows its own derivatives."""

import numpy as np
import pytest

from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.palm import palm_frame
from hands.model import kinematics as kin
from hands.model.by_finger import whole
from hands.model.evidence import PARENTS
from hands.model.poses import joints_and_slopes
from hands.model.posture import posture_residuals, posture_slopes
from hands.model.proportions import hand_shape


def random_angles(rng, count):
    return kin.ANGLE_LOW + rng.uniform(size=(count, 21)) * (kin.ANGLE_HIGH - kin.ANGLE_LOW)


def test_bones_keep_their_lengths_in_every_posture(rng):
    shape = hand_shape(180.0)
    joints = kin.joints_in_palm(random_angles(rng, 50), shape)
    bones = np.linalg.norm(joints[:, 1:] - joints[:, PARENTS[1:]], axis=-1).reshape(50, 5, 4)
    np.testing.assert_allclose(bones, np.broadcast_to(shape.bones_m, bones.shape), rtol=1e-12)


def test_middle_finger_reaches_the_hand_length():
    straight = kin.joints_in_palm(np.zeros(21), hand_shape(180.0))
    assert np.linalg.norm(straight[12] - straight[0]) == pytest.approx(0.180, abs=0.004)


def test_root_axes_are_the_palm_frame_of_its_landmarks():
    straight = kin.joints_in_palm(np.zeros(21), hand_shape(None))
    frame = palm_frame(landmarks17_from_mediapipe21(straight), "right")
    np.testing.assert_allclose(frame.rotation, np.eye(3), atol=0.02)


def test_fingers_bend_out_of_the_palm():
    angles = np.zeros(21)
    angles[5::4] = 1.0  # MCP flexion of the four fingers
    joints = kin.joints_in_palm(angles, hand_shape(None))
    assert (joints[[8, 12, 16, 20], 2] > 0.05).all()


def test_joint_derivatives_match_differences(hand):
    known = hand(position=[[0.02, -0.01, 0.5]], turn=[[0.3, -0.2, 0.5]])
    shape = hand_shape(190.0)
    joints, by_finger = joints_and_slopes(known.poses, shape)
    slopes = whole(by_finger)
    for column in range(kin.POSE_SIZE):
        step = np.zeros((1, kin.POSE_SIZE))
        step[0, column] = 1e-6
        change = (known.poses.moved(step).joints(shape) - joints) / 1e-6
        np.testing.assert_allclose(slopes[..., column], change, atol=1e-5)


def test_posture_derivatives_match_differences(rng):
    angles, usual = random_angles(rng, 3) * 1.3, random_angles(rng, 3)
    slopes = posture_slopes(angles)
    for column in range(21):
        step = np.zeros(21)
        step[column] = 1e-7
        change = (posture_residuals(angles + step, usual) - posture_residuals(angles, usual)) / 1e-7
        np.testing.assert_allclose(slopes[..., column], change, atol=1e-4)


def test_known_and_unknown_lengths_say_so():
    assert hand_shape(185.0).scale_source == "measured"
    assert hand_shape(None).scale_source == "prior"
    assert hand_shape(None).length_sigma_m > 3 * hand_shape(185.0).length_sigma_m
