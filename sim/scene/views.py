"""The ideal pinhole pictures a camera's picture is made of: one ahead, or three side by side.

A lens of up to about 100 degrees fits one pinhole picture. A wider one would need one with most of
its pixels at the border, so three are drawn, turned about the camera's y axis, each just as fine as
the lens is there; together they cover every ray of the lens exactly, beyond 90 degrees too. All are
drawn into one atlas, from which the lens looks its pixels up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec

Array = NDArray[np.float64]

WIDEST_SLOPE = 1.5  # of one picture: 56 degrees off its axis
SIDE_YAW = float(np.radians(50.0))
FINENESS = 0.9  # pixels per radian of a view, against the lens's there
FASTEST_RAD_S = 3.5  # a head turning at 200 degrees a second still finds its rows drawn


@dataclass(frozen=True, eq=False)
class View:
    """A pinhole picture with square pixels. camera_from_view: (3, 3).  centre_px: of its axis.

    corner_px: its place in the atlas, (0, 0) the atlas's top left.
    """

    focal_px: float
    size_wh: tuple[int, int]
    centre_px: tuple[float, float]
    camera_from_view: Array
    corner_px: tuple[int, int] = (0, 0)

    @property
    def fov_y(self) -> float:
        """Vertical field of view where the axis is in the middle, radians."""
        return float(2 * np.arctan(0.5 * self.size_wh[1] / self.focal_px))

    def place(self, rays_in_camera: Array) -> Array:
        """Atlas pixels (…, 2) of rays (…, 3), kept inside this view."""
        rays = rays_in_camera @ self.camera_from_view
        slope = rays[..., :2] / np.maximum(rays[..., 2:], 1e-3)
        uv = np.clip(self.focal_px * slope + self.centre_px, 0, np.array(self.size_wh) - 1)
        return np.asarray(uv + self.corner_px)


def looking_ahead(focal_px: float, size_wh: tuple[int, int]) -> View:
    """A view along the camera's axis, which meets it in the middle."""
    centre = ((size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2)
    return View(focal_px, size_wh, centre, np.eye(3))


def atlas_wh(views: list[View]) -> tuple[int, int]:
    """Width and height of the picture that holds all views."""
    ends = [(v.corner_px[0] + v.size_wh[0], v.corner_px[1] + v.size_wh[1]) for v in views]
    return max(e[0] for e in ends), max(e[1] for e in ends)


def owners(rays: Array, views: list[View]) -> NDArray[np.intp]:
    """(…): the view that sees each ray (…, 3) nearest to its axis."""
    along = np.stack([rays @ v.camera_from_view[:, 2] for v in views])
    return np.asarray(np.argmax(along, axis=0))


def cover(rays: Array, *, focal_px: float, step_px: float, lag_s: float) -> list[View]:
    """Views in which every ray of a lens lies, also while it turns.

    rays: (R, C, 3) unit, of pixels ``step_px`` apart.  focal_px: of the lens, at its centre.
    lag_s: longest time between a row and the instant the views are drawn for.
    """
    slope = np.abs(rays[..., :2] / np.maximum(rays[..., 2:], 1e-3))
    room = FASTEST_RAD_S * lag_s
    if slope.max() < WIDEST_SLOPE:
        half = slope.reshape(-1, 2).max(0)
        half = half + room * (1 + half**2)
        size = 2 * np.ceil(half * focal_px).astype(int)
        return [looking_ahead(focal_px, (int(size[0]), int(size[1])))]
    scale = _pixels_per_radian(rays, step_px)
    turns = [matrix_from_rotvec(np.array([0.0, yaw, 0.0])) for yaw in (-SIDE_YAW, 0.0, SIDE_YAW)]
    blank = [View(1.0, (1, 1), (0.0, 0.0), turn) for turn in turns]
    owner = owners(rays, blank)
    views, x = [], 0
    for number, turn in enumerate(turns):
        mine = owner == number
        views.append(_fit(rays[mine], scale[mine], turn=turn, room=room, corner=(x, 0)))
        x += views[-1].size_wh[0]
    return views


def _pixels_per_radian(rays: Array, step_px: float) -> Array:
    """(R, C) how fine the lens is at each ray: the geometric mean of both directions."""
    across = np.linalg.norm(np.gradient(rays, axis=1), axis=-1)
    down = np.linalg.norm(np.gradient(rays, axis=0), axis=-1)
    return np.asarray(step_px / np.sqrt(across * down))


def _fit(rays: Array, scale: Array, *, turn: Array, room: float, corner: tuple[int, int]) -> View:
    """The smallest view of one direction that holds rays (N, 3), as fine as ``scale`` (N,)."""
    local = rays @ turn
    focal = float(FINENESS * np.max(scale * local[:, 2] ** 1.5))
    slope = local[:, :2] / local[:, 2:]
    low, high = slope.min(0), slope.max(0)
    edge = room + 2.0 / focal
    low, high = low - edge * (1 + low**2), high + edge * (1 + high**2)
    size = np.ceil((high - low) * focal).astype(int)
    centre = -low * focal
    return View(
        focal, (int(size[0]), int(size[1])), (float(centre[0]), float(centre[1])), turn, corner
    )
