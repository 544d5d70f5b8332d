"""Corners of printed markers, held against where they were drawn."""

import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.markers import FAMILIES, MarkerFinder

PRINT_PX = 600


def drawn(quads, *, family="apriltag_36h11", blur=0.8, noise=2.0, size_wh=(640, 480)):
    """A grey picture with markers 0, 1, … whose corners are ``(4,2)`` px each."""
    width, height = size_wh
    image = np.full((4 * height, 4 * width), 150, np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(FAMILIES[family])
    for number, quad in enumerate(quads):
        marker = cv2.aruco.generateImageMarker(dictionary, number, PRINT_PX)
        marker = cv2.copyMakeBorder(marker, 100, 100, 100, 100, cv2.BORDER_CONSTANT, value=235)
        low, high = 100 - 0.5, 100 + PRINT_PX - 0.5
        corners = np.array([[low, low], [high, low], [high, high], [low, high]])
        warp = cv2.getPerspectiveTransform(
            corners.astype(np.float32), (4 * (np.array(quad) + 0.5) - 0.5).astype(np.float32)
        )
        cv2.warpPerspective(
            marker, warp, (4 * width, 4 * height), dst=image, flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_TRANSPARENT,
        )  # fmt: skip
    small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA).astype(np.float64)
    small = cv2.GaussianBlur(small, (0, 0), blur)
    small += np.random.default_rng(3).normal(0, noise, small.shape)
    return np.clip(small, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("side_px", [30, 60, 150])
def test_corners_are_where_they_were_drawn(side_px):
    quad = np.array([[0.0, 0.1], [1.0, 0.0], [1.08, 0.93], [0.05, 0.9]]) * side_px + [200.3, 150.7]
    found = MarkerFinder("apriltag_36h11").find(drawn([quad]))
    np.testing.assert_allclose(found[0], quad, atol=0.2)
    size = np.linalg.norm(found[0] - np.roll(found[0], 1, axis=0), axis=1).mean()
    true = np.linalg.norm(quad - np.roll(quad, 1, axis=0), axis=1).mean()
    assert size == pytest.approx(true, abs=0.15)  # single blurred corners would lie 0.3 px inside


def test_several_markers_are_told_apart():
    square = np.array([[0.0, 0.0], [60.0, 0.0], [60.0, 60.0], [0.0, 60.0]])
    found = MarkerFinder("aruco_4x4").find(drawn([square + 100, square + 300], family="aruco_4x4"))
    assert sorted(found) == [0, 1]
    np.testing.assert_allclose(found[1].mean(axis=0), [330, 330], atol=0.1)


def test_a_picture_without_markers_has_none():
    noise = np.random.default_rng(0).integers(0, 255, (480, 640)).astype(np.uint8)
    assert MarkerFinder("apriltag_36h11").find(noise) == {}


def test_unknown_families_are_refused():
    with pytest.raises(BadInputError, match=r"marker_family='qr'.*apriltag_36h11"):
        MarkerFinder("qr")
