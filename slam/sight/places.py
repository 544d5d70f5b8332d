"""What a frame looked like: descriptors of its corners, by which it is told from others."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from core.geometry.arrays import Floats, Ints

SHRUNK = (0.8, 0.64)
EDGE_PX = 16  # nearer to a picture's edge corners have no descriptor


@dataclass(frozen=True, eq=False)
class Place:
    """What a frame looked like. track ``(n,)`` rising; descriptors ``(n,32)`` binary, alike.

    coarse: the same corners in pictures shrunk by `SHRUNK`, as if seen from farther away, where
    places are to be recognised from any distance.
    """

    frame: int
    track: Ints
    descriptors: Any
    coarse: tuple[Any, ...] = ()


class Describer:
    """Binary descriptors of given corners, at three sizes. Upright: heads seldom lie on their
    side."""

    def __init__(self) -> None:
        self._orb = cv2.ORB_create()
        self._orb.setEdgeThreshold(EDGE_PX)

    def __call__(self, frame: int, grey: Any, *, track: Ints, uv_px: Floats) -> Place:
        """The place seen in an image; corners too near its edge are left out."""
        sizes = [self._describe(grey, uv_px)]
        for shrunk in SHRUNK:
            small = cv2.resize(grey, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
            small = cv2.copyMakeBorder(small, *[EDGE_PX] * 4, cv2.BORDER_REPLICATE)
            sizes.append(self._describe(small, (uv_px + 0.5) * shrunk - 0.5 + EDGE_PX))
        rows = sizes[0][0]  # nearer to the edge than all the others allow
        order = rows[np.argsort(track[rows])]
        found, *coarse = (
            descriptors[np.searchsorted(known, order)] for known, descriptors in sizes
        )
        return Place(frame, track[order], found, tuple(coarse))

    def _describe(self, grey: Any, uv_px: Floats) -> tuple[Ints, Any]:
        """Rising rows of the corners that are not too near the edge, and their descriptors."""
        points = [
            cv2.KeyPoint(float(u), float(v), 31, 0, 1, 0, int(k)) for k, (u, v) in enumerate(uv_px)
        ]
        kept, descriptors = self._orb.compute(cv2.GaussianBlur(grey, (0, 0), 1.0), points)
        rows = np.array([p.class_id for p in kept], np.int64)
        order = np.argsort(rows)
        found = np.zeros((0, 32), np.uint8) if descriptors is None else descriptors
        return rows[order], found[order]
