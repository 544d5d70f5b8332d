"""Pinhole with radial and tangential distortion: OpenCV's plumb-bob model
(``cv2.projectPoints``).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from core.geometry import radial
from core.geometry.arrays import Bools, Floats, unit
from core.geometry.camera_model import (
    Camera,
    determinant,
    masked,
    scaled_pinhole,
    solve_2d,
    tangential,
)

WIDEST = 1000.0  # tan of 89.94°: no pinhole picture reaches further


@dataclass(frozen=True)
class PinholeRadtan(Camera):
    """params: fx fy cx cy k1 k2 p1 p2 and optionally k3. Valid in front of the camera only."""

    model: ClassVar[str] = "pinhole_radtan"
    param_names: ClassVar[tuple[str, ...]] = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
    optional_params: ClassVar[int] = 1

    @property
    def focal_px(self) -> float:
        """Mean of fx and fy."""
        return (self.params[0] + self.params[1]) / 2

    @property
    def matrix(self) -> Floats:
        """The 3 by 3 camera matrix K."""
        fx, fy, cx, cy = self.params[:4]
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])

    @property
    def distortion(self) -> Floats:
        """OpenCV's k1 k2 p1 p2 k3."""
        return np.array([*self.params[4:8], self.params[8] if len(self.params) > 8 else 0.0])

    @cached_property
    def _radial(self) -> tuple[float, ...]:
        k1, k2, _, _, k3 = self.distortion
        return (float(k1), float(k2), float(k3))

    @cached_property
    def _limit(self) -> float:
        return radial.rising_limit(self._radial, cap=WIDEST)

    def _bend(self, xy: Floats) -> tuple[Floats, Floats]:
        """Ideal normalised coordinates to distorted ones, with the Jacobian."""
        square = np.sum(xy * xy, axis=-1)[..., None]
        factor, slope = np.zeros_like(square), np.zeros_like(square)
        for k in range(len(self._radial), 0, -1):
            slope = slope * square + k * self._radial[k - 1]
            factor = (factor + self._radial[k - 1]) * square
        p1, p2 = self.params[6:8]
        bend, jacobian = tangential(xy, (p2, p1))
        outer = xy[..., :, None] * xy[..., None, :]
        jacobian = jacobian + 2 * slope[..., None] * outer + (1 + factor)[..., None] * np.eye(2)
        return xy * (1 + factor) + bend, jacobian

    def project(self, points_in_camera: ArrayLike) -> tuple[Floats, Bools]:
        """See ``Camera.project``."""
        points = np.asarray(points_in_camera, dtype=np.float64)
        z = points[..., 2:]
        ahead = z[..., 0] > 0
        xy = np.divide(points[..., :2], z, out=np.zeros_like(points[..., :2]), where=z > 0)
        valid: Bools = np.asarray(ahead & (np.linalg.norm(xy, axis=-1) < self._limit))
        bent, jacobian = self._bend(np.where(valid[..., None], xy, 0.0))
        valid = np.asarray(valid & (determinant(jacobian) > 0))
        fx, fy, cx, cy = self.params[:4]
        return masked(bent * (fx, fy) + (cx, cy), valid), valid

    def unproject(self, uv_px: ArrayLike) -> tuple[Floats, Bools]:
        """See ``Camera.unproject``."""
        fx, fy, cx, cy = self.params[:4]
        target = (np.asarray(uv_px, dtype=np.float64) - (cx, cy)) / (fx, fy)
        finite = np.asarray(np.isfinite(target).all(axis=-1))
        target = np.where(finite[..., None], target, 0.0)
        reach = np.linalg.norm(target, axis=-1)
        ideal = radial.invert(reach, self._radial, limit=self._limit)
        ideal = np.where(np.isfinite(ideal), ideal, 0.999 * self._limit)
        start = (
            target * np.divide(ideal, reach, out=np.ones_like(reach), where=reach > 0)[..., None]
        )
        xy, valid = solve_2d(self._bend, target, start=start)
        valid = np.asarray(valid & finite & (np.linalg.norm(xy, axis=-1) < self._limit))
        rays = unit(np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1))
        return masked(rays, valid), valid

    def scaled(self, size_wh: tuple[int, int]) -> "PinholeRadtan":
        """See ``Camera.scaled``."""
        params = scaled_pinhole(self.params, self.size_wh, to_wh=size_wh)
        return PinholeRadtan(params=params, size_wh=size_wh)

    def turned(self) -> "PinholeRadtan":
        """See ``Camera.turned``."""
        fx, fy, cx, cy, k1, k2, p1, p2, *k3 = self.params
        width, height = self.size_wh
        turned = (fy, fx, height - 1 - cy, cx, k1, k2, p2, -p1, *k3)
        return PinholeRadtan(params=turned, size_wh=(height, width))
