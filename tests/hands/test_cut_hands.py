"""Hands that the picture's edge cuts: what the detector imagines there is believed less."""

import numpy as np
import pytest

from hands.association import Association
from hands.config import HandsConfig
from hands.lift import candidates, cut_by_the_edge, evidence_of
from hands.model.proportions import hand_shape
from hands.reconstruct import reconstruct_stills

WRISTS = [[0.0, 0.05, 0.5], [0.0, -0.13, 0.5], [0.0, -0.15, 0.5]]  # whole, cut, cut more


@pytest.fixture
def evidence(hand, camera):
    """As the detector gives it, and with the edge in mind."""
    source = hand(position=WRISTS).seen_by(camera)
    found = candidates(source, camera)
    rows = np.arange(len(WRISTS))
    association = Association(np.stack([np.full_like(rows, -1), rows], axis=1), rows * 0, 0)
    plain = evidence_of(found, association, side=1, camera=camera, landmark_sigma=0.035)
    return plain, cut_by_the_edge(plain, found, association, side=1, camera=camera)


def test_a_whole_hand_is_believed_as_before(evidence):
    plain, cut = evidence
    np.testing.assert_array_equal(cut.sigma_rad[0], plain.sigma_rad[0])


def test_landmarks_beyond_the_edge_count_least(evidence):
    plain, cut = evidence
    times = cut.sigma_rad / plain.sigma_rad
    wrist, knuckle = times[1:, 0], times[1:, 10]  # the finger bends away from the edge again
    assert (knuckle > 4 * wrist).all()
    assert 1 < wrist[0] < wrist[1]


def test_sigma_grows_with_what_is_cut_off(evidence, length_mm):
    config, shape = HandsConfig(), hand_shape(length_mm)
    sigmas = reconstruct_stills(evidence[1], shape, config=config).sigmas
    lateral, ray = sigmas.lateral_m, sigmas.ray_m
    assert (np.diff(lateral.mean(axis=1)) > 0).all()
    assert (np.diff(ray.mean(axis=1)) > 0).all()
    assert ray[2].mean() > 1.5 * ray[0].mean()
