"""Observations of scene points in the frames of one camera, as unit rays: the front end's output.

Everything behind this file works on rays, so it does not know which camera model made them.
"""

from dataclasses import dataclass, replace

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Ranges:
    """Distances to observed points as a depth camera or a second camera tells them.

    range_m ``(N,)``: metres from the camera, NaN where nothing is told.   sigma_m ``(N,)``: one
    standard deviation of each, without bias_share: by which all may be wrong together.
    source: "depth" or "stereo".
    """

    range_m: Floats
    sigma_m: Floats
    bias_share: float
    source: str

    def subset(self, keep: Bools | Ints) -> "Ranges":
        """Only the observations under a mask, or these rows in this order."""
        return replace(self, range_m=self.range_m[keep], sigma_m=self.sigma_m[keep])


@dataclass(frozen=True, eq=False)
class Tracks:
    """N observations in F frames, sorted by frame, then by track.

    frame: ``(N,)`` row of the frame.   track: ``(N,)`` id of the scene point.   uv_px: ``(N,2)``.
    rays: ``(N,3)`` unit, camera frame.   rad_per_px: ``(N,)`` angle of one pixel there.
    timestamps_ns: ``(F,)`` strictly rising.   starts: ``(F+1,)`` first observation of every frame.
    ranges: how far away the points are, where another camera tells; None without one.
    """

    frame: Ints
    track: Ints
    uv_px: Floats
    rays: Floats
    rad_per_px: Floats
    timestamps_ns: Ints
    ranges: Ranges | None = None

    def __post_init__(self) -> None:
        n = len(self.frame)
        assert self.rays.shape == (n, 3)
        assert self.uv_px.shape == (n, 2)
        assert np.all(np.diff(self.frame) >= 0)
        assert self.ranges is None or len(self.ranges.range_m) == n

    @property
    def starts(self) -> Ints:
        """First observation of every frame, and the end."""
        return np.searchsorted(self.frame, np.arange(len(self.timestamps_ns) + 1))

    @property
    def n_tracks(self) -> int:
        """One more than the largest id."""
        return int(self.track.max()) + 1 if len(self.track) else 0

    def subset(self, keep: Bools | Ints) -> "Tracks":
        """Only the observations under a mask, or these rows in this order; frames stay."""
        return replace(
            self,
            frame=self.frame[keep],
            track=self.track[keep],
            uv_px=self.uv_px[keep],
            rays=self.rays[keep],
            rad_per_px=self.rad_per_px[keep],
            ranges=None if self.ranges is None else self.ranges.subset(keep),
        )

    def of_frames(self, frames: Ints) -> "Tracks":
        """Only these rising frames, renumbered 0 … in their order."""
        row = np.full(len(self.timestamps_ns), -1)
        row[frames] = np.arange(len(frames))
        kept = self.subset(row[self.frame] >= 0)
        return replace(kept, frame=row[kept.frame], timestamps_ns=self.timestamps_ns[frames])


def shared(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Rows of the ids that two sorted, unique id lists have in common."""
    _, in_first, in_second = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    return in_first, in_second
