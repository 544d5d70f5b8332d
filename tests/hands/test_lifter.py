"""The lifter on answers to rendered hands it was not trained on, and on made-up ones."""

from pathlib import Path

import numpy as np
import pytest

from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.metrics import rotation_error_deg
from core.geometry.palm import palm_frame
from core.geometry.rotations import matrix_from_rotvec
from hands.model.evidence import Evidence, normalised, turn_to
from hands.model.lifter import lifted
from hands.model.lifter_training import (
    LifterTraining,
    Samples,
    error_of,
    faithful,
    samples_from,
    save,
    train,
)

DETECTED = Path(__file__).with_name("detected_portraits.npz")


@pytest.fixture(scope="module")
def detected() -> Samples:
    """MediaPipe's answers to hands of `sim.hand_portraits`, scenes kept out of the training."""
    with np.load(DETECTED) as arrays:
        return samples_from(dict(arrays), (640, 480))


def evidence_of(samples: Samples) -> Evidence:
    count = len(samples.rays)
    sigma = np.full((count, 21), 0.01)
    return Evidence.of(samples.rays, sigma, samples.guess, seen=np.ones(count, dtype=bool))


def palms(points: np.ndarray) -> np.ndarray:
    return palm_frame(landmarks17_from_mediapipe21(points), "right").rotation


def in_camera(evidence: Evidence) -> np.ndarray:
    turn = turn_to(normalised(evidence.rays.mean(axis=1)))
    return evidence.guess @ np.swapaxes(turn, 1, 2)


def test_rendered_hands_are_put_right(detected):
    raw, better = evidence_of(detected), lifted(evidence_of(detected))
    before, after = (
        np.median(rotation_error_deg(palms(in_camera(e)), palms(detected.points)))
        for e in (raw, better)
    )
    assert after < 0.7 * before
    truth = normalised(detected.points)
    before, after = (np.median(np.linalg.norm(e.rays - truth, axis=-1)) for e in (raw, better))
    assert after < 0.85 * before


def test_distance_is_told_with_its_sigma(detected):
    found = lifted(evidence_of(detected))
    centre = normalised(detected.rays.mean(axis=1))
    middle = np.einsum("nki,ni->n", detected.points, centre) / 21 / detected.length_m
    miss = np.log(found.distance / middle)
    assert np.median(np.abs(miss)) < 0.06
    assert 0.4 < np.mean(np.abs(miss) < found.distance_sigma) < 0.9


def test_right_answers_of_hands_that_face_the_camera_stay(detected):
    samples = faithful(detected, np.random.default_rng(0), LifterTraining())
    raw, kept = evidence_of(samples), lifted(evidence_of(samples))
    turned = np.median(rotation_error_deg(palms(in_camera(kept)), palms(samples.points)))
    assert turned < 1.6 * np.median(
        rotation_error_deg(palms(in_camera(raw)), palms(samples.points))
    )


def test_the_palm_is_left_to_the_picture_where_the_guess_agrees_with_it(detected):
    plain = evidence_of(detected)
    points = detected.points - detected.points.mean(axis=1, keepdims=True)
    rays = normalised(detected.points)
    guess = points @ turn_to(normalised(rays.mean(axis=1)))
    agreeing = lifted(Evidence.of(rays, plain.sigma_rad, guess, seen=plain.seen))
    sigma, of_agreeing = lifted(plain).palm_sigma, agreeing.palm_sigma
    assert 0.03 < np.median(sigma) < 0.15
    assert np.median(of_agreeing) > 5 * np.median(sigma)


def test_a_turn_of_the_picture_turns_the_answer(detected):
    samples = detected.take(slice(0, 20))
    spin = matrix_from_rotvec(np.array([0.0, 0.0, 0.7]))
    plain = evidence_of(samples)
    turned = Evidence.of(
        plain.rays @ spin.T, plain.sigma_rad, plain.guess @ spin.T, seen=plain.seen
    )
    one, other = lifted(plain), lifted(turned)
    np.testing.assert_allclose(one.rays @ spin.T, other.rays, atol=1e-9)
    np.testing.assert_allclose(one.distance, other.distance, rtol=1e-9)


def test_hands_without_a_guess_stay_as_they_are(detected):
    plain = evidence_of(detected.take(slice(0, 4)))
    guess = plain.guess.copy()
    guess[1] = np.nan
    mixed = lifted(Evidence.of(plain.rays, plain.sigma_rad, guess, seen=plain.seen))
    np.testing.assert_array_equal(mixed.rays[1], plain.rays[1])
    assert np.isinf(mixed.distance_sigma[1])
    assert np.isfinite(mixed.distance_sigma[[0, 2, 3]]).all()


def test_training_learns_and_is_repeatable(detected, tmp_path):
    pytest.importorskip("torch")
    config = LifterTraining(hidden=32, steps=60, batch=64)
    first, again = (train(detected, config) for _ in range(2))
    for name, arrays in (("small", first), ("again", again)):
        save(arrays, tmp_path / f"{name}.npz")
    assert (tmp_path / "small.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()
    losses = [error_of(arrays, detected) for arrays in (first, train(detected, LifterTraining(
        hidden=32, steps=2, batch=64)))]  # fmt: skip
    assert losses[0] < 0.9 * losses[1]
    assert (tmp_path / "small.npz").stat().st_size < 60_000
