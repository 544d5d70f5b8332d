"""Pictures that the networks do not know as they are: dark ones, gloves."""

import numpy as np
import pytest

from core.session.frames import open_video
from hands.config import HandsDetectConfig
from hands.detection import detector as detector_module
from hands.detection.detector import BARE, MIRRORED_EVERY, HandDetector
from hands.detection.hindsight import hands_with_hindsight
from hands.detection.looks import as_it_is, lit, may_be_skin, skin_coloured
from hands.detection.model_file import hand_model_path
from hands.detection.views import same_hand

GREEN, YELLOW = 60, 28  # of OpenCV's 180 hues


@pytest.fixture
def picture(recordings):
    """Two hands at work, ``(540,960,3)``."""
    return picture_of(recordings, 20)


def picture_of(recordings, row):
    with open_video(recordings / "ego_video/egodex_sample.mp4") as video:
        return np.ascontiguousarray(next(video.iterate(start=row)).image_rgb[::2, ::2])


def hands_of(image):
    detector = HandDetector(hand_model_path(), HandsDetectConfig())
    return next(iter(hands_with_hindsight([image], detector, HandsDetectConfig())))


def in_gloves(image, hue_of_cloth=GREEN):
    import cv2

    hue_etc = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hue, saturation, value = np.moveaxis(hue_etc, -1, 0)
    hue_etc[(hue < 25) & (saturation > 40) & (value > 60), :2] = hue_of_cloth, 200
    return cv2.cvtColor(hue_etc, cv2.COLOR_HSV2RGB)


def test_hands_in_gloves_are_found_in_the_colour_of_skin(picture, monkeypatch):
    gloves, bare = in_gloves(picture), hands_of(picture)
    found = hands_of(gloves)
    assert any(same_hand(hand, one) for hand in found for one in bare)
    assert all(any(same_hand(hand, one) for one in bare) for hand in found)
    assert skin_coloured in {hand.look for hand in found}
    monkeypatch.setattr(detector_module, "skin_coloured", as_it_is)
    assert not hands_of(gloves)


def test_a_wearer_of_bare_hands_has_no_gloves(recordings):
    """What then looks like a hand in the colour of skin alone is a thing; a hand in view is not."""
    picture = picture_of(recordings, 29)
    gloves = in_gloves(picture, YELLOW)
    detector = HandDetector(hand_model_path(), HandsDetectConfig())
    for _ in range(20):
        assert len(detector.detect(picture)) == 2
    for _ in range(2):
        found = detector.detect(gloves)
        assert {hand.look for hand in found} == {as_it_is, skin_coloured}
    for _ in range(6):
        detector.detect(np.zeros_like(picture))
    for _ in range(8):
        assert skin_coloured not in {hand.look for hand in detector.detect(gloves)}


def test_gloves_are_told_from_bare_hands_by_their_colour(picture):
    bare, gloves = hands_of(picture), in_gloves(picture)
    assert all(may_be_skin(picture, hand.raw21_px) for hand in bare)
    assert not any(may_be_skin(gloves, hand.raw21_px) for hand in bare)


def test_the_second_glove_is_looked_for_where_the_first_is_in_the_mirror(picture, monkeypatch):
    """The palm network knows no palms of gloves; here it finds none at all."""
    half = in_gloves(picture)[:, 480:]
    gloves = np.ascontiguousarray(np.hstack([half[:, ::-1], half]))
    detector = HandDetector(hand_model_path(), HandsDetectConfig())
    for _ in range(BARE):
        assert len(detector.detect(gloves)) == 2
    monkeypatch.setattr(detector_module, "find_palms", lambda *_, **__: [])
    lost = detector.followed.pop().hand
    found = [hand for _ in range(MIRRORED_EVERY) for hand in detector.detect(gloves)]
    assert any(same_hand(hand, lost) for hand in found)


def test_hands_in_a_twelfth_of_the_light_are_found(recordings):
    import cv2

    path = recordings / "tfjs_handpose/hand-pose-detection/test_data/hands.jpg"
    picture = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
    bare, found = hands_of(picture), hands_of(picture // 12)
    assert len(bare) == 2
    assert all(any(same_hand(hand, one) for hand in found) for one in bare)


def test_no_look_makes_up_hands(picture):
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    room = np.ascontiguousarray(picture[:240, 640:])  # a cupboard, no hand
    for image in (noise, noise // 25, in_gloves(room)):
        assert not hands_of(image)


def test_light_is_added_only_where_it_is_missing():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    assert lit(ramp) is ramp
    brighter = lit(ramp // 8).astype(float)
    assert 200 < brighter.max() <= 255
    assert np.all(np.diff(brighter[0, :, 0]) >= 0)
    black = np.zeros((64, 64, 3), dtype=np.uint8)
    assert not lit(black).any()


def test_skin_is_redder_than_blue():
    grey = np.full((32, 32, 3), 120, dtype=np.uint8)
    assert as_it_is(grey) is grey
    red, green, blue = skin_coloured(grey)[5, 5].tolist()
    assert red > green > blue > 0
