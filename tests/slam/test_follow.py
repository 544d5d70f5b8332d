"""Corners in made images: known shifts, hands, bare walls."""

import cv2
import numpy as np
import pytest

from core.geometry.cameras import pinhole
from core.session.tables import Detections
from slam.config import SlamConfig
from slam.sight.follow import Follower
from slam.sight.hand_masks import HandMasks

CAMERA = pinhole(300.0, (320, 240))


def texture(seed=0):
    noise = np.random.default_rng(seed).uniform(0, 255, (300, 400)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX)


def shifted(image, dx, dy):
    move = np.array([[1, 0, -20 - dx], [0, 1, -20 - dy]], np.float32)
    return (
        cv2.warpAffine(image, move, (320, 240), flags=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    )


def test_corners_follow_a_subpixel_shift():
    image, follower = texture(), Follower(CAMERA, SlamConfig())
    shifts = [(0.0, 0.0), (3.3, -1.7), (7.1, -2.2), (12.6, -4.9)]
    for dx, dy in shifts:
        follower.add(shifted(image, dx, dy))
    tracks = follower.tracks(np.arange(4) * 33_000_000)
    first, last = (tracks.of_frames([k]) for k in (0, 3))
    both = np.isin(last.track, first.track)
    assert both.sum() > 100
    start = first.uv_px[np.searchsorted(first.track, last.track[both])]
    moved = last.uv_px[both] - start
    np.testing.assert_allclose(np.median(moved, axis=0), [-12.6, 4.9], atol=0.1)
    assert np.quantile(np.linalg.norm(moved - [-12.6, 4.9], axis=1), 0.9) < 0.3


def test_no_corner_lies_on_what_is_masked():
    image, follower = shifted(texture(), 0, 0), Follower(CAMERA, SlamConfig())
    free = np.ones((240, 320), bool)
    free[:, 160:] = False
    follower.add(image, free=None)
    follower.add(image, free=free)
    tracks = follower.tracks(np.arange(2))
    assert (tracks.of_frames([0]).uv_px[:, 0] > 170).any()
    assert not (tracks.of_frames([1]).uv_px[:, 0] > 161).any()


def test_an_even_wall_has_no_corners():
    follower = Follower(CAMERA, SlamConfig())
    for _ in range(3):
        follower.add(np.full((240, 320), 128, np.uint8))
    assert len(follower.tracks(np.arange(3)).of_frames(range(3)).frame) == 0


@pytest.mark.parametrize(("level", "noise"), [(3, 1.5), (170, 4.0)])
def test_noise_alone_has_no_corners(level, noise):
    """Flow would carry them along with the gyro's turn, as if the dark were far away."""
    rng = np.random.default_rng(0)
    follower = Follower(CAMERA, SlamConfig())
    for _ in range(3):
        picture = rng.normal(level, noise, CAMERA.size_wh[::-1])
        follower.add(np.clip(picture, 0, 255).astype(np.uint8))
    assert not len(follower.tracks(np.arange(3)).of_frames(range(3)).frame)


def test_hand_mask_covers_hand_and_forearm_at_neighbouring_ticks():
    points = np.stack([np.linspace(140, 180, 21), np.linspace(150, 100, 21)], axis=1)
    points += 8 * np.random.default_rng(0).normal(size=points.shape)
    points[0], points[9] = (160, 160), (160, 130)  # wrist below the middle knuckle
    table = Detections(
        stream=np.array(["head", "left_wrist"], object),
        tick=np.array([5, 9]),
        side=np.array(["left", "left"], object),
        score=np.ones(2, np.float32),
        box_xyxy_px=np.tile(np.array([140, 90, 180, 160], np.float32), (2, 1)),
        raw21_px=np.tile(points.ravel().astype(np.float32), (2, 1)),
    )
    masks = HandMasks(table, "head", size_wh=(160, 120), scale=np.array([0.5, 0.5]))
    assert masks.free(2) is None
    assert masks.free(9) is None  # another stream's hand
    for tick in (4, 5, 6):
        free = masks.free(tick)
        assert not free[65, 80]  # palm
        assert not free[100, 80]  # forearm
        assert free[20, 20]
