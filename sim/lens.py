"""From an ideal pinhole picture to what a real camera records.

One look-up does lens distortion and rolling shutter (each row sees the scene from the rotation the
camera had when that row was read; depth is ignored). Motion blur averages several such look-ups
within the exposure. The look-up is computed on a coarse grid and enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.camera_model import Camera
from core.geometry.rotations import matrix_from_rotvec

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Maps = tuple[NDArray[np.float32], NDArray[np.float32]]

GRID_PX = 8
MARGIN = 1.06  # room around the picture for rows that look elsewhere
BLUR_PX = 1.2  # blurs shorter than this are not worth drawing
MOST_TAPS = 7


@dataclass(frozen=True)
class Pinhole:
    """The ideal picture MuJoCo draws: centred, square pixels."""

    focal_px: float
    size_wh: tuple[int, int]

    @property
    def fov_y(self) -> float:
        """Vertical field of view, radians."""
        return float(2 * np.arctan(0.5 * self.size_wh[1] / self.focal_px))


class Lens:
    """One camera's look-ups. ``readout_s``: first row to last."""

    def __init__(self, camera: Camera, *, readout_s: float = 0.0, exposure_s: float = 0.0) -> None:
        self.camera, self.readout_s, self.exposure_s = camera, readout_s, exposure_s
        width, height = camera.size_wh
        self._columns = np.arange(-GRID_PX, width + 2 * GRID_PX, GRID_PX, dtype=np.float64)
        self._rows = np.arange(-GRID_PX, height + 2 * GRID_PX, GRID_PX, dtype=np.float64)
        grid = np.stack(np.meshgrid(self._columns, self._rows), -1)
        rays, _ = camera.unproject(grid)
        self._rays = np.asarray(rays)
        ideal = not np.any(np.asarray(camera.params[4:])) and camera.model == "pinhole_radtan"
        moving = readout_s > 0 or exposure_s > 0
        self.pinhole = self._pinhole(1.0 if ideal and not moving else MARGIN)
        self._still: Maps | None = None
        self._ideal = ideal and not moving

    def _pinhole(self, margin: float) -> Pinhole:
        focal = self.camera.focal_px
        width, height = self.camera.size_wh
        if margin == 1.0:
            return Pinhole(focal, (width, height))
        inside = self._rays[1:-1, 1:-1]
        slope = np.abs(inside[..., :2] / inside[..., 2:]).reshape(-1, 2).max(0)
        half = np.ceil(slope * focal * margin)
        return Pinhole(focal, (2 * int(half[0]), 2 * int(half[1])))

    def maps(self, rate_rad_s: Array, shift_s: float = 0.0) -> Maps:
        """Look-ups (H, W) into the pinhole picture drawn at mid-exposure of the middle row.

        rate_rad_s: (3,) angular velocity in the camera's axes.  shift_s: instant within exposure.
        """
        height = self.camera.size_wh[1]
        delay = shift_s + self.readout_s * (self._rows / (height - 1) - 0.5)
        turn = matrix_from_rotvec(delay[:, None] * rate_rad_s)
        rays = np.einsum("rij,rcj->rci", turn, self._rays)
        pinhole = self.pinhole
        centre = (np.array(pinhole.size_wh) - 1) / 2
        uv = pinhole.focal_px * rays[..., :2] / np.maximum(rays[..., 2:], 1e-3) + centre
        return self._enlarge(uv)

    def _enlarge(self, uv: Array) -> Maps:
        width, height = self.camera.size_wh
        scale = np.array([[GRID_PX, 0, -GRID_PX], [0, GRID_PX, -GRID_PX]], np.float64)
        out = [
            cv2.warpAffine(
                np.ascontiguousarray(uv[..., k], np.float32), scale, (width, height),
                flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
            )
            for k in range(2)
        ]  # fmt: skip
        return np.asarray(out[0], np.float32), np.asarray(out[1], np.float32)

    def expose(self, picture: Image, rate_rad_s: Array) -> Image:
        """The recorded picture (H, W, 3) from the ideal one."""
        if self._ideal:
            return picture
        if self.readout_s == 0 and self.exposure_s == 0:
            self._still = self._still or self.maps(np.zeros(3))
            return _remap(picture, self._still)
        smear_px = float(np.linalg.norm(rate_rad_s)) * self.exposure_s * self.camera.focal_px
        taps = 1 if smear_px < BLUR_PX else min(MOST_TAPS, 1 + int(np.ceil(smear_px)))
        shifts = ((np.arange(taps) + 0.5) / taps - 0.5) * self.exposure_s
        if taps == 1:
            return _remap(picture, self.maps(rate_rad_s))
        total = np.zeros((*reversed(self.camera.size_wh), 3), np.float32)
        for shift in shifts:
            cv2.accumulate(_remap(picture, self.maps(rate_rad_s, float(shift))), total)
        return np.asarray(np.clip(total / taps + 0.5, 0, 255), np.uint8)


def _remap(picture: Image, maps: Maps) -> Image:
    return np.asarray(cv2.remap(picture, maps[0], maps[1], cv2.INTER_LINEAR), np.uint8)


class SensorNoise:
    """Grain: a large noise picture laid at a random place over each frame; cheap and seeded."""

    def __init__(self, sigma: float, size_wh: tuple[int, int], rng: np.random.Generator) -> None:
        self.sigma, self._rng = sigma, rng
        width, height = size_wh
        if sigma > 0:
            values = rng.normal(0, sigma, (height + 64, width + 64, 3))
            self._plus = np.clip(values, 0, 255).astype(np.uint8)
            self._minus = np.clip(-values, 0, 255).astype(np.uint8)

    def add(self, picture: Image) -> Image:
        """The picture with grain."""
        if self.sigma <= 0:
            return picture
        x, y = (int(v) for v in self._rng.integers(0, 64, 2))
        height, width = picture.shape[:2]
        box = (slice(y, y + height), slice(x, x + width))
        lighter = cv2.add(picture, np.ascontiguousarray(self._plus[box]))
        return np.asarray(cv2.subtract(lighter, np.ascontiguousarray(self._minus[box])), np.uint8)
