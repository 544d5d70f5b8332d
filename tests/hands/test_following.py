"""Hands are found, followed, and counted once."""

import json

import numpy as np

from hands.config import HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.model_file import hand_model_path
from hands.detection.views import FoundHand, distinct, whole_hands

TFJS = "tfjs_handpose/hand-pose-detection/test_data"
WIDE, HIGH = 1280, 720


def test_a_small_hand_that_crosses_a_wide_picture_is_not_lost(recordings):
    """Too small for the palm network in the whole picture, as at arm's length."""
    import cv2

    folder = recordings / TFJS
    picture = cv2.imread(str(folder / "hands.jpg"))[..., ::-1]
    points = json.loads((folder / "hands_expected.json").read_text(encoding="utf-8"))
    px = np.array(points["keypoints_xy"], dtype=np.float64)
    left = px[np.argmin(px[:, 0, 0])]  # of the two hands, the one at the left of the picture
    middle = int((px[:, :, 0].max(axis=1).min() + px[:, :, 0].min(axis=1).max()) / 2)
    hand = np.ascontiguousarray(picture[:, :middle])
    scale = 70 / np.ptp(left[:, 1])
    small = cv2.resize(hand, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    high, wide = small.shape[:2]
    missed, steps = [], np.arange(60, WIDE - wide - 60, 9)
    detector = HandDetector(hand_model_path(), HandsDetectConfig())
    for step, x in enumerate(steps.tolist()):
        image = np.full((HIGH, WIDE, 3), 120, dtype=np.uint8)
        y = 300 + round(60 * np.sin(step / 15))
        image[y : y + high, x : x + wide] = small
        truth = left.mean(axis=0) * scale + [x, y]
        hands = detector.detect(image)
        near = [np.linalg.norm(h.raw21_px.mean(axis=0) - truth) < 25 for h in hands]
        missed.append(not any(near))
    first = missed.index(False)
    assert first < 30
    assert np.mean(missed[first:]) < 0.03


def test_a_small_hand_inside_a_large_one_is_its_piece(hand, camera):
    known = hand("right", position=[[0.0, 0.0, 0.4]]).seen_by(camera)
    px, points = known.raw21_px[0], known.raw21_in_hand[0]
    whole_hand = FoundHand("right", 0.9, px, points)
    middle = px.mean(axis=0)
    piece = FoundHand("left", 0.9, middle + 0.5 * (px - middle) + 10.0, points)
    beside = FoundHand("left", 0.9, middle + 0.5 * (px - middle) + 300.0, points)
    assert whole_hands([piece, whole_hand, beside]) == [whole_hand, beside]
    similar = FoundHand("left", 0.9, px + 30.0, points)
    assert whole_hands([whole_hand, similar]) == [whole_hand, similar]  # a hand over a hand


def test_a_hand_that_a_tracker_holds_twice_counts_once(hand, camera):
    known = hand("left", position=[[0.0, 0.0, 0.4]]).seen_by(camera)
    px, points = known.raw21_px[0], known.raw21_in_hand[0]
    once, again = (FoundHand("left", 0.9 - s / 50, px + s, points) for s in (0.0, 5.0))
    other = FoundHand("right", 0.85, px + 400.0, points)
    assert distinct([again, once, other], []) == [once, other]
    assert distinct([again, other], [once]) == [other]
