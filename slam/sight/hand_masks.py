"""Where hands are in the image: corners there would follow the hand, not the room."""

from typing import Any

import cv2
import numpy as np

from core.geometry.arrays import Bools, Floats
from core.session.tables import Detections

WRIST, MIDDLE_MCP = 0, 9
GROW = 1.3  # the hull of the 21 points is the skeleton; skin and sleeve lie outside
FOREARM = 3.0  # its length, in distances from the wrist to the middle knuckle
REACH_TICKS = 1  # a hand seen at one tick is masked at its neighbours too


class HandMasks:
    """Free areas of the head image by tick. scale ``(2,)``: tracked pixels per detection pixel."""

    def __init__(
        self, detections: Detections, stream: str, *, size_wh: tuple[int, int], scale: Floats
    ) -> None:
        self._size_wh, self._scale = size_wh, scale
        self._hulls: dict[int, list[Any]] = {}
        for row in np.flatnonzero(detections.stream == stream):
            hull = self._outline(detections.raw21_px[row].reshape(21, 2).astype(np.float64))
            if hull is not None:
                for near in range(-REACH_TICKS, REACH_TICKS + 1):
                    self._hulls.setdefault(int(detections.tick[row]) + near, []).append(hull)

    def free(self, tick: int) -> Bools | None:
        """``(H,W)`` True where corners may lie; None where no hand is."""
        hulls = self._hulls.get(tick)
        if not hulls:
            return None
        width, height = self._size_wh
        taken = np.zeros((height, width), np.uint8)
        for hull in hulls:
            cv2.fillConvexPoly(taken, hull, 1)
        return taken == 0

    def _outline(self, points_px: Floats) -> Any:
        """Hull of the hand, grown, with the forearm behind the wrist."""
        if not np.isfinite(points_px).all():
            return None
        centre = points_px.mean(axis=0)
        grown = centre + GROW * (points_px - centre)
        back = points_px[WRIST] - points_px[MIDDLE_MCP]
        forearm = grown[[1, 5, 17]] + FOREARM * back
        outline = (np.concatenate([grown, forearm]) + 0.5) * self._scale - 0.5
        return cv2.convexHull(np.rint(outline).astype(np.int32))
