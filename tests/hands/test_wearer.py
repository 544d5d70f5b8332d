"""Known hands, projected through known cameras, come back where they were."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.metrics import rotation_error_deg
from core.geometry.palm import palm_frame
from hands import wearer as room
from hands.association import associate
from hands.config import HandsConfig
from hands.lift import candidates, evidence_of
from hands.model.doubt import doubted
from hands.model.fit import fit_frames, terms_of
from hands.model.proportions import hand_shape
from hands.wearer import wearer_hands

RATE = 30.0


def solved(source, camera, *, ticks, length_mm, config=None):
    stamps = (1_000_000_000 + np.arange(ticks) * 1e9 / RATE).astype(np.int64)
    wearer = wearer_hands(
        source,
        timestamps_ns=stamps,
        camera=camera,
        shape=hand_shape(length_mm),
        config=config or HandsConfig(lifter=False),  # perfect detections are not MediaPipe's
    )
    return wearer.hands, wearer.association


def sweep(ticks, centre=(0.05, 0.03, 0.5), reach=0.06, hz=0.5):
    """A smooth path round a centre."""
    phase = 2 * np.pi * hz * np.arange(ticks) / RATE
    offset = np.stack([np.sin(phase), 0.5 * np.cos(phase), 0.5 * np.sin(2 * phase)], axis=1)
    return np.array(centre) + reach * offset


def landmark_errors(hand, known):
    truth = landmarks17_from_mediapipe21(known.joints)
    return np.linalg.norm(hand.landmarks - truth, axis=-1)


@pytest.mark.parametrize("side", ["left", "right"])
def test_known_length_gives_metric_hands_with_any_camera(any_camera, hand, length_mm, side):
    known = hand(side, position=sweep(30), turn=np.linspace([0, 0, 0], [0.3, 0.2, -0.2], 30))
    hands, _ = solved(known.seen_by(any_camera), any_camera, ticks=30, length_mm=length_mm)
    assert (hands[side].state == "measured").all()
    assert landmark_errors(hands[side], known).mean() < 0.006
    truth = palm_frame(landmarks17_from_mediapipe21(known.joints), side)
    turned = rotation_error_deg(hands[side].head_from_palm.rotation, truth.rotation)
    assert np.median(turned) < 3.0
    other = hands["right" if side == "left" else "left"]
    assert (other.state == "missing").all()
    assert set(other.reason) == {"not seen"}


def test_bones_are_the_same_in_every_frame(camera, hand, rng, length_mm):
    known = hand(position=sweep(40))
    hands, _ = solved(
        known.seen_by(camera, noise_px=2.0, rng=rng), camera, ticks=40, length_mm=length_mm
    )
    joints = hands["right"].joints
    bone = np.linalg.norm(joints[:, 6] - joints[:, 5], axis=1)
    np.testing.assert_allclose(bone, bone[0], rtol=1e-5)


def test_unknown_length_is_a_wider_ray_sigma(camera, hand, length_mm):
    known = hand(position=sweep(20))
    source = known.seen_by(camera)
    measured = solved(source, camera, ticks=20, length_mm=length_mm)[0]["right"]
    guessed = solved(source, camera, ticks=20, length_mm=None)[0]["right"]
    assert np.median(guessed.sigma_ray_m / measured.sigma_ray_m) > 1.2
    miss = guessed.landmarks[:, 0] - known.joints[:, 0]
    assert (np.linalg.norm(miss, axis=1) < 2 * guessed.sigma_ray_m[:, 0]).all()


def test_a_turned_label_turns_the_palm_but_the_track_puts_it_right(camera, hand, length_mm):
    known = hand("right", position=sweep(40))
    source = known.seen_by(camera)
    source.left_label[10:16] = 0.9  # the detector changes its mind for six frames
    hands, association = solved(source, camera, ticks=40, length_mm=length_mm)
    assert (hands["right"].state == "measured").all()
    assert (hands["left"].state == "missing").all()
    assert association.relabelled == 6


def test_noise_is_smoothed_without_lag(camera, hand, rng, length_mm):
    position = sweep(120, hz=1.0)
    known = hand(position=position)
    source = known.seen_by(camera, noise_px=3.0, rng=rng)
    hands, _ = solved(source, camera, ticks=120, length_mm=length_mm)
    found = hands["right"].landmarks[:, 0]
    inner = slice(15, -15)
    lags = range(-4, 5)
    errors = [
        np.linalg.norm((np.roll(found, -lag, axis=0) - position)[inner, :2], axis=1).mean()
        for lag in lags
    ]
    assert list(lags)[int(np.argmin(errors))] == 0
    rough = np.linalg.norm(np.diff(hands["right"].raw21[:, 0], n=2, axis=0), axis=1)
    smooth = np.linalg.norm(np.diff(found, n=2, axis=0), axis=1)
    assert np.median(smooth) < 0.3 * np.median(rough)


def test_a_hand_at_rest_does_not_shake(camera, hand, rng, length_mm):
    known = hand(position=np.tile([0.05, 0.03, 0.5], (60, 1)))
    source = known.seen_by(camera, noise_px=2.0, rng=rng)
    still = solved(source, camera, ticks=60, length_mm=length_mm)[0]["right"]
    shake = np.diff(still.landmarks[:, 1], n=2, axis=0) / np.sqrt(6)
    assert np.median(np.linalg.norm(shake, axis=1)) < 0.001


def test_short_gaps_are_bridged_and_marked_long_ones_stay_empty(camera, hand, length_mm):
    known = hand(position=sweep(90))
    rows = np.array([r for r in range(90) if not (20 <= r < 24 or 40 <= r < 60)])
    source = known.seen_by(camera)
    part = type(source)(*(getattr(source, n)[rows] for n in vars(source)))
    found = solved(part, camera, ticks=90, length_mm=length_mm)[0]["right"]
    assert (found.state[20:24] == "interpolated").all()
    assert (found.state[40:60] == "missing").all()
    assert set(found.reason[40:60]) == {"not seen"}
    assert np.isnan(found.landmarks[40:60]).all()
    assert not found.visible[20:24].any()
    error = np.linalg.norm(found.landmarks[20:24, 0] - known.joints[20:24, 0], axis=1)
    assert error.max() < 0.02
    assert (found.sigma_lateral_m[21:23] > found.sigma_lateral_m[19]).all()


def test_a_frame_that_contradicts_its_neighbours_is_an_outlier(camera, hand, rng, length_mm):
    known = hand(position=sweep(40))
    source = known.seen_by(camera)
    palm = np.linalg.norm(source.raw21_px[18, 9] - source.raw21_px[18, 0])
    source.raw21_px[18] += rng.normal(0.0, 0.6 * palm, (21, 2))
    found = solved(source, camera, ticks=40, length_mm=length_mm)[0]["right"]
    assert found.state[18] == "interpolated"
    assert (np.delete(found.state, 18) == "measured").all()
    assert landmark_errors(found, known)[18].mean() < 0.02


def test_a_flash_of_a_hand_is_no_hand(camera, hand, length_mm):
    known = hand(position=sweep(60)[:3])
    found = solved(known.seen_by(camera, rows=[30, 31, 32]), camera, ticks=60, length_mm=length_mm)
    assert (found[0]["right"].state == "missing").all()
    assert set(found[0]["right"].reason[30:33]) == {"too brief"}
    assert not found[0]["right"].visible.any()


def test_no_hand_at_all(camera, length_mm):
    from hands.sources import SourceHands

    nothing = SourceHands(
        np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 21, 2)), np.zeros((0, 21, 3))
    )
    hands, association = solved(nothing, camera, ticks=12, length_mm=length_mm)
    for hand in hands.values():
        assert (hand.state == "missing").all()
        assert np.isnan(hand.head_from_palm.to_pose7()).all()
    assert len(association.reason) == 0


def test_a_source_without_3d_points_still_gives_hands(camera, hand, rng, length_mm):
    known = hand("left", position=sweep(30))
    source = known.seen_by(camera, noise_px=1.0, rng=rng)
    source.raw21_in_hand[:] = np.nan
    found = solved(source, camera, ticks=30, length_mm=length_mm)[0]["left"]
    assert (found.state == "measured").all()
    assert landmark_errors(found, known).mean() < 0.03
    assert np.isnan(found.raw21).all()


def test_sigmas_hold_two_thirds_of_the_errors(camera, hand, rng, length_mm):
    """Landmarks of one finger err together, as real ones do; each frame alone."""
    errors, sigmas = [], []
    config = HandsConfig(lifter=False, most_sigma_m=1.0)
    for _ in range(40):
        place = rng.uniform([-0.1, -0.1, 0.35], [0.1, 0.1, 0.6])
        known = hand(position=[place], turn=[rng.normal(0, 0.3, 3)])
        source = known.seen_by(camera)
        palm = np.linalg.norm(source.raw21_px[0, 9] - source.raw21_px[0, 0])
        sigma_px = HandsConfig().landmark_sigma * palm
        source.raw21_px[0] += rng.normal(0, sigma_px, (21, 2))
        source.raw21_px[0, 1:] += rng.normal(0, 2 * sigma_px, (5, 2)).repeat(4, axis=0)
        found = solved(source, camera, ticks=1, length_mm=length_mm, config=config)[0]["right"]
        truth = landmarks17_from_mediapipe21(known.joints)[0]
        errors.append(found.landmarks[0, :, :2] - truth[:, :2])
        sigmas.append(found.sigma_lateral_m[0])
    inside = np.abs(np.array(errors)) < np.array(sigmas)[..., None]
    assert 0.6 < inside.mean() < 0.97


def test_what_is_imagined_beyond_the_edge_does_not_move_the_hand(
    camera, hand, length_mm, monkeypatch
):
    edge = camera.size_wh[0] - 0.5
    ray = camera.unproject(np.array([edge, camera.size_wh[1] / 2]))[0]
    x = 0.03 + np.linspace(0.0, 0.5 * ray[0] / ray[2], 60)  # the wrist ends beyond the edge
    known = hand(position=np.stack([x, np.full(60, 0.03), np.full(60, 0.5)], axis=1))
    source = known.seen_by(camera)
    px = source.raw21_px.copy()
    beyond = px[..., 0] > edge
    assert 0.2 < beyond[-1].mean() < 0.9
    px[..., 0] = np.where(beyond, edge + 0.3 * (px[..., 0] - edge), px[..., 0])

    def worst():
        found = solved(replace(source, raw21_px=px), camera, ticks=60, length_mm=length_mm)[0]
        return np.nanmax(landmark_errors(found["right"], known).mean(axis=1))

    careful = worst()
    monkeypatch.setattr("hands.lift.IMAGINED", 1.0)
    monkeypatch.setattr("hands.lift.CUT", 0.0)
    assert careful < 0.5 * worst()


def test_a_palm_that_may_be_anywhere_is_missing(camera, hand, length_mm):
    ticks = 30
    source = hand(position=sweep(ticks)).seen_by(camera)
    plain, _ = solved(source, camera, ticks=ticks, length_mm=length_mm)
    sigma = plain["right"].palm_sigma_m.max(axis=1)
    limit = float(np.median(sigma))
    config = HandsConfig(lifter=False, most_sigma_m=limit)
    right = solved(source, camera, ticks=ticks, length_mm=length_mm, config=config)[0]["right"]
    lost = sigma > limit
    assert 0 < lost.sum() < ticks
    assert set(right.state[lost]) == {"missing"}
    assert set(right.reason[lost]) == {"too uncertain"}
    for values in (right.joints, right.raw21, right.palm_sigma_m, right.head_from_palm.rotation):
        assert np.isnan(values[lost]).all()
        np.testing.assert_array_equal(np.isnan(values[~lost]), np.zeros_like(values[~lost]))
    assert right.visible[lost].any()  # the picture shows it
    assert (right.visible <= plain["right"].visible).all()
    assert np.isnan(right.aperture_m[lost]).all()
    np.testing.assert_array_equal(right.landmarks[~lost], plain["right"].landmarks[~lost])


def test_a_palm_that_may_be_turned_anyhow_is_missing(camera, hand, length_mm):
    ticks = 30
    source = hand(position=sweep(ticks)).seen_by(camera)
    plain, _ = solved(source, camera, ticks=ticks, length_mm=length_mm)
    sigma = np.degrees(plain["right"].palm_sigma_rad.max(axis=1))
    config = HandsConfig(lifter=False, most_sigma_deg=float(np.median(sigma)))
    right = solved(source, camera, ticks=ticks, length_mm=length_mm, config=config)[0]["right"]
    lost = right.reason == "too uncertain"
    np.testing.assert_array_equal(lost, sigma > config.most_sigma_deg)
    assert 0 < lost.sum() < ticks


def test_a_frame_that_another_camera_tells_of_is_not_doubted(hand, camera, rng, length_mm):
    known = hand(position=np.tile([0.0, 0.05, 0.5], (4, 1)))
    found = candidates(known.seen_by(camera, noise_px=2.0, rng=rng), camera)
    association = associate(found, 4, farthest_m=1.0)
    seen = evidence_of(found, association, side=1, camera=camera, landmark_sigma=0.035)
    terms = terms_of(seen, hand_shape(length_mm), guess_sigma_m=HandsConfig().guess_sigma_m)
    twice = np.array([True, False, True, False])
    trust = doubted(terms, fit_frames(terms)[0], twice=twice).weight / terms.weight
    assert (trust[twice] == 1.0).all()
    assert (trust[~twice] < 0.9).all()


def test_long_sessions_are_fitted_in_windows(camera, hand, length_mm, monkeypatch):
    source = hand(position=sweep(90, hz=0.3)).seen_by(camera)
    whole, _ = solved(source, camera, ticks=90, length_mm=length_mm)
    monkeypatch.setattr(room, "WINDOW", 30)
    monkeypatch.setattr(room, "OVERLAP", 15)
    cut, _ = solved(source, camera, ticks=90, length_mm=length_mm)
    apart = np.linalg.norm(cut["right"].landmarks - whole["right"].landmarks, axis=-1)
    assert apart.max() < 0.001
    assert len(cut["left"].state) == 90


def test_memory_grows_by_what_is_kept_of_a_tick(camera, hand, length_mm, monkeypatch):
    monkeypatch.setattr(room, "WINDOW", 20)
    monkeypatch.setattr(room, "OVERLAP", 2)
    config = HandsConfig(lifter=False, bone_frames=20)

    def peak(ticks):
        source = hand(position=sweep(ticks)).seen_by(camera)
        tracemalloc.start()
        try:
            solved(source, camera, ticks=ticks, length_mm=length_mm, config=config)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(140) - peak(40) < 100 * 6000
