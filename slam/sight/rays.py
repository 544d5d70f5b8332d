"""Geometry on unit rays: angles, rotation fits, tangent bases, triangulation. Batched, no loops."""

from typing import Any

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints, unit
from core.geometry.rotations import nearest_rotation

STEP_RAD = 1e-4  # to the directions beside a ray


def rays_of(camera: Any, uv_px: Floats) -> tuple[Floats, Floats, Bools]:
    """Unit rays ``(N,3)``, the angle of one pixel ``(N,)`` and validity of pixels ``(N,2)``.

    The angle is the root of the solid angle that a pixel covers, from how the camera projects two
    directions beside the ray: far cheaper than finding the rays of neighbouring pixels.
    """
    rays, valid = camera.unproject(uv_px)
    ahead = np.where(valid[:, None], rays, [0.0, 0.0, 1.0])
    beside = tangent_rotations(ahead)[:, :, :2].transpose(0, 2, 1)  # (N,2,3)
    moved, seen = camera.project(ahead[:, None] + STEP_RAD * beside)
    per_rad = (moved - uv_px[:, None]) / STEP_RAD
    area = per_rad[:, 0, 0] * per_rad[:, 1, 1] - per_rad[:, 0, 1] * per_rad[:, 1, 0]
    valid = valid & seen.all(axis=1)
    rad_per_px = 1 / np.sqrt(np.maximum(np.abs(np.where(valid, area, np.nan)), 1e-16))
    return rays, rad_per_px, valid


def tangent_rotations(rays: Floats) -> Floats:
    """``(N,3,3)`` rotations whose third column is the ray: camera_from_tangent.

    In the tangent frame of its ray an observation is the point (0, 0) of a unit-focal camera, so a
    reprojection error there is an angle, whatever the camera model and however wide its view.
    """
    helper = np.where(np.abs(rays[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    x = unit(np.cross(helper, rays))
    return np.stack([x, np.cross(rays, x), rays], axis=-1)


def fit_rotation(source: Floats, target: Floats, *, rounds: int = 3) -> Floats:
    """Rotation with ``target ≈ R source`` for rays ``(N,3)``, the farther half left out."""
    keep = np.ones(len(source), bool)
    rotation = np.eye(3)
    for _ in range(rounds):
        rotation = nearest_rotation(target[keep].T @ source[keep])
        off = np.linalg.norm(target - source @ rotation.T, axis=1)
        keep = off <= max(float(np.median(off)) * 1.5, 1e-9)
    return rotation


def triangulate(origins: Floats, directions: Floats, point: Ints) -> tuple[Floats, Floats]:
    """Points nearest to their rays, all at once.

    origins, directions ``(N,3)`` in one frame; point ``(N,)`` rising rows 0 … P-1.
    Returns points ``(P,3)`` and the rms spread ``(P,)`` of their directions in radians: below about
    half a degree depth is not known (and the point is NaN where the rays are parallel).
    """
    n_points = int(point[-1]) + 1 if len(point) else 0
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    columns = np.concatenate(
        [
            across.reshape(-1, 9),
            np.einsum("nij,nj->ni", across, origins),
            directions,
            np.ones((len(point), 1)),
        ],
        axis=1,
    )
    first = np.searchsorted(point, np.arange(n_points))
    sums = np.add.reduceat(columns, first, axis=0) if n_points else np.zeros((0, 16))
    normal, right, count = sums[:, :9].reshape(-1, 3, 3), sums[:, 9:12], sums[:, 15]
    spread = np.sqrt(np.maximum(1 - (np.linalg.norm(sums[:, 12:15], axis=1) / count) ** 2, 0))
    solvable = spread > 1e-5
    points = np.full((n_points, 3), np.nan)
    points[solvable] = np.linalg.solve(normal[solvable], right[solvable][..., None])[..., 0]
    return points, spread


def angular_error(directions: Floats, towards: Floats) -> Floats:
    """Tangent of the angle between rays and vectors ``(N,3)``; infinite behind the ray."""
    along = np.sum(directions * towards, axis=-1)
    across = np.linalg.norm(towards - along[..., None] * directions, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(along > 0, across / along, np.inf)
