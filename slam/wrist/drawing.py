"""The head's picture as it would look from beside a hand: planes of the map drawn from there.

A table seen from above and seen along its top share no descriptors; drawn from about the right
side, they do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.spatial import cKDTree

from core.geometry.arrays import Bools, Floats, Ints, unit
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from slam.wrist.surfaces import Plane, Surfaces

COARSE = 4  # pixels from one traced ray to the next
SHRINK = np.array([[1 / COARSE, 0, 0], [0, 1 / COARSE, 0]])
ENLARGE: dict[str, Any] = {
    "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    "borderMode": cv2.BORDER_REPLICATE,
}
SUPPORT = 0.12  # of the typical depth: a plane reaches this far around its map points


@dataclass(frozen=True, eq=False)
class Room:
    """Planes of a map, each with a tree of the map points on it.   reach: around those points."""

    planes: list[Plane]
    trees: list[Any]
    reach: float

    @classmethod
    def of(cls, surfaces: Surfaces) -> "Room":
        """The planes of a part of a map."""
        trees = [cKDTree(surfaces.points_of(k)) for k in range(len(surfaces.planes))]
        return cls(surfaces.planes, trees, SUPPORT * surfaces.scene_map.typical_depth)

    def hit(self, origin: Floats, rays: Floats) -> tuple[Floats, Ints]:
        """Points ``(N,3)`` where world rays first meet a plane near its points, and which; -1."""
        best = np.full(len(rays), np.inf)
        points, owner = np.full(rays.shape, np.nan), np.full(len(rays), -1)
        for k, (plane, tree) in enumerate(zip(self.planes, self.trees, strict=True)):
            met, good = plane.meet(origin, rays)
            away = np.linalg.norm(met - origin, axis=1)
            rows = np.flatnonzero(good & (away < best))
            near, _ = tree.query(met[rows], distance_upper_bound=self.reach)
            rows = rows[np.isfinite(near)]
            points[rows], owner[rows], best[rows] = met[rows], k, away[rows]
        return points, owner


@dataclass(frozen=True, eq=False)
class Look:
    """A head picture. free: where no hand is, None for everywhere."""

    grey: Any
    world_from_head: SE3
    free: Bools | None = None


def draw(
    room: Room, looks: Sequence[Look], head: Camera, *, view: tuple[Camera, SE3]
) -> tuple[Any, Bools]:
    """The picture from a view, and where it shows something: of every spot what the first of the
    ``looks`` shows that sees it. view: camera and world_from_camera."""
    lens, world_from_view = view
    width, height = lens.size_wh
    u, v = np.meshgrid(np.arange(0, width, COARSE), np.arange(0, height, COARSE))
    rays, _ = lens.unproject(np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float64))
    points, owner = room.hit(world_from_view.translation, unit(rays) @ world_from_view.rotation.T)
    drawn, done = np.zeros((height, width), np.uint8), np.zeros((height, width), bool)
    for look in looks:
        at = _where(points, owner >= 0, head, world_from_camera=look.world_from_head)
        at = cv2.warpAffine(at.reshape(*u.shape, 2), SHRINK, (width, height), **ENLARGE)
        grey = cv2.remap(look.grey, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        new = (at.min(axis=2) >= 0) & ~done
        if look.free is not None:
            taken = 1 - look.free.astype(np.uint8)
            new &= cv2.remap(taken, at[..., 0], at[..., 1], cv2.INTER_NEAREST) == 0
        drawn[new], done = grey[new], done | new
    return drawn, done


def _where(points: Floats, seen: Bools, camera: Camera, *, world_from_camera: SE3) -> Any:
    """Pixels ``(N,2)`` float32 of points in a picture; far outside where they are not in it."""
    at = np.full((len(points), 2), -1.0)
    uv, valid = camera.project(world_from_camera.inverse().apply(points[seen]))
    at[seen] = np.where(valid[:, None], uv, -1.0)
    inside = camera.in_image(at) & seen
    return np.where(inside[:, None], at, -1e4).astype(np.float32)
