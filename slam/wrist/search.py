"""Looks for map points in a wrist camera's picture around where a predicted pose puts them.

Every point's surroundings are drawn as they would look from there, surface slant and distance
included, and compared by normalised correlation: a few milliseconds for a hundred points.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from slam.sight.localise import View
from slam.sight.rays import rays_of
from slam.wrist.landmarks import Landmarks, pixels_per_surface, project

HALF_PX = 10  # of the patch that is compared
STRETCH = (0.1, 8.0)  # head pixels per wrist pixel, least and most over directions
FINE = 1.5  # of these at most from one drawn pixel to the next: finer ones are averaged
LEAST_TEXTURE = 6.0  # grey levels of one standard deviation in a patch
LEAST_LIKENESS = 0.75
MOST_POINTS = 200
CELLS = (20, 15)
WARP: dict[str, Any] = {
    "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    "borderMode": cv2.BORDER_REPLICATE,
}


@dataclass(frozen=True, eq=False)
class Found:
    """M landmarks found. row: of the landmarks.   uv_px ``(M,2)``.   view: the same as rays."""

    row: Ints
    uv_px: Floats
    view: View


def search(
    grey: Any,
    landmarks: Landmarks,
    candidates: Ints,
    *,
    camera: Camera,
    camera_from_world: SE3,
    radius_px: int,
    most: int = MOST_POINTS,
) -> Found:
    """Candidates (rows, most wanted first) that are found within ``radius_px``; so many of those
    that are in view are looked for."""
    rows, uv, warp = _in_view(
        landmarks, candidates, camera=camera, camera_from_world=camera_from_world, most=most
    )
    drawn = _drawn(landmarks, rows, warp)
    keep = _texture(drawn) > LEAST_TEXTURE
    rows, uv, drawn = rows[keep], uv[keep], drawn[keep]
    grey = grey.astype(np.float32)
    spots, good = np.full((len(rows), 2), np.nan), np.zeros(len(rows), bool)
    for k, (patch, at) in enumerate(zip(drawn, uv.tolist(), strict=True)):
        spot = _best(grey, patch, at, radius_px=radius_px)
        if spot is not None:
            spots[k], good[k] = spot, True
    rays, rad_per_px, valid = rays_of(camera, spots[good])
    found = rows[good][valid]
    view = View(landmarks.points[found], rays[valid], rad_per_px[valid])
    return Found(found, spots[good][valid], view)


def _in_view(
    landmarks: Landmarks, candidates: Ints, *, camera: Camera, camera_from_world: SE3, most: int
) -> tuple[Ints, Floats, Floats]:
    """Rows spread over the picture, their pixels, and head pixels per wrist pixel ``(N,2,2)``."""
    uv, inside = project(camera, camera_from_world, landmarks.points[candidates])
    rows, uv = candidates[inside], uv[inside]
    first = _spread(uv, camera.size_wh, 2 * most)
    rows, uv = rows[first], uv[first]
    where = (landmarks.points[rows], landmarks.along[rows])
    wrist_from_surface, valid = pixels_per_surface(camera, camera_from_world, where)
    mirrored = np.linalg.det(wrist_from_surface) * np.linalg.det(landmarks.head_from_surface[rows])
    valid &= mirrored > 1e-9  # seen from the other side of the surface: not at all
    rows, uv = rows[valid], uv[valid]
    warp = landmarks.head_from_surface[rows] @ np.linalg.inv(wrist_from_surface[valid])
    size = np.linalg.svd(warp, compute_uv=False)
    fits = (size[:, 1] > STRETCH[0]) & (size[:, 0] < STRETCH[1])
    rows, uv, warp = (x[fits][:most] for x in (rows, uv, warp))
    return rows, uv, warp


def _spread(uv: Floats, size_wh: tuple[int, int], most: int) -> Ints:
    """The first point of every cell of the picture, then the second ones, up to so many."""
    cell = np.floor(uv / (np.array(size_wh) / CELLS)).astype(np.int64)
    key = cell[:, 1] * CELLS[0] + cell[:, 0]
    order = np.argsort(key, kind="stable")
    first = np.searchsorted(key[order], key[order])
    rank = np.empty(len(key), np.int64)
    rank[order] = np.arange(len(key)) - first
    return np.argsort(rank, kind="stable")[:most]


def _drawn(landmarks: Landmarks, rows: Ints, warp: Floats) -> Any:
    """``(N,S,S)`` float32 patches as seen from the wrist."""
    side = 2 * HALF_PX + 1
    parts = np.ceil(np.linalg.norm(warp, ord=2, axis=(1, 2)) / FINE).astype(np.int64)
    moves = np.concatenate([warp / parts[:, None, None], np.zeros((len(rows), 2, 1))], axis=2)
    middle = (side * parts - 1) / 2
    moves[:, :, 2] = landmarks.uv_px[rows] - moves[:, :, :2].sum(axis=2) * middle[:, None]
    drawn = np.zeros((len(rows), side, side), np.float32)
    for k, (row, move, n) in enumerate(zip(rows.tolist(), moves, parts.tolist(), strict=True)):
        grey = landmarks.pictures[int(landmarks.frame[row])]
        fine = cv2.warpAffine(grey, move, (side * n, side * n), **WARP)
        drawn[k] = fine if n == 1 else cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)
    return drawn


def _texture(drawn: Any) -> Floats:
    """``(N,)`` standard deviation of every patch ``(N,S,S)``."""
    flat = drawn.reshape(len(drawn), drawn.shape[1] * drawn.shape[2])
    flat = flat - flat[:, :1]  # near zero: squares of float32 stay exact enough
    variance = np.einsum("ns,ns->n", flat, flat) / flat.shape[1] - flat.mean(axis=1) ** 2
    return np.sqrt(np.maximum(variance, 0.0))


def _best(grey: Any, patch: Any, at: list[float], *, radius_px: int) -> tuple[float, float] | None:
    """Where the patch fits best near ``at``, to a fraction of a pixel; None if nowhere."""
    reach = HALF_PX + radius_px
    x0, y0 = round(at[0]), round(at[1])
    height, width = grey.shape
    left, top = max(x0 - reach, 0), max(y0 - reach, 0)
    right, bottom = min(x0 + reach + 1, width), min(y0 + reach + 1, height)
    if min(right - left, bottom - top) < 2 * HALF_PX + 4:
        return None
    likeness = cv2.matchTemplate(grey[top:bottom, left:right], patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(likeness)
    if best < LEAST_LIKENESS or not (
        0 < x < likeness.shape[1] - 1 and 0 < y < likeness.shape[0] - 1
    ):
        return None
    du = _peak(likeness[y, x - 1 : x + 2])
    dv = _peak(likeness[y - 1 : y + 2, x])
    return left + HALF_PX + x + du, top + HALF_PX + y + dv


def _peak(three: Any) -> float:
    """Offset of a parabola's top from the middle of three values."""
    before, top, after = (float(v) for v in three)
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < -1e-9 else 0.0
