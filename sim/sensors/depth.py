"""What a stereo depth camera reads: distances with its noise, its steps and its holes.

After Intel RealSense D400 (tuning guide: depth RMS error = z² · subpixel / (focal · baseline)), the
figures for its small module. Holes are where such a camera has them: too near, too far, on surfaces
seen at a grazing angle, where the second imager is blind behind something nearer, and in patches
that offer nothing to match. The shutter is global; nothing blurs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.rig import DepthSpec

Array = NDArray[np.float64]
Metres = NDArray[np.float32]
Levels = NDArray[np.uint16]

PATCH_PX = 9  # size of what fails to match
STEEPEST = 8.0  # metres of depth per metre across, beyond which nothing matches


@dataclass(frozen=True, eq=False)
class DepthSensor:
    """Reads true distances as a depth camera would. focal_px: of the picture it gives."""

    spec: DepthSpec
    focal_px: float

    def read(self, depth_m: Metres, *, quality: float, rng: np.random.Generator) -> Levels:
        """(H, W) true metres along the axis to 16-bit levels, 0 where there is no reading.

        quality: factor on noise, steps and holes (0: perfect, but for the range).
        """
        spec = self.spec
        known = (depth_m >= spec.nearest_m) & (depth_m <= spec.farthest_m)
        reach = self.focal_px * spec.baseline_m
        disparity = reach / np.maximum(depth_m, 1e-3).astype(np.float64)
        if quality > 0:
            known &= ~(shadowed(disparity) | steep(depth_m, self.focal_px))
            known &= ~_patches(depth_m.shape, quality * spec.unmatched, rng)
            noise = cv2.GaussianBlur(rng.standard_normal(depth_m.shape), (0, 0), 1.0)
            noise *= quality * spec.subpixel / noise.std()
            step = 1.0 / spec.steps_per_px
            disparity = np.round((disparity + noise) / step) * step
        levels = np.round(reach / np.maximum(disparity, 1e-3) / spec.unit_m)
        return np.where(known, np.clip(levels, 1, 65535), 0).astype(np.uint16)


def shadowed(disparity_px: Array) -> NDArray[np.bool_]:
    """(H, W): what the second imager, to the right, does not see behind something nearer."""
    column = np.arange(disparity_px.shape[1])
    there = column - disparity_px
    nearer = np.minimum.accumulate(there[:, ::-1], axis=1)[:, ::-1]
    hidden = np.zeros(there.shape, bool)
    hidden[:, :-1] = there[:, :-1] > nearer[:, 1:] + 0.5
    return hidden


def steep(depth_m: Metres, focal_px: float) -> NDArray[np.bool_]:
    """(H, W): surfaces seen at so grazing an angle that nothing matches."""
    down, across = np.gradient(depth_m)
    slope = np.hypot(down, across) * focal_px / np.maximum(depth_m, 1e-3)
    return np.asarray(slope > STEEPEST)


def _patches(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(H, W): about ``share`` of the picture, in blobs."""
    if share <= 0:
        return np.zeros(shape, bool)
    coarse = rng.random((shape[0] // PATCH_PX + 1, shape[1] // PATCH_PX + 1)).astype(np.float32)
    size = (coarse.shape[1] * PATCH_PX, coarse.shape[0] * PATCH_PX)
    fine = cv2.resize((coarse < share).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine[: shape[0], : shape[1]] > 0.4)
