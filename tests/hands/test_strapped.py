"""A hand and the camera that it carries: the place is found once, and holds the hand."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.rotations import matrix_from_rotvec
from hands.cameras.size_from_straps import length_from_straps
from hands.cameras.strapped import (
    Sightings,
    common_place,
    common_turn,
    hardly_read,
    held_alone,
    overruled,
    unseen_by_head,
    ways_seen,
)
from hands.model.evidence import Evidence, landmark_mixing, normalised
from hands.model.fit import fit_frames, robustified, terms_of
from hands.model.proportions import hand_shape
from hands.model.view_evidence import MountEvidence

GUESS = (0.008, 0.05)
COUNT = 20


def test_rays_that_cross_tell_the_place(rng):
    rays = normalised(rng.normal([0.0, 0.0, 1.0], 0.5, (60, 3)))
    along, across = 0.03, 0.001
    covariance = across**2 * np.eye(3) + along**2 * rays[:, :, None] * rays[:, None, :]
    place = np.array([0.01, -0.07, 0.04])
    points = place + rng.normal(0, across, (60, 3)) + rays * rng.normal(0, along, (60, 1))
    points[:6] += 0.2  # something else
    found, sigma = common_place(points, covariance, independent=60)
    np.testing.assert_allclose(found, place, atol=0.0015)
    assert np.linalg.norm(points[6:].mean(axis=0) - place) > np.linalg.norm(found - place)
    assert sigma == pytest.approx(0.003, rel=0.2)
    loose = points + rng.normal(0, 0.01, points.shape)
    assert common_place(loose, covariance, independent=60)[1] == pytest.approx(0.01, rel=0.3)
    assert common_place(points, covariance, independent=1)[1] > 1.5 * sigma  # seen in one moment


def test_a_hand_that_keeps_still_is_seen_one_way(rng):
    still = np.array([0.1, 0.1, 0.4]) + rng.normal(0, 0.001, (50, 3))
    assert ways_seen(still) == 1
    assert ways_seen(still + np.linspace([0, 0, 0], [0.4, 0, 0], 50)) in (4, 5, 6)


def test_a_turn_and_its_spread_are_told_axis_by_axis(rng):
    middle = matrix_from_rotvec(np.array([1.0, -2.0, 0.3]))
    apart = rng.normal(0, [0.05, 0.3, 0.1], (400, 3))
    apart[:40] = [0.0, 0.0, 3.0]  # read the wrong way round
    rotations = middle @ matrix_from_rotvec(apart)
    found, sigma = common_turn(rotations, np.zeros((400, 3, 3)), independent=400)
    np.testing.assert_allclose(found, middle, atol=0.06)
    np.testing.assert_allclose(sigma, [0.05, 0.3, 0.1], rtol=0.25)


@pytest.fixture
def carried(hand, rng, length_mm):
    """A hand whose distance the head misreads, and where it sits in the camera that it carries."""
    place = rng.uniform([-0.1, -0.1, 0.35], [0.1, 0.1, 0.5], (COUNT, 3))
    known = hand(position=place, turn=rng.normal(0, 0.3, (COUNT, 3)))
    turn = np.tile(matrix_from_rotvec(np.array([0.2, 0.5, -0.3])), (COUNT, 1, 1))
    mount = MountEvidence(
        rotation=turn,
        position=np.zeros((COUNT, 3)),
        seen=np.arange(COUNT) < COUNT - 5,
        pose_sigma_m=np.full(COUNT, 0.001),
        pose_sigma_rad=np.full(COUNT, 0.001),
        palm=turn @ known.poses.rotation,
        wrist=(turn @ known.poses.position[..., None])[..., 0],
        sigma_m=np.full(COUNT, 0.003),
        sigma_rad=np.full((COUNT, 3), 0.05),
    )
    head = Evidence.of(
        normalised(landmark_mixing() @ known.joints),
        np.full((COUNT, 21), 0.01),
        np.full((COUNT, 21, 3), np.nan),
        seen=np.ones(COUNT, dtype=bool),
    )
    return known, replace(head, views=(mount,))


def fitted(evidence, shape):
    terms = terms_of(evidence, shape, guess_sigma_m=GUESS)
    poses, _ = fit_frames(terms)
    for _ in range(3):
        terms = robustified(terms, poses, evidence.sigma_rad)
        poses, _ = fit_frames(terms, poses)
    return poses, terms


def test_the_camera_holds_a_hand_of_the_wrong_size(carried, length_mm):
    known, evidence = carried
    poses, terms = fitted(evidence, hand_shape(1.08 * length_mm))
    miss = np.linalg.norm(poses.position - known.poses.position, axis=1)
    assert miss[-5:].min() > 0.02  # where the camera is not located
    assert miss[:-5].max() < 0.012
    for number in range(27):
        step = np.zeros((COUNT, 27))
        step[:, number] = 1e-6
        (mount,) = terms.views
        points, moved = (terms.mixing @ p.joints(terms.shape) for p in (poses, poses.moved(step)))
        change = (mount.residuals(moved) - mount.residuals(points)) / 1e-6
        slope = mount.jacobian(points, ((moved - points) / 1e-6)[..., None])[..., 0]
        np.testing.assert_allclose(slope, change, atol=1e-4 * max(np.abs(change).max(), 1.0))


def test_what_cannot_be_this_hand_is_overruled(carried, length_mm):
    known, evidence = carried
    (mount,) = evidence.views
    shape = hand_shape(length_mm)
    poses = known.poses
    aside = np.zeros((COUNT, 3))
    aside[3], aside[-1] = 0.15, 0.15  # in the last frame the camera is not located
    about = matrix_from_rotvec(np.where(np.arange(COUNT)[:, None] == 7, [2.0, 0.0, 0.0], 0.0))
    read = replace(poses, position=poses.position + aside, rotation=poses.rotation @ about)
    wrong = overruled(evidence, read, mount=mount)
    assert np.flatnonzero(wrong).tolist() == [3, 7]
    rest, right = held_alone(evidence, read, shape, mount=mount, rows=wrong)
    assert np.flatnonzero(~rest.read).tolist() == [3, 7]
    np.testing.assert_allclose(right.position[wrong], poses.position[wrong], atol=1e-9)
    np.testing.assert_allclose(right.rotation[wrong], poses.rotation[wrong], atol=1e-9)
    loose = replace(mount, wrist=mount.wrist + np.array([0.15, 0.15, 0.0]))
    assert overruled(evidence, read, mount=loose) is None  # rather the camera is not on this hand


def test_hands_that_the_head_reads_far_worse_than_others_are_hardly_read(carried):
    _, evidence = carried
    sigma, seen = evidence.sigma_rad.copy(), np.ones(COUNT, dtype=bool)
    sigma[2], sigma[4], sigma[6, :5], seen[8] = 0.05, 0.02, 0.5, False
    found = hardly_read(replace(evidence, sigma_rad=sigma, seen=seen))
    assert np.flatnonzero(found).tolist() == [2]
    assert not hardly_read(replace(evidence, seen=np.zeros(COUNT, dtype=bool))).any()


def test_a_camera_that_was_not_seen_on_the_hand_for_long_has_no_hand(carried):
    _, evidence = carried
    (mount,) = evidence.views
    evidence = replace(evidence, seen=np.arange(COUNT) < 4)
    wrong, times_s = np.arange(COUNT) == 3, 2.0 * np.arange(COUNT)
    rows = unseen_by_head(evidence, mount=mount, wrong=wrong, times_s=times_s)
    assert np.flatnonzero(rows).tolist() == [4, 5, 6]  # the head last saw it there at 4 s
    rows = unseen_by_head(evidence, mount=mount, wrong=evidence.seen, times_s=times_s)
    assert not rows.any()


@pytest.mark.parametrize("moving", [True, False])
def test_arms_that_move_tell_the_length(rng, length_mm, moving):
    """The head has a hand of 181.5 mm too near, a longer one too far: the strap knows better."""
    share = hand_shape(None).length_m / (length_mm / 1e3)
    reach = 0.4 if moving else 0.002
    along = np.array([0.0, 0.1, 0.4]) + rng.uniform(-reach, reach, (60, 3)) * [1.0, 0.5, 0.3]
    hand = Sightings(
        wrist=np.array([0.0, -0.07, 0.04]) - (1 - share) * along + rng.normal(0, 0.002, (60, 3)),
        spread=np.tile(0.002**2 * np.eye(3), (60, 1, 1)),
        along=share * along,
        twice=np.zeros(60, dtype=bool),
        palm=np.tile(np.eye(3), (60, 1, 1)),
        turn_spread=np.zeros((60, 3, 3)),
    )
    found = length_from_straps([hand], hand_shape(None))
    assert found.scale_source == "wrist_camera"
    if moving:
        assert found.length_m == pytest.approx(length_mm / 1e3, rel=0.01)
        assert found.length_sigma_m < 0.04 * found.length_m
    else:
        assert found.length_m == pytest.approx(hand_shape(None).length_m, rel=0.01)
        assert found.length_sigma_m > 0.05 * found.length_m
