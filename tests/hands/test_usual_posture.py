"""Fingers that nobody sees: as before and after, in between as they mostly are."""

import numpy as np

from hands.model.evidence import Evidence, landmark_mixing, normalised
from hands.model.fit import fit_frames, terms_of
from hands.model.kinematics import ANGLE_MEAN
from hands.model.proportions import hand_shape
from hands.model.usual_posture import usual_posture

TIMES_S = np.arange(0.0, 12.0, 0.1)


def grasps():
    """Joint angles that are 1.0 for four seconds and 0.2 from the tenth second on."""
    return np.where(TIMES_S < 10.0, 1.0, 0.2)[:, None] * np.ones(21)


def test_unseen_fingers_are_between_those_around_and_far_from_any_as_mostly():
    known = (TIMES_S < 4.0) | (TIMES_S >= 10.0)
    known[5] = False
    usual = usual_posture(grasps(), known, TIMES_S)
    np.testing.assert_allclose(usual[known], grasps()[known])
    np.testing.assert_allclose(usual[[5, 45]], 1.0, atol=0.06)
    np.testing.assert_allclose(usual[70], 1.0, atol=0.1)
    np.testing.assert_allclose(usual[98], 0.4, atol=0.1)


def test_without_any_known_frame_fingers_are_at_rest():
    usual = usual_posture(grasps(), np.zeros(len(TIMES_S), dtype=bool), TIMES_S)
    np.testing.assert_array_equal(usual, np.tile(ANGLE_MEAN, (len(TIMES_S), 1)))


def test_the_fit_bends_fingers_that_nobody_sees_as_expected(hand, length_mm):
    known = hand(position=np.tile([0.0, 0.0, 0.4], (3, 1)))
    nothing = Evidence.of(
        normalised(landmark_mixing() @ known.joints),
        np.full((len(known.joints), 21), 1e3),
        np.full((len(known.joints), 21, 3), np.nan),
        seen=np.ones(len(known.joints), dtype=bool),
    )
    nothing.posture[:] = ANGLE_MEAN + 0.3
    terms = terms_of(nothing, hand_shape(length_mm), guess_sigma_m=(0.008, 0.05))
    poses, _ = fit_frames(terms, known.poses)
    pips = np.s_[:, 7::4]
    np.testing.assert_allclose(poses.angles[pips], nothing.posture[pips], atol=0.1)
