"""A printed marker of known size in view: the scale of a session without inertial sensor or depth.

Corners of its black square are placed from the frames that saw them; the square's sides and
diagonals say how long a metre is. A marker that was carried about does not fit one place and counts
for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.markers import MarkerFinder
from slam.path import CameraPath
from slam.sight.rays import angular_error, rays_of, triangulate

EVERY = 3  # frames: markers stay in view for longer
CORNER_SIGMA_PX = 0.3
PRINT_SHARE = 0.003  # by which print, paper and ruler may be off together
MIN_FRAMES, MIN_SPREAD_RAD = 4, 0.02
PAIRS = ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3))
IN_SIDES = np.array([1.0, 1.0, 1.0, 1.0, np.sqrt(2), np.sqrt(2)])


@dataclass(frozen=True, eq=False)
class Sighting:
    """One marker in one frame. rays ``(4,3)`` and rad_per_px ``(4,)`` of its corners, in order."""

    frame: int
    marker: int
    rays: Floats
    rad_per_px: Floats


class Spotter:
    """Finds the markers of one family as a camera sees them."""

    def __init__(self, camera: Any, family: str) -> None:
        self._finder, self._camera = MarkerFinder(family), camera

    def look(self, frame: int, grey: Any) -> list[Sighting]:
        """Markers in an image ``(H,W)``; those with a corner outside the lens are left out."""
        found = []
        for marker, corners in self._finder.find(grey).items():
            rays, rad_per_px, valid = rays_of(self._camera, corners)
            if valid.all():
                found.append(Sighting(frame, marker, rays, rad_per_px))
        return found


@dataclass(frozen=True)
class MarkerScale:
    """metres_per_unit of a map, its relative sigma, and how many markers it rests on."""

    metres_per_unit: float
    sigma: float
    markers: int


def scale_by_markers(
    sightings: Sequence[Sighting], path: CameraPath, *, map_id: int, size_m: float
) -> MarkerScale | None:
    """The scale of one map from the markers its frames saw; None where they do not tell it.

    size_m: side of the black square. Frames must have their poses in the map's unit.
    """
    inside = [s for s in sightings if path.tracked[s.frame] and path.map_id[s.frame] == map_id]
    markers = sorted({s.marker for s in inside})
    found = [_square([s for s in inside if s.marker == k], path) for k in markers]
    lengths = [square for square in found if square is not None]
    if not lengths:
        return None
    side, sigma = (np.concatenate([square[k] for square in lengths]) for k in (0, 1))
    weight = 1 / sigma**2
    mean = float(np.sum(weight * side) / np.sum(weight))
    scatter = float(np.sqrt(np.sum(weight * (side - mean) ** 2) / np.sum(weight)) / mean)
    noise = float(1 / np.sqrt(np.sum(weight))) / mean
    own = max(noise, scatter / np.sqrt(max(len(side) - 1, 1)))
    return MarkerScale(size_m / mean, float(np.hypot(own, PRINT_SHARE)), len(lengths))


def _square(seen: Sequence[Sighting], path: CameraPath) -> tuple[Floats, Floats] | None:
    """Side lengths ``(6,)`` that the corners of one marker give, and their sigmas; None where it
    moved or was seen from one spot alone."""
    if len(seen) < MIN_FRAMES:
        return None
    frames = np.array([s.frame for s in seen])
    n = len(frames)
    turned = np.einsum("nij,nkj->kni", path.rotation[frames], np.stack([s.rays for s in seen]))
    eyes = np.tile(path.position[frames], (4, 1))
    corner: Ints = np.repeat(np.arange(4), n)
    points, spread = triangulate(eyes, turned.reshape(-1, 3), corner)
    if spread.min() < MIN_SPREAD_RAD:
        return None
    rad_per_px = np.stack([s.rad_per_px for s in seen], axis=1).ravel()
    towards = points[corner] - eyes
    error_px = angular_error(turned.reshape(-1, 3), towards) / rad_per_px
    if np.quantile(error_px, 0.8) > 10 * CORNER_SIGMA_PX:
        return None
    away = np.linalg.norm(towards, axis=1)
    across = np.eye(3) - turned.reshape(-1, 3)[:, :, None] * turned.reshape(-1, 3)[:, None, :]
    across = across / ((CORNER_SIGMA_PX * rad_per_px * away) ** 2)[:, None, None]
    covariance = np.linalg.inv(across.reshape(4, n, 3, 3).sum(axis=1))
    first, second = np.array(PAIRS).T
    edge = points[second] - points[first]
    length = np.linalg.norm(edge, axis=1)
    along = edge / length[:, None]
    both = covariance[first] + covariance[second]
    sigma = np.sqrt(np.einsum("ni,nij,nj->n", along, both, along))
    return length / IN_SIDES, sigma / IN_SIDES
