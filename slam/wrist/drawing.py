"""The table of a map drawn straight from above, out of the head's pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.spatial import cKDTree

from core.geometry.arrays import Bools, Floats
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from slam.wrist.surfaces import Plane, Surfaces

COARSE = 4  # pixels from one projected point to the next
SHRINK = np.array([[1 / COARSE, 0, 0], [0, 1 / COARSE, 0]])
ENLARGE: dict[str, Any] = {
    "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    "borderMode": cv2.BORDER_REPLICATE,
}
SUPPORT = 0.12  # of the typical depth: a plane reaches this far around its map points


@dataclass(frozen=True, eq=False)
class Look:
    """A head picture. free: where no hand is, None for everywhere."""

    grey: Any
    world_from_head: SE3
    free: Bools | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """The largest plane of a map, with a tree of the map points on it.   reach: around those."""

    plane: Plane
    tree: Any
    reach: float

    @classmethod
    def of(cls, surfaces: Surfaces) -> "Table | None":
        """Of a part of a map; None where no plane was found."""
        if not surfaces.planes:
            return None
        tree = cKDTree(surfaces.points_of(0))
        return cls(surfaces.planes[0], tree, SUPPORT * surfaces.scene_map.typical_depth)

    def drawn(
        self, looks: Sequence[Look], head: Camera, *, middle: Floats, axes: Floats, side_px: int
    ) -> tuple[Any, Bools]:
        """A square picture, and where it shows something: of every spot what the first of the looks
        shows that sees it. middle ``(3,)``: of the picture.   axes ``(2,3)``: one pixel to the
        right and one down."""
        size = (side_px, side_px)
        points = middle + (coarse_pixels(size).reshape(-1, 2) - side_px / 2) @ axes
        near, _ = self.tree.query(points, distance_upper_bound=self.reach)
        on_table = np.isfinite(near)
        drawn, done = np.zeros(size, np.uint8), np.zeros(size, bool)
        for look in looks:
            at = look.world_from_head.inverse().apply(points)
            uv, valid = head.project(at)
            grey, new = pulled(look.grey, head, uv_px=uv, valid=on_table & valid, size_wh=size)
            new &= ~done
            if look.free is not None:
                taken = 1 - look.free.astype(np.uint8)
                hidden, _ = pulled(taken, head, uv_px=uv, valid=valid, size_wh=size)
                new &= hidden == 0
            drawn[new] = grey[new]
            done |= new
        return drawn, done


def coarse_pixels(size_wh: tuple[int, int]) -> Floats:
    """``(h,w,2)`` every fourth pixel of a picture to be drawn."""
    u, v = np.meshgrid(*(np.arange(0.0, side, COARSE) for side in size_wh))
    return np.stack([u, v], axis=-1)


def pulled(
    picture: Any, camera: Camera, *, uv_px: Floats, valid: Bools, size_wh: tuple[int, int]
) -> tuple[Any, Bools]:
    """A picture drawn anew, and where there is something. uv_px ``(N,2)``: where in the old one
    each of the coarse pixels lies, if valid ``(N,)``."""
    inside = valid & camera.in_image(np.where(valid[:, None], uv_px, -1.0))
    at = np.where(inside[:, None], uv_px, -1e4).astype(np.float32)
    at = at.reshape(*coarse_pixels(size_wh).shape)
    x, y = cv2.split(cv2.warpAffine(at, SHRINK, size_wh, **ENLARGE))
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR), (x >= 0) & (y >= 0)
