"""Bones of a person who is not average are approached from many frames; size is never invented."""

from dataclasses import replace

import numpy as np
import pytest

from hands.association import associate
from hands.config import HandsConfig
from hands.lift import candidates, evidence_of
from hands.model.bones import own_bones
from hands.model.evidence import Evidence
from hands.model.proportions import hand_shape

GUESS = HandsConfig().guess_sigma_m


@pytest.fixture
def seen_hand(camera, hand, rng, length_mm):
    """Evidence of 80 frames of a hand with a long little finger and a short thumb."""
    shape = hand_shape(length_mm)
    bones = shape.bones_m.copy()
    bones[4, 1:] *= 1.10
    bones[0, 1:] *= 0.92
    shape = replace(shape, bones_m=bones)
    angles = np.deg2rad(rng.normal(0, 12, (80, 21)))
    angles[:, 5::4] += 0.4
    place = rng.uniform([-0.1, -0.1, 0.4], [0.1, 0.1, 0.6], (80, 3))
    known = hand(position=place, turn=rng.normal(0, 0.3, (80, 3)), angles=angles)
    known = replace(known, joints=known.poses.joints(shape))
    found = candidates(known.seen_by(camera, noise_px=1.0, rng=rng), camera)
    association = associate(found, 80, farthest_m=1.0)
    seen = evidence_of(found, association, side=1, camera=camera, landmark_sigma=0.07)
    return seen, shape


def test_own_proportions_are_approached(seen_hand, length_mm):
    seen, truth = seen_hand
    average = hand_shape(length_mm)
    own = own_bones([seen], average, guess_sigma_m=GUESS, frames=160)
    for finger in (0, 4):
        before = abs(average.bones_m[finger, 1:].sum() - truth.bones_m[finger, 1:].sum())
        after = abs(own.bones_m[finger, 1:].sum() - truth.bones_m[finger, 1:].sum())
        assert after < 0.9 * before


def test_the_stated_length_is_kept(seen_hand):
    seen, _ = seen_hand
    small = hand_shape(170.0)
    own = own_bones([seen], small, guess_sigma_m=GUESS, frames=160)
    assert own.bones_m[2].sum() == pytest.approx(small.bones_m[2].sum(), rel=0.02)
    assert own.length_m == small.length_m


def test_a_few_frames_change_nothing(seen_hand, length_mm):
    seen, _ = seen_hand
    average = hand_shape(length_mm)
    assert own_bones([seen[:5]], average, guess_sigma_m=GUESS, frames=160) is average
    nothing = Evidence.of(seen.rays, seen.sigma_rad, seen.guess, seen=np.zeros(80, dtype=bool))
    assert own_bones([nothing, nothing], average, guess_sigma_m=GUESS, frames=160) is average
