"""The hand that carries its camera is found, though its wrist lies outside of the picture."""

import json
from itertools import pairwise

import numpy as np

from hands.config import HandsDetectConfig
from hands.detection.crops import crop_of_hand
from hands.detection.detector import HandDetector
from hands.detection.model_file import hand_model_path
from hands.detection.own_hand import is_own, places
from hands.detection.views import FoundHand

TFJS = "tfjs_handpose/hand-pose-detection/test_data"
WIDE, HIGH = 640, 480


def test_places_point_inwards_from_every_side():
    crops = places((WIDE, HIGH))
    directions = {(round(np.sin(c.angle), 3), round(-np.cos(c.angle), 3)) for c in crops}
    assert len(directions) == 8
    for crop in crops:
        fingers = np.array([np.sin(crop.angle), -np.cos(crop.angle)])
        towards_wrist = crop.centre_px - [WIDE / 2 - 0.5, HIGH / 2 - 0.5]
        assert towards_wrist @ fingers < -50
    turned = [abs(a.angle - b.angle) for a, b in pairwise(crops[:8])]
    assert min(turned) > np.pi / 2  # one after another they look in different directions


def test_only_a_large_hand_is_the_cameras_own(hand, camera):
    px = hand("right", position=[[0.0, 0.0, 0.4]]).seen_by(camera).raw21_px[0]
    side = crop_of_hand(px).side_px
    for factor, own in ((0.35, False), (0.45, True)):
        scaled = FoundHand("right", 0.9, px * factor * WIDE / side, np.zeros((21, 3)))
        assert is_own(scaled, (WIDE, HIGH)) == own


def test_a_large_hand_without_its_wrist_is_found_by_trying(recordings):
    """A photographed hand hangs into the picture from above, cut across the palm."""
    import cv2

    picture = cv2.imread(str(recordings / TFJS / "hands.jpg"))[..., ::-1]
    points = json.loads((recordings / TFJS / "hands_expected.json").read_text(encoding="utf-8"))
    px = np.array(points["keypoints_xy"], dtype=np.float64)
    left = px[np.argmin(px[:, 0, 0])]
    fingers, wrist = left[9] - left[0], left[0]
    scale = 330 / np.linalg.norm(fingers)
    angle = np.arctan2(fingers[0], -fingers[1])  # of the fingers from up; they shall point down
    turn = scale * np.array([[-np.cos(angle), -np.sin(angle)], [np.sin(angle), -np.cos(angle)]])
    matrix = np.column_stack([turn, [330, -130] - turn @ wrist])
    image = cv2.warpAffine(picture, matrix, (WIDE, HIGH), borderValue=(255, 255, 255))
    truth = left @ turn.T + matrix[:, 2]
    assert truth[0, 1] < -100
    found = {}
    for worn in (False, True):
        detector = HandDetector(hand_model_path(), HandsDetectConfig(), worn=worn)
        looks = [detector.detect(image) for _ in range(20)]
        found[worn] = [h for h in looks[-1] if is_own(h, (WIDE, HIGH))]
    assert not found[False]
    (one,) = found[True]
    miss = np.linalg.norm(one.raw21_px - truth, axis=1)[5:]
    assert np.median(miss) < 0.15 * 330
