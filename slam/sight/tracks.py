"""Observations of scene points in the frames of a camera, as unit rays: the front end's output.

Everything behind this file works on rays, so it does not know which camera model made them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Ranges:
    """Distances to observed points as a depth camera or a second camera tells them.

    range_m ``(N,)``: metres along the ray, NaN where nothing is told.   sigma_m ``(N,)``: one
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


class Observed(Protocol):
    """What was observed in the frames of a recording, in memory (`Tracks`) or not (`Followed`)."""

    @property
    def timestamps_ns(self) -> Ints:
        """``(F,)`` strictly rising."""

    @property
    def n_tracks(self) -> int:
        """One more than the largest id."""

    def of_frames(self, frames: Ints | Sequence[int]) -> "Tracks":
        """Only these rising frames, renumbered 0 … in their order."""

    def changed(self, change: "Change") -> "Observed":
        """With what ``change`` makes of the observations of any frames."""

    def ranged(self, told: Mapping[int, Ranges]) -> "Observed":
        """With ranges of all observations of these frames, told by one camera."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """N observations in F frames, sorted by frame, then by track.

    frame: ``(N,)`` row of the frame.   track: ``(N,)`` id of the scene point.   uv_px: ``(N,2)``.
    rays: ``(N,3)`` unit, camera frame.   rad_per_px: ``(N,)`` angle of one pixel there.
    timestamps_ns: ``(F,)`` strictly rising.   starts: ``(F+1,)`` first observation of every frame.
    ranges: how far away the points are, where another camera tells; None without one.
    eyes: ``(N,3)`` metres, camera frame: where rays begin that a second camera saw, 0 for the
    camera's own; None where all are its own. A second camera's uv_px are those of its picture.
    """

    frame: Ints
    track: Ints
    uv_px: Floats
    rays: Floats
    rad_per_px: Floats
    timestamps_ns: Ints
    ranges: Ranges | None = None
    eyes: Floats | None = None

    def __post_init__(self) -> None:
        n = len(self.frame)
        assert self.rays.shape == (n, 3)
        assert self.eyes is None or self.eyes.shape == (n, 3)
        assert self.uv_px.shape == (n, 2)
        assert np.all(np.diff(self.frame) >= 0)
        assert self.ranges is None or len(self.ranges.range_m) == n

    @cached_property
    def starts(self) -> Ints:
        """First observation of every frame, and the end."""
        return np.searchsorted(self.frame, np.arange(len(self.timestamps_ns) + 1))

    @property
    def n_tracks(self) -> int:
        """One more than the largest id."""
        return int(self.track.max()) + 1 if len(self.track) else 0

    @property
    def own(self) -> Bools:
        """``(N,)`` which observations are the camera's own, not a second one's."""
        return np.ones(len(self.frame), bool) if self.eyes is None else ~self.eyes.any(axis=1)

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
            eyes=None if self.eyes is None else self.eyes[keep],
        )

    def merged(self, more: "Tracks") -> "Tracks":
        """With further observations of the same frames under other ids; neither has ranges."""
        if not len(more.frame):
            return self
        pair = (self, more)
        order = np.lexsort([
            np.concatenate([getattr(t, n) for t in pair]) for n in ("track", "frame")
        ])
        columns = {
            name: np.concatenate([getattr(t, name) for t in pair])[order]
            for name in ("frame", "track", "uv_px", "rays", "rad_per_px")
        }
        eyes = [np.zeros_like(t.rays) if t.eyes is None else t.eyes for t in pair]
        return replace(self, **columns, eyes=np.concatenate(eyes)[order])

    def of_frames(self, frames: Ints | Sequence[int]) -> "Tracks":
        """Only these rising frames, renumbered 0 … in their order."""
        frames = np.asarray(frames, np.int64)
        first, counts = self.starts[frames], self.starts[frames + 1] - self.starts[frames]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = self.subset(np.repeat(first, counts) + within)
        frame = np.repeat(np.arange(len(frames)), counts)
        return replace(kept, frame=frame, timestamps_ns=self.timestamps_ns[frames])

    def changed(self, change: "Change") -> "Tracks":
        """With what ``change`` makes of them."""
        return change(self)

    def ranged(self, told: Mapping[int, Ranges]) -> "Tracks":
        """With ranges of all observations of these frames, told by one camera."""
        return ranging(self.timestamps_ns, told)(self)


Change = Callable[[Tracks], Tracks]


def ranging(times_ns: Ints, told: Mapping[int, Ranges]) -> Change:
    """Gives observations of the frames at ``times_ns`` the ranges told of all those of a frame."""

    def change(some: Tracks) -> Tracks:
        frames = np.searchsorted(times_ns, some.timestamps_ns)
        return replace(some, ranges=_ranges_of(frames, np.diff(some.starts), told))

    return change


def _ranges_of(frames: Ints, counts: Ints, told: Mapping[int, Ranges]) -> Ranges | None:
    """Ranges of the observations of these frames, ``counts`` of each; None where nothing is told of
    any frame of the recording."""
    if not told:
        return None
    range_m, sigma_m = (np.full(int(np.sum(counts)), np.nan) for _ in range(2))
    start = 0
    for frame, count in zip(frames, counts, strict=True):
        if int(frame) in told:
            here = slice(start, start + int(count))
            range_m[here], sigma_m[here] = told[int(frame)].range_m, told[int(frame)].sigma_m
        start += int(count)
    return replace(next(iter(told.values())), range_m=range_m, sigma_m=sigma_m)


def shared(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Rows of the ids that two sorted, unique id lists have in common."""
    _, in_first, in_second = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    return in_first, in_second
