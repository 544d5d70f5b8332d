"""The camera's path over all frames: what the estimators fill in and the stage writes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.se3 import SE3


@dataclass(eq=False)
class CameraPath:
    """One row per frame (F); filled in place, map by map.

    rotation ``(F,3,3)``, position ``(F,3)``: world_from_camera, NaN where there is no pose.
    sigma_m, sigma_rad ``(F,3)`` along the world's axes.   map_id ``(F,)``, -1 outside every map.
    reason ``(F,)``: why a frame has no pose or is not tracked, None where it is.
    """

    n_frames: int
    rotation: Floats = field(init=False)
    position: Floats = field(init=False)
    tracked: Bools = field(init=False)
    map_id: Ints = field(init=False)
    sigma_m: Floats = field(init=False)
    sigma_rad: Floats = field(init=False)
    error_px: Floats = field(init=False)
    reason: Any = field(init=False)

    def __post_init__(self) -> None:
        n = self.n_frames
        self.rotation = np.full((n, 3, 3), np.nan)
        self.position = np.full((n, 3), np.nan)
        self.tracked = np.zeros(n, bool)
        self.map_id = np.full(n, -1)
        self.sigma_m = np.full((n, 3), np.inf)
        self.sigma_rad = np.full((n, 3), np.inf)
        self.error_px = np.full(n, np.nan)
        self.reason = np.full(n, "no_map", dtype=object)

    @property
    def valid(self) -> Bools:
        """Frames that have a pose."""
        return np.isfinite(self.position).all(axis=1)

    @property
    def world_from_camera(self) -> SE3:
        """All frames, NaN where there is none."""
        return SE3(self.rotation, self.position)

    def put(
        self, frame: int, pose: SE3, *, map_id: int, sigma: tuple[Floats, Floats], error_px: float
    ) -> None:
        """A tracked frame. sigma: metres and radians along the world's axes."""
        self.rotation[frame], self.position[frame] = pose.rotation, pose.translation
        self.tracked[frame], self.map_id[frame] = True, map_id
        self.sigma_m[frame], self.sigma_rad[frame] = sigma
        self.error_px[frame], self.reason[frame] = error_px, None

    def drop(self, frames: Ints | Bools, reason: str) -> None:
        """Take the poses of these frames away again."""
        self.rotation[frames], self.position[frames] = np.nan, np.nan
        self.tracked[frames], self.map_id[frames] = False, -1
        self.sigma_m[frames], self.sigma_rad[frames] = np.inf, np.inf
        self.reason[frames] = reason

    def move(self, frames: Ints | Bools, new_from_old: SE3, *, scale: float = 1.0) -> None:
        """Carry these frames into another world."""
        self.position[frames] = new_from_old.apply(scale * self.position[frames])
        self.rotation[frames] = new_from_old.rotation @ self.rotation[frames]
        turn_squared = new_from_old.rotation**2  # axis-wise variances; correlations are not kept
        for sigma, factor in ((self.sigma_m, scale), (self.sigma_rad, 1.0)):
            rows = sigma[frames]
            known = np.isfinite(rows).all(axis=1)
            rows[known] = np.sqrt((factor * rows[known]) ** 2 @ turn_squared.T)
            sigma[frames] = rows
