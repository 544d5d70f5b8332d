"""Printed AprilTag and ArUco markers in pictures: families and corner finding, by OpenCV."""

from typing import Any

import cv2
import numpy as np

from core.errors import BadInputError
from core.geometry.arrays import Floats

FAMILIES = {
    "apriltag_16h5": cv2.aruco.DICT_APRILTAG_16h5,
    "apriltag_25h9": cv2.aruco.DICT_APRILTAG_25h9,
    "apriltag_36h10": cv2.aruco.DICT_APRILTAG_36h10,
    "apriltag_36h11": cv2.aruco.DICT_APRILTAG_36h11,
    "aruco_4x4": cv2.aruco.DICT_4X4_250,
    "aruco_5x5": cv2.aruco.DICT_5X5_250,
    "aruco_6x6": cv2.aruco.DICT_6X6_250,
    "aruco_7x7": cv2.aruco.DICT_7X7_250,
    "aruco_original": cv2.aruco.DICT_ARUCO_ORIGINAL,
}

ROUNDS, STEP_PX = 3, 0.25
FARTHEST_PX = 3.0  # a refined corner further off is none


class MarkerFinder:
    """Finds the markers of one family; a few milliseconds per picture.

    Raises BadInputError for a family that does not exist.
    """

    def __init__(self, family: str) -> None:
        if family not in FAMILIES:
            raise BadInputError(
                f"marker_family={family!r}; there are: {', '.join(sorted(FAMILIES))}"
            )
        dictionary = cv2.aruco.getPredefinedDictionary(FAMILIES[family])
        self._detector = cv2.aruco.ArucoDetector(dictionary)

    def find(self, grey: Any) -> dict[int, Floats]:
        """Corners ``(4,2)`` in pixels by marker id, clockwise from the marker's top left, in an
        image ``(H,W)``."""
        corners, ids, _ = self._detector.detectMarkers(grey)
        found = {}
        for quad, marker in zip(corners, [] if ids is None else ids.ravel(), strict=True):
            found[int(marker)] = _where_sides_meet(grey, quad.reshape(4, 2).astype(np.float64))
        return found


def _where_sides_meet(grey: Any, corners: Floats) -> Floats:
    """Corners ``(4,2)`` as the crossings of lines along the four edges.

    A blurred corner looks rounded, so that one found by itself lies 0.3 px inside: 2 % of a marker
    of 30 px. Edges have no such error.
    """
    for _ in range(ROUNDS):
        ends = np.roll(corners, -1, axis=0)
        lines = [_edge(grey, start, end) for start, end in zip(corners, ends, strict=True)]
        crossed = np.array([np.cross(lines[k - 1], lines[k]) for k in range(4)])
        if np.any(np.abs(crossed[:, 2]) < 1e-6):
            return corners
        moved = crossed[:, :2] / crossed[:, 2:]
        if np.abs(moved - corners).max() > FARTHEST_PX:
            return corners
        corners = moved
    return corners


def _edge(grey: Any, start: Floats, end: Floats) -> Floats:
    """The line ``(3,)``, homogeneous, of the steepest step from dark to bright outwards."""
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    outward = np.array([along[1], -along[0]])  # corners go clockwise, y points down
    reach = float(np.clip(length / 9, 1.5, 4.0))  # within the border and its white margin
    across = np.arange(-reach, reach + 1e-6, STEP_PX)
    places = start + np.linspace(0.15, 0.85, int(np.clip(length, 8, 60)))[:, None] * (end - start)
    grid = places[:, None] + across[:, None] * outward
    xy = grid.astype(np.float32)
    values = cv2.remap(grey, xy[..., 0], xy[..., 1], cv2.INTER_LINEAR).astype(np.float64)
    slope = np.maximum(np.diff(values, axis=1), 0.0)
    offset = slope @ (across[:-1] + STEP_PX / 2) / np.maximum(slope.sum(axis=1), 1e-9)
    steep = slope.sum(axis=1) > 0.5 * np.median(slope.sum(axis=1))
    far = np.arange(len(places)) / len(places) - 0.5
    tilt, middle = np.polyfit(far[steep], offset[steep], 1)
    first, last = (places[k] + outward * (tilt * far[k] + middle) for k in (0, -1))
    return np.cross([*first, 1.0], [*last, 1.0])
