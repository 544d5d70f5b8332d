"""Rolling shutter: when the rows of a picture were exposed, and rays as if all had been at once.

Here by the corners' own motion from picture to picture, which needs no gyro; where there is one,
`slam.imu.rolling_shutter` knows the turn itself.
"""

from dataclasses import dataclass, replace

import numpy as np

from core.geometry.arrays import Floats, Ints, unit
from slam.sight.tracks import Change, Observed, Tracks

NEAR_NS = 120_000_000  # a corner's motion is told by pictures at most so far away
BLOCK = 200  # frames at a time, so that long recordings need no more memory


@dataclass(frozen=True)
class Shutter:
    """When each row of an upright picture of ``size_wh`` was exposed.

    readout_s: first row to last; negative where the last was first.   rotate_deg: clockwise turn
    that made the picture upright.
    """

    readout_s: float
    size_wh: tuple[int, int]
    rotate_deg: int = 0

    def parts(self, uv_px: Floats) -> Floats:
        """``(N,)`` place of pixels ``(N,2)`` among the rows: -0.5 the first, 0.5 the last."""
        axis = 0 if self.rotate_deg in {90, 270} else 1
        part = uv_px[:, axis] / max(self.size_wh[axis] - 1, 1) - 0.5
        if self.rotate_deg in {90, 180}:
            part = -part
        return np.clip(part, -0.5, 0.5)

    def delays_s(self, uv_px: Floats) -> Floats:
        """``(N,)`` seconds from the picture's time to the exposure of pixels ``(N,2)``."""
        return np.asarray(self.readout_s * self.parts(uv_px))


def by_motion(tracks: Observed, shutter: Shutter) -> Change:
    """Makes rays of any frames of ``tracks`` those that a global shutter would have seen. Corners
    of a second camera stay, and those that no picture beside theirs saw."""

    def change(some: Tracks) -> Tracks:
        delays_s = shutter.delays_s(some.uv_px) * some.own
        return replace(some, rays=unit(some.rays - delays_s[:, None] * motion(some, tracks)))

    return change


def motion(some: Tracks, tracks: Observed) -> Floats:
    """``(N,3)`` change of every ray per second, as the pictures before and after show it in
    ``tracks``, which holds ``some``; 0 where neither does."""
    rows = np.arange(len(some.timestamps_ns))
    parts = [some.of_frames(rows[k : k + BLOCK]) for k in range(0, len(rows), BLOCK)]
    return np.concatenate([_motion(part, tracks) for part in parts] or [np.zeros((0, 3))])


def _motion(some: Tracks, tracks: Observed) -> Floats:
    frames = np.searchsorted(tracks.timestamps_ns, some.timestamps_ns)
    wanted = np.unique(frames[:, None] + [-1, 0, 1])
    wanted = wanted[(wanted >= 0) & (wanted < len(tracks.timestamps_ns))]
    around = tracks.of_frames(wanted)
    mine = np.searchsorted(wanted, frames)[some.frame]
    before, own, after = _same(some, around, mine + np.array([[-1], [0], [1]]))
    before, after = (np.where(row < 0, own, row) for row in (before, after))
    at_ns = around.timestamps_ns[around.frame]
    span_s = (at_ns[after] - at_ns[before])[:, None] * 1e-9
    moved = around.rays[after] - around.rays[before]
    return np.where(span_s > 0, moved / np.where(span_s > 0, span_s, 1.0), 0.0)


def _same(some: Tracks, around: Tracks, frame: Ints) -> Ints:
    """Rows in which ``around`` has the same points in these frames ``(…,N)`` of it, soon enough;
    else -1."""
    n_tracks = max(some.n_tracks, around.n_tracks)
    keys = around.frame * n_tracks + around.track
    wanted = frame * n_tracks + some.track
    row = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    if not len(keys):
        return np.full(wanted.shape, -1)
    away_ns = np.abs(around.timestamps_ns[around.frame[row]] - some.timestamps_ns[some.frame])
    return np.where((keys[row] == wanted) & (away_ns <= NEAR_NS), row, -1)
