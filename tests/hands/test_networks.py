"""Our way around MediaPipe's two networks: its geometry by known answers, its results by its own
runner.
"""

from importlib.util import find_spec

import numpy as np
import pytest

from core.errors import BadInputError
from hands.config import HandsDetectConfig
from hands.detection.crops import Crop, crop_of_hand, crop_of_palm, upright_angle
from hands.detection.detector import HandDetector
from hands.detection.model_file import hand_model_path, write_task_file
from hands.detection.networks import PALM_PX, HandNetworks
from hands.detection.palms import anchors, decode, merged, tile_views, whole_view

PICTURE = "tfjs_handpose/hand-pose-detection/test_data/hands.jpg"


def test_anchors_lie_in_the_middle_of_their_cells():
    centres = anchors()
    assert centres.shape == (2016, 2)
    np.testing.assert_allclose(centres[[0, 1, 2]], [[0.5 / 24] * 2] * 2 + [[1.5 / 24, 0.5 / 24]])
    np.testing.assert_allclose(centres[1152], [0.5 / 12] * 2)
    np.testing.assert_allclose(centres[-1], [11.5 / 12] * 2)


def test_an_answer_is_read_from_its_anchor():
    raw = np.zeros((1, 18))
    raw[0, :6] = PALM_PX * np.array([0.1, 0.0, 0.2, 0.4, -0.1, 0.3])
    box = decode(raw, np.array([[0.5, 0.5]]))[0]
    np.testing.assert_allclose(box[:6], [0.5, 0.3, 0.7, 0.7, 0.4, 0.8])


def test_answers_for_one_palm_become_their_weighted_mean():
    one = np.tile([0.1, 0.1, 0.3, 0.3], 5)[:18]
    answers = np.array([one, one + 0.01, one + 0.5])
    means, best = merged(answers, np.array([0.6, 0.9, 0.5]))
    np.testing.assert_allclose(means, [one + 0.006, one + 0.5])
    np.testing.assert_allclose(best, [0.9, 0.5])
    assert merged(np.zeros((0, 18)), np.zeros(0))[0].shape == (0, 18)


def test_a_crop_stands_upright_on_its_hand():
    assert upright_angle(np.array([0.0, -1.0])) == 0
    assert upright_angle(np.array([1.0, 0.0])) == pytest.approx(np.pi / 2)
    box = np.array([100.0, 200.0, 140.0, 240.0])
    palm = crop_of_palm(box, wrist_px=np.array([100, 220.0]), knuckle_px=np.array([140, 220.0]))
    np.testing.assert_allclose(palm.centre_px, [140, 220])  # half a palm on, towards the fingers
    assert palm.side_px == pytest.approx(2.6 * 40)
    np.testing.assert_allclose(palm.in_picture(np.array([0.5, 0.0])), [192, 220])  # its upper edge


def test_the_crop_of_a_turned_hand_is_the_turned_crop():
    rng = np.random.default_rng(3)
    px = rng.uniform(0, 60, (21, 2)) + np.linspace(100, 0, 21)[:, None] * [0, 1]
    crop, turn = crop_of_hand(px), Crop(np.zeros(2), 1.0, 1.1).turn
    turned = crop_of_hand(px @ turn.T)
    assert turned.angle == pytest.approx(crop.angle + 1.1)
    assert crop_of_hand(2 * px).side_px == pytest.approx(2 * crop.side_px)


def test_a_crop_shows_what_lies_there():
    image = np.zeros((100, 120, 3), dtype=np.uint8)
    image[30:50, 60:80] = 200
    cut = Crop(np.array([69.5, 39.5]), 40.0, 0.4).cut(image, size=80, border=0)
    assert cut.shape == (80, 80, 3)
    assert cut[40, 40].tolist() == [200] * 3
    assert cut[2, 2].tolist() == [0] * 3
    assert np.mean(cut > 100) == pytest.approx(0.25, abs=0.01)


def test_views_cover_the_picture():
    whole = whole_view((640, 480))
    np.testing.assert_allclose(
        whole.in_picture(np.array([[0, 0.125], [1, 0.875]])), [[-0.5, -0.5], [639.5, 479.5]]
    )
    seen = np.zeros((480, 640), dtype=bool)
    for tile in tile_views((640, 480)):
        (x, y), (right, bottom) = (
            tile.in_picture(np.array([[0.0, 0.0], [1.0, 1.0]])).round().astype(int)
        )
        assert x >= -1
        assert y >= -1
        seen[max(0, y) : bottom + 1, max(0, x) : right + 1] = True
    assert seen.all()


def test_a_task_file_without_the_networks_is_refused(tmp_path):
    path = tmp_path / "own.task"
    write_task_file(path, {"hand_detector.tflite": b"no network"})
    with pytest.raises(BadInputError, match=r"own\.task"):
        HandNetworks(path)


def test_hands_lie_where_mediapipes_own_runner_puts_them(recordings, missing):
    """Both follow the same two hands for some pictures: landmarks, 3D points and labels agree."""
    if find_spec("mediapipe") is None:
        missing("needs mediapipe: pip install 'handoff-ego[dev]'")
    import cv2
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    image = np.ascontiguousarray(cv2.imread(str(recordings / PICTURE))[..., ::-1])
    size, model = np.array(image.shape[1::-1]), hand_model_path()
    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=vision.RunningMode.VIDEO,
        num_hands=2,
    )
    picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
    detector = HandDetector(model, HandsDetectConfig())
    with vision.HandLandmarker.create_from_options(options) as peer:
        for look in range(6):
            ours = detector.detect(image)
            theirs = peer.detect_for_video(picture, 33 * look)
    assert len(ours) == len(theirs.hand_landmarks) == 2
    for label, points, world in zip(
        theirs.handedness, theirs.hand_landmarks, theirs.hand_world_landmarks, strict=True
    ):
        px = np.array([[p.x, p.y] for p in points]) * size - 0.5
        one = min(ours, key=lambda hand: np.linalg.norm(hand.raw21_px - px))
        assert one.side == label[0].category_name.lower()
        assert np.median(np.linalg.norm(one.raw21_px - px, axis=1)) < 1.0
        in_hand = np.array([[p.x, p.y, p.z] for p in world])
        assert np.median(np.linalg.norm(one.raw21_in_hand - in_hand, axis=1)) < 0.002
