"""Fisheye lenses whose picture radius is a polynomial of the angle from the axis.

``KannalaBrandt``: OpenCV's ``cv2.fisheye``. ``Fisheye624``: Project Aria's model, six radial, two
tangential and four thin-prism numbers, one focal length. Both see beyond 90° where their polynomial
still rises there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from core.errors import BadInputError
from core.geometry import radial
from core.geometry.arrays import Bools, Floats
from core.geometry.camera_model import (
    Camera,
    determinant,
    masked,
    scaled_centre,
    scaled_pinhole,
    solve_2d,
    tangential,
)


def bent_from_points(
    points: Floats, coefficients: Sequence[float], limit: float
) -> tuple[Floats, Bools]:
    """Points ``(…,3)`` to ``(…,2)`` of length polynomial(angle), and where the angle is below the
    limit.
    """
    across = np.linalg.norm(points[..., :2], axis=-1)
    angle = np.arctan2(across, points[..., 2])
    valid = np.asarray(np.isfinite(points).all(axis=-1) & (angle < limit))
    valid &= (across > 0) | (points[..., 2] > 0)
    length = radial.evaluate(np.where(valid, angle, 0.0), coefficients)[0]
    # on the axis length / across tends to 1 / z
    depth = np.where(points[..., 2] > 0, points[..., 2], 1.0)
    scale = np.divide(length, across, out=np.asarray(1 / depth), where=across > 1e-12 * depth)
    return points[..., :2] * scale[..., None], valid


def rays_from_bent(
    bent: Floats, coefficients: Sequence[float], limit: float
) -> tuple[Floats, Bools]:
    """The inverse of ``bent_from_points``: unit rays ``(…,3)``."""
    length = np.linalg.norm(bent, axis=-1)
    angle = radial.invert(length, coefficients, limit=limit)
    valid = np.asarray(angle < limit)
    angle = np.where(valid, angle, 0.0)
    scale = np.divide(np.sin(angle), length, out=np.ones_like(length), where=length > 1e-12)
    rays = np.concatenate([bent * scale[..., None], np.cos(angle)[..., None]], axis=-1)
    return rays, valid


@dataclass(frozen=True)
class KannalaBrandt(Camera):
    """params: fx fy cx cy k1 k2 k3 k4; radius = angle (1 + k1 angle² + … + k4 angle⁸)."""

    model: ClassVar[str] = "kannala_brandt"
    param_names: ClassVar[tuple[str, ...]] = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")

    @property
    def focal_px(self) -> float:
        """Mean of fx and fy."""
        return (self.params[0] + self.params[1]) / 2

    @cached_property
    def _limit(self) -> float:
        return radial.rising_limit(self.params[4:], cap=np.pi)

    def project(self, points_in_camera: ArrayLike) -> tuple[Floats, Bools]:
        """See ``Camera.project``."""
        points = np.asarray(points_in_camera, dtype=np.float64)
        bent, valid = bent_from_points(points, self.params[4:], self._limit)
        fx, fy, cx, cy = self.params[:4]
        return masked(bent * (fx, fy) + (cx, cy), valid), valid

    def unproject(self, uv_px: ArrayLike) -> tuple[Floats, Bools]:
        """See ``Camera.unproject``."""
        fx, fy, cx, cy = self.params[:4]
        bent = (np.asarray(uv_px, dtype=np.float64) - (cx, cy)) / (fx, fy)
        rays, valid = rays_from_bent(bent, self.params[4:], self._limit)
        return masked(rays, valid), valid

    def scaled(self, size_wh: tuple[int, int]) -> "KannalaBrandt":
        """See ``Camera.scaled``."""
        params = scaled_pinhole(self.params, self.size_wh, to_wh=size_wh)
        return KannalaBrandt(params=params, size_wh=size_wh)

    def turned(self) -> "KannalaBrandt":
        """See ``Camera.turned``."""
        fx, fy, cx, cy, *rest = self.params
        width, height = self.size_wh
        return KannalaBrandt(params=(fy, fx, height - 1 - cy, cx, *rest), size_wh=(height, width))


@dataclass(frozen=True)
class Fisheye624(Camera):
    """params: f cu cv k0 … k5 p0 p1 s0 s1 s2 s3, in projectaria-tools' order.

    radius = angle (1 + k0 angle² + … + k5 angle¹²) gives q, then
    q + 2(p·q)q + |q|² p + (s0 |q|² + s1 |q|⁴, s2 |q|² + s3 |q|⁴), times f, plus (cu, cv).
    """

    model: ClassVar[str] = "fisheye624"
    param_names: ClassVar[tuple[str, ...]] = (
        *("f", "cu", "cv"),
        *(f"k{i}" for i in range(6)),
        *("p0", "p1", "s0", "s1", "s2", "s3"),
    )

    @property
    def focal_px(self) -> float:
        """The one focal length."""
        return self.params[0]

    @cached_property
    def _limit(self) -> float:
        return radial.rising_limit(self.params[3:9], cap=np.pi)

    def _bend(self, q: Floats) -> tuple[Floats, Floats]:
        """Tangential and thin-prism bending of the radial picture, with the Jacobian."""
        bend, jacobian = tangential(q, self.params[9:11])
        s0, s1, s2, s3 = self.params[11:]
        linear, quadratic = np.array([s0, s2]), np.array([s1, s3])
        square = np.sum(q * q, axis=-1)[..., None]
        prism = linear * square + quadratic * square**2
        slope = 2 * (linear + 2 * quadratic * square)
        jacobian = jacobian + np.eye(2) + slope[..., :, None] * q[..., None, :]
        return q + bend + prism, jacobian

    def project(self, points_in_camera: ArrayLike) -> tuple[Floats, Bools]:
        """See ``Camera.project``."""
        points = np.asarray(points_in_camera, dtype=np.float64)
        q, valid = bent_from_points(points, self.params[3:9], self._limit)
        bent, jacobian = self._bend(q)
        valid = np.asarray(valid & (determinant(jacobian) > 0))
        return masked(bent * self.params[0] + self.params[1:3], valid), valid

    def unproject(self, uv_px: ArrayLike) -> tuple[Floats, Bools]:
        """See ``Camera.unproject``."""
        target = (np.asarray(uv_px, dtype=np.float64) - self.params[1:3]) / self.params[0]
        finite = np.asarray(np.isfinite(target).all(axis=-1))
        target = np.where(finite[..., None], target, 0.0)
        q, solved = solve_2d(self._bend, target, start=target)
        rays, valid = rays_from_bent(q, self.params[3:9], self._limit)
        valid = np.asarray(valid & solved & finite)
        return masked(rays, valid), valid

    def scaled(self, size_wh: tuple[int, int]) -> "Fisheye624":
        """See ``Camera.scaled``; the model has one focal length, so the aspect must stay."""
        f, cu, cv, *rest = self.params
        sx, sy = size_wh[0] / self.size_wh[0], size_wh[1] / self.size_wh[1]
        if abs(sx - sy) > 1e-3 * sx:
            raise BadInputError(
                f"camera {self.model}: cannot scale {self.size_wh} to {size_wh}; "
                "keep the aspect ratio"
            )
        centre = (scaled_centre(cu, sx), scaled_centre(cv, sy))
        return Fisheye624(params=(f * sx, *centre, *rest), size_wh=size_wh)

    def turned(self) -> "Fisheye624":
        """See ``Camera.turned``."""
        f, cu, cv, *ks = self.params[:9]
        p0, p1, s0, s1, s2, s3 = self.params[9:]
        width, height = self.size_wh
        turned = (f, height - 1 - cv, cu, *ks, -p1, p0, -s2, -s3, s0, s1)
        return Fisheye624(params=turned, size_wh=(height, width))
