"""What every camera model is: parameters, a picture size, points to pixels and pixels to rays.

Camera axes are OpenCV's (x right, y down, z forward); (0, 0) is the centre of the top-left pixel.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from core.errors import BadInputError
from core.geometry.arrays import Bools, Floats

Self = TypeVar("Self", bound="Camera")


@dataclass(frozen=True)
class Camera(ABC):
    """One camera. params: see the model's class.   size_wh: picture width and height in pixels."""

    params: tuple[float, ...]
    size_wh: tuple[int, int]

    model: ClassVar[str]
    param_names: ClassVar[tuple[str, ...]]
    optional_params: ClassVar[int] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", tuple(float(p) for p in self.params))
        object.__setattr__(self, "size_wh", tuple(int(s) for s in self.size_wh))
        wanted = len(self.param_names)
        given = len(self.params)
        if not wanted - self.optional_params <= given <= wanted:
            names = " ".join(self.param_names)
            least = f"{wanted - self.optional_params} or " if self.optional_params else ""
            raise BadInputError(f"{self._who}: {given} params; expected {least}{wanted}: {names}")
        if not all(np.isfinite(self.params)):
            raise BadInputError(f"{self._who}: params {self.params} are not all finite")
        if self.focal_px <= 0 or self.params[0] <= 0:
            raise BadInputError(f"{self._who}: focal length {self.params[0]:g} px; must be > 0")
        if len(self.size_wh) != 2 or min(self.size_wh) < 1:
            raise BadInputError(f"{self._who}: size_wh {self.size_wh}; expected [width, height]")

    @property
    def _who(self) -> str:
        return f"camera {self.model}"

    @abstractmethod
    def project(self, points_in_camera: ArrayLike) -> tuple[Floats, Bools]:
        """``(…,3)`` to pixels ``(…,2)`` and where the model holds ``(…)``.

        False (and NaN pixels) behind the camera and beyond the angle where the lens polynomial
        stops rising.
        True says nothing about the picture's edge: see ``in_image``.
        """

    @abstractmethod
    def unproject(self, uv_px: ArrayLike) -> tuple[Floats, Bools]:
        """Pixels ``(…,2)`` to unit rays ``(…,3)`` in the camera; False (NaN) where no ray leads
        there.
        """

    @property
    @abstractmethod
    def focal_px(self) -> float:
        """Pixels per radian at the centre (mean of fx and fy)."""

    @abstractmethod
    def scaled(self: Self, size_wh: tuple[int, int]) -> Self:
        """The same lens for a picture resized to ``size_wh``."""

    def refocused(self: Self, factor: float) -> Self:
        """The same lens with ``factor`` times the focal length; the principal point stays."""
        lengths = sum(name.startswith("f") for name in self.param_names)
        longer = [factor * p for p in self.params[:lengths]]
        return replace(self, params=(*longer, *self.params[lengths:]))

    @abstractmethod
    def turned(self: Self) -> Self:
        """The same lens for the picture turned by 90° clockwise. Rays turn with it: see
        ``rotated``.
        """

    def rotated(self: Self, degrees: int) -> Self:
        """The camera of the picture turned clockwise by 0, 90, 180 or 270 degrees.

        Its axes turn too: a point (x, y, z) of the old camera is at (-y, x, z) after 90°.
        """
        if degrees not in {0, 90, 180, 270}:
            raise BadInputError(f"rotate {degrees}: expected 0, 90, 180 or 270 degrees clockwise")
        camera = self
        for _ in range(degrees // 90):
            camera = camera.turned()
        return camera

    def in_image(self, uv_px: ArrayLike) -> Bools:
        """``(…)``: whether a pixel lies on the picture (its outer pixels' far edges included)."""
        uv = np.asarray(uv_px, dtype=np.float64)
        width, height = self.size_wh
        u, v = uv[..., 0], uv[..., 1]
        return np.asarray((u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5))

    def to_dict(self) -> dict[str, Any]:
        """model, params, size_wh: what ``camera_from_dict`` reads."""
        return {
            "model": self.model,
            "params": list(self.params),
            "size_wh": list(self.size_wh),
        }


def scaled_centre(centre_px: float, scale: float) -> float:
    """A principal point after resizing: pixel edges scale, pixel centres do not."""
    return (centre_px + 0.5) * scale - 0.5


def scaled_pinhole(
    params: tuple[float, ...], size_wh: tuple[int, int], *, to_wh: tuple[int, int]
) -> tuple[float, ...]:
    """Parameters that begin with fx, fy, cx, cy after resizing the picture."""
    fx, fy, cx, cy, *rest = params
    sx, sy = to_wh[0] / size_wh[0], to_wh[1] / size_wh[1]
    return (fx * sx, fy * sy, scaled_centre(cx, sx), scaled_centre(cy, sy), *rest)


def masked(values: Floats, valid: Bools) -> Floats:
    """NaN where invalid."""
    return np.asarray(np.where(valid[..., None], values, np.nan))


def determinant(matrices: Floats) -> Floats:
    """Of ``(…,2,2)``; silent about NaN, unlike LAPACK's."""
    m = matrices
    return np.asarray(m[..., 0, 0] * m[..., 1, 1] - m[..., 0, 1] * m[..., 1, 0])


def solve_2d(
    bend: Callable[[Floats], tuple[Floats, Floats]],
    target: Floats,
    *,
    start: Floats,
    tolerance: float = 1e-13,
    max_steps: int = 30,
) -> tuple[Floats, Bools]:
    """x ``(…,2)`` with bend(x) = target by Newton's method; ``bend`` also gives its ``(…,2,2)``
    Jacobian.

    Returns the solution and where it converged with the Jacobian's determinant positive.
    """
    x = start
    for _ in range(max_steps):
        value, jacobian = bend(x)
        a, b, c, d = (jacobian[..., i, j] for i in (0, 1) for j in (0, 1))
        error = value - target
        det = determinant(jacobian)
        usable = np.where(np.abs(det) > 1e-12, det, 1.0)
        step_x = (d * error[..., 0] - b * error[..., 1]) / usable
        step_y = (a * error[..., 1] - c * error[..., 0]) / usable
        step = np.stack([step_x, step_y], axis=-1)
        longest = np.linalg.norm(step, axis=-1, keepdims=True)
        x = x - step * np.minimum(1.0, 0.5 / np.maximum(longest, 1e-300))
        if not np.any(longest > tolerance):
            break
    value, jacobian = bend(x)
    residual = np.linalg.norm(value - target, axis=-1)
    good = (residual < 1e-10) & (determinant(jacobian) > 0)
    return x, np.asarray(good)


def tangential(xy: Floats, p: Sequence[float]) -> tuple[Floats, Floats]:
    """Decentring bend 2(p·xy)xy + |xy|² p and its ``(…,2,2)`` Jacobian; p is a vector in the image
    plane.
    """
    vector = np.asarray(p, dtype=np.float64)
    dot = xy @ vector
    square = np.sum(xy * xy, axis=-1)
    bend = 2 * dot[..., None] * xy + square[..., None] * vector
    jacobian = (
        2 * xy[..., :, None] * vector
        + 2 * vector[:, None] * xy[..., None, :]
        + 2 * dot[..., None, None] * np.eye(2)
    )
    return bend, jacobian
