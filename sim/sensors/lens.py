"""From ideal pinhole pictures to what a real camera records.

One look-up does the lens and the rolling shutter (each row sees the scene from the rotation the
camera had when that row was read; depth is ignored). Motion blur averages several such look-ups
within the exposure. The look-up is computed on a coarse grid and enlarged, for each of the views
that the lens is made of (`sim/scene/views.py`).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.camera_model import Camera
from core.geometry.rotations import matrix_from_rotvec
from sim.scene.views import View, atlas_wh, cover, looking_ahead, owners

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Maps = tuple[NDArray[np.float32], NDArray[np.float32]]

GRID_PX = 8
WIDE_GRID_PX = 4  # where pinhole and lens bend against each other the most
BLUR_PX = 1.2  # blurs shorter than this are not worth drawing
MOST_TAPS = 7


class Lens:
    """One camera's look-ups. ``readout_s``: first row to last.

    views: what to draw for it at mid-exposure of the middle row.  atlas_wh: all of them together.
    """

    def __init__(self, camera: Camera, *, readout_s: float = 0.0, exposure_s: float = 0.0) -> None:
        self.camera, self.readout_s, self.exposure_s = camera, readout_s, exposure_s
        plain = camera.model == "pinhole_radtan" and not np.any(np.asarray(camera.params[4:]))
        self._ideal = plain and readout_s == 0 and exposure_s == 0
        self._step = GRID_PX if camera.model == "pinhole_radtan" else WIDE_GRID_PX
        width, height = camera.size_wh
        columns = np.arange(-self._step, width + 2 * self._step, self._step, dtype=np.float64)
        self._rows = np.arange(-self._step, height + 2 * self._step, self._step, dtype=np.float64)
        rays, _ = camera.unproject(np.stack(np.meshgrid(columns, self._rows), -1))
        self._rays = np.asarray(rays)
        if self._ideal:
            self.views = [looking_ahead(camera.focal_px, camera.size_wh)]
        else:
            self.views = cover(
                self._rays, focal_px=camera.focal_px, step_px=self._step,
                lag_s=0.5 * (readout_s + exposure_s),
            )  # fmt: skip
        self.atlas_wh = atlas_wh(self.views)
        self._masks = self._seen_by()
        self._still: Maps | None = None

    def _seen_by(self) -> list[NDArray[np.bool_]]:
        """(H, W) per view after the first: the pixels it serves."""
        if len(self.views) == 1:
            return []
        width, height = self.camera.size_wh
        pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float64)
        rays, _ = self.camera.unproject(pixels)
        owner = owners(np.asarray(rays), self.views)
        return [owner == number for number in range(1, len(self.views))]

    def maps(self, rate_rad_s: Array, shift_s: float = 0.0) -> Maps:
        """Look-ups (H, W) into the atlas of the views.

        rate_rad_s: (3,) angular velocity in the camera's axes.  shift_s: instant within exposure.
        """
        height = self.camera.size_wh[1]
        delay = shift_s + self.readout_s * (self._rows / (height - 1) - 0.5)
        turn = matrix_from_rotvec(delay[:, None] * rate_rad_s)
        rays = np.matmul(self._rays, np.swapaxes(turn, 1, 2))
        x, y = self._enlarge(rays, self.views[0])
        for view, mask in zip(self.views[1:], self._masks, strict=True):
            for whole, part in zip((x, y), self._enlarge(rays, view), strict=True):
                np.copyto(whole, part, where=mask)
        return x, y

    def _enlarge(self, rays: Array, view: View) -> Maps:
        """One view's look-up at every pixel from its values on the grid."""
        uv = view.place(rays).astype(np.float32)
        step = self._step
        scale = np.array([[step, 0, -step], [0, step, -step]], np.float64)
        out = [
            cv2.warpAffine(
                np.ascontiguousarray(uv[..., k]), scale, self.camera.size_wh,
                flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
            )
            for k in range(2)
        ]  # fmt: skip
        return np.asarray(out[0], np.float32), np.asarray(out[1], np.float32)

    def expose(self, picture: Image, rate_rad_s: Array) -> Image:
        """The recorded picture (H, W, 3) from the atlas of the ideal views."""
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
