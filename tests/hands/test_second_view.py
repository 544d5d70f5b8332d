"""A second view in the fit: right slopes, metres that count, a doubtful camera that does not."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.rotations import matrix_from_rotvec
from hands.cameras.size_from_views import length_from_views
from hands.cameras.size_from_views import seen_twice as only_twice
from hands.model.evidence import Evidence, landmark_mixing, normalised
from hands.model.fit import fit_frames, robustified, terms_of
from hands.model.kinematics import ANGLE_MEAN
from hands.model.proportions import hand_shape, scaled_shape
from hands.model.view_evidence import ViewEvidence
from hands.model.view_terms import Whitening

GUESS = (0.008, 0.05)
BESIDE = np.array([0.3, 0.0, 0.0])  # metres to the right of the head, looking back at the hand


def view_of(points, *, place=BESIDE, doubt_m=0.001):
    """The other camera's rays of landmarks ``(N,21,3)`` in the head."""
    count = len(points)
    rotation = matrix_from_rotvec(np.array([0.0, 0.5, 0.0])).T
    here = (points - place) @ rotation.T
    return ViewEvidence(
        rotation=np.tile(rotation, (count, 1, 1)),
        position=np.tile(-rotation @ place, (count, 1)),
        rays=normalised(here),
        sigma_rad=np.full((count, 21), 0.01),
        seen=np.ones(count, dtype=bool),
        pose_sigma_m=np.full(count, doubt_m),
        pose_sigma_rad=np.full(count, 0.001),
    )


@pytest.fixture
def seen_twice(hand, rng, length_mm):
    """30 frames of a hand, seen exactly by the head and by a camera beside it."""
    place = rng.uniform([-0.1, -0.1, 0.35], [0.1, 0.1, 0.5], (30, 3))
    angles = ANGLE_MEAN + rng.normal(0, 0.1, (30, 21))
    known = hand(position=place, turn=rng.normal(0, 0.3, (30, 3)), angles=angles)
    points = landmark_mixing() @ known.joints
    alone = Evidence.of(
        normalised(points),
        np.full((30, 21), 0.01),
        np.full((30, 21, 3), np.nan),
        seen=np.ones(30, dtype=bool),
    )
    return known, alone, replace(alone, views=(view_of(points),))


def fitted(evidence, shape):
    terms = terms_of(evidence, shape, guess_sigma_m=GUESS)
    poses, _ = fit_frames(terms)
    for _ in range(4):
        robust = robustified(terms, poses, evidence.sigma_rad)
        poses, _ = fit_frames(robust, poses)
    return poses, robust


def miss(joints, known):
    """How far the hands' middles lie from the known ones, metres."""
    return np.linalg.norm((joints - known.joints).mean(axis=1), axis=1).mean()


def test_slopes_are_those_of_the_residuals(seen_twice, length_mm):
    _, _, both = seen_twice
    poses, terms = fitted(both, hand_shape(length_mm))
    slopes = terms.jacobian(poses)
    for number in range(27):
        step = np.zeros((30, 27))
        step[:, number] = 1e-6
        change = (terms.residuals(poses.moved(step)) - terms.residuals(poses)) / 1e-6
        np.testing.assert_allclose(slopes[..., number], change, atol=2e-3 * np.abs(change).max())


def test_equations_by_finger_are_those_of_the_whole_hand(seen_twice, length_mm, rng):
    """Weighed, with a guess, a distance and joints beyond their limits, without another view."""
    known, alone, _ = seen_twice
    guess = known.joints - known.joints.mean(axis=1, keepdims=True)
    evidence = replace(
        alone, guess=guess, distance=np.full(30, 2.5), distance_sigma=np.full(30, 0.05)
    )
    poses, terms = fitted(evidence, hand_shape(length_mm))
    poses = poses.moved(rng.normal(0, 0.2, (30, 27)) * ([0.1] * 3 + [1.0] * 24))
    information, gradient, cost = terms.normal_equations(poses)
    at, slopes = terms.residuals(poses), terms.jacobian(poses)
    turned = np.swapaxes(slopes, 1, 2)
    np.testing.assert_allclose(information, turned @ slopes, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(gradient, (turned @ at[..., None])[..., 0], rtol=1e-7, atol=1e-5)
    np.testing.assert_allclose(cost, np.sum(at**2, axis=-1))


def test_a_second_view_places_a_hand_of_the_wrong_size(seen_twice, length_mm):
    known, alone, both = seen_twice
    wrong = hand_shape(1.08 * length_mm)
    errors = [miss(fitted(seen, wrong)[0].joints(wrong), known) for seen in (alone, both)]
    assert errors[0] > 0.025
    assert errors[1] < 0.6 * errors[0]


def test_a_camera_nobody_is_sure_of_says_little(seen_twice, length_mm):
    known, alone, both = seen_twice
    shape = hand_shape(length_mm)
    moved = both.views[0].position + np.array([0.0, 0.04, 0.0])
    wrong = [
        replace(both.views[0], position=moved, pose_sigma_m=np.full(30, doubt_m))
        for doubt_m in (0.001, 0.1)
    ]
    sure, unsure = (
        miss(fitted(replace(alone, views=(view,)), shape)[0].joints(shape), known) for view in wrong
    )
    assert unsure < 0.004
    assert sure > 2 * unsure


def test_two_views_tell_the_length(seen_twice, length_mm):
    _, alone, both = seen_twice
    short = hand_shape(0.93 * length_mm)
    short = replace(short, length_sigma_m=0.012)
    told, asked = length_from_views([both, both], short, guess_sigma_m=GUESS, frames=60)
    assert told.length_m == pytest.approx(length_mm / 1e3, rel=0.02)
    assert told.length_sigma_m < 0.6 * short.length_sigma_m
    assert len(asked) == 60
    blind = replace(both.views[0], seen=np.zeros(30, dtype=bool))
    unseen = replace(alone, views=(blind,))
    same, asked = length_from_views([only_twice(unseen)] * 2, short, guess_sigma_m=GUESS, frames=60)
    assert same is short
    assert not len(asked)


def test_a_shape_scales_as_a_whole():
    shape = scaled_shape(hand_shape(180.0), 0.198)
    np.testing.assert_allclose(shape.bones_m, 1.1 * hand_shape(180.0).bones_m)
    assert shape.length_m == 0.198


def test_whitened_offsets_cost_what_their_covariance_says(rng):
    sigma, modes = rng.uniform(0.5, 2.0, (3, 21)), rng.normal(size=(3, 42, 4))
    covariance = np.repeat(sigma**2, 2, axis=1)[..., None] * np.eye(42)
    covariance += modes @ np.swapaxes(modes, 1, 2)
    offsets = rng.normal(size=(3, 42, 1))
    wanted = np.swapaxes(offsets, 1, 2) @ np.linalg.solve(covariance, offsets)

    whitened = Whitening.with_modes(1 / sigma, modes).of(offsets.reshape(3, 21, 2))

    assert np.sum(whitened**2, axis=(1, 2)) == pytest.approx(wanted.ravel())


def test_offsets_without_weight_cost_nothing(rng):
    whitening = Whitening.with_modes(np.zeros((3, 21)), rng.normal(size=(3, 42, 4)))

    assert not whitening.of(rng.normal(size=(3, 21, 2))).any()
