"""The map while it is being built: keyframe poses, points, and which observations still count."""

from dataclasses import dataclass, field, replace

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.se3 import SE3
from slam.lengths.ranges import ranged_points
from slam.sight.localise import View
from slam.sight.rays import angular_error, triangulate
from slam.sight.tracks import Tracks

MIN_SPREAD_RAD = 5e-3  # rms spread of a point's rays below which its depth is not known


@dataclass(eq=False)
class Scene:
    """Keyframe poses (K) and points (P). Changed in place by growth and adjustment.

    views: observations; its frames are keyframe rows.   posed: ``(K,)``.   used: ``(N,)``.
    known: ``(P,)``.   points: ``(P,3)`` in the world, one per track.
    ranged: lengths are metres by the observations' ranges, which place points and hold them; where
    they are not, nothing says how far a second camera is away, and what it saw is left out.
    """

    views: Tracks
    n_tracks: int = 0  # at least as many as the views name
    ranged: bool = False
    rotation: Floats = field(init=False)  # world_from_camera
    position: Floats = field(init=False)
    posed: Bools = field(init=False)
    points: Floats = field(init=False)
    known: Bools = field(init=False)
    used: Bools = field(init=False)
    by_track: Ints = field(init=False)  # observations sorted by track
    track_starts: Ints = field(init=False)

    def __post_init__(self) -> None:
        if not self.ranged and self.views.eyes is not None:
            self.views = replace(self.views.subset(self.views.own), eyes=None)
        n_frames = len(self.views.timestamps_ns)
        n_tracks = self.n_tracks = max(self.n_tracks, self.views.n_tracks)
        self.rotation = np.tile(np.eye(3), (n_frames, 1, 1))
        self.position = np.zeros((n_frames, 3))
        self.posed = np.zeros(n_frames, bool)
        self.points = np.full((n_tracks, 3), np.nan)
        self.known = np.zeros(n_tracks, bool)
        self.used = np.ones(len(self.views.frame), bool)
        self.by_track = np.argsort(self.views.track, kind="stable")
        self.track_starts = np.searchsorted(
            self.views.track[self.by_track], np.arange(n_tracks + 1)
        )
        self.frame_starts = self.views.starts

    @property
    def world_from_camera(self) -> SE3:
        """All keyframes; identity where not posed."""
        return SE3(self.rotation, self.position)

    def set_pose(self, frame: int, world_from_camera: SE3) -> None:
        """Place one keyframe."""
        self.rotation[frame] = world_from_camera.rotation
        self.position[frame] = world_from_camera.translation
        self.posed[frame] = True

    def of_frame(self, frame: int) -> Ints:
        """Observations of one keyframe."""
        return np.arange(self.frame_starts[frame], self.frame_starts[frame + 1])

    def of_tracks(self, tracks: Ints) -> Ints:
        """Used observations of these tracks in posed keyframes, grouped in the tracks' order."""
        counts = self.track_starts[tracks + 1] - self.track_starts[tracks]
        first = np.repeat(self.track_starts[tracks] - np.cumsum(counts) + counts, counts)
        rows = self.by_track[first + np.arange(counts.sum())]
        return rows[self.used[rows] & self.posed[self.views.frame[rows]]]

    def view_of(self, frame: int) -> tuple[View, Ints]:
        """What a keyframe sees of known points, and those observations."""
        rows = self.of_frame(frame)
        rows = rows[self.known[self.views.track[rows]]]
        tracks = self.views
        return View.of(self.points[tracks.track[rows]], tracks, rows), rows

    def eyes(self, rows: Ints) -> Floats:
        """``(n,3)`` where the rays of these observations begin, in the world."""
        frame = self.views.frame[rows]
        if self.views.eyes is None:
            return self.position[frame]
        away = np.einsum("nij,nj->ni", self.rotation[frame], self.views.eyes[rows])
        return np.asarray(self.position[frame] + away)

    def observations(self) -> Ints:
        """All used observations of known points in posed keyframes."""
        return np.flatnonzero(
            self.used & self.posed[self.views.frame] & self.known[self.views.track]
        )

    def thinned(self, rows: Ints, most: int) -> Ints:
        """These observations, but of no point more than ``most``, evenly spread over its keyframes;
        which ones differs from point to point, so that no keyframe loses all of its own.
        """
        track = self.views.track[rows]
        order = np.lexsort((rows, track))
        starts = np.flatnonzero(np.diff(track[order], prepend=-1))
        counts = np.diff(starts, append=len(order))
        n, first = np.repeat(counts, counts), np.repeat(starts, counts)
        place = (np.arange(len(order)) - first + track[order]) % n
        return np.sort(rows[order[(place + 1) * most // n > place * most // n]])

    def tracks_of(self, frames: Ints) -> Ints:
        """Every point that these keyframes saw, known or not."""
        starts = self.frame_starts
        seen = [self.views.track[starts[frame] : starts[frame + 1]] for frame in frames]
        return np.unique(np.concatenate(seen)) if seen else np.zeros(0, np.int64)

    def used_by(self, frames: Ints) -> Ints:
        """Known points that these keyframes saw and still use."""
        starts = self.frame_starts
        rows = np.concatenate([np.arange(starts[k], starts[k + 1]) for k in frames])
        tracks = np.unique(self.views.track[rows[self.used[rows]]])
        return tracks[self.known[tracks]]

    def errors_px(self, rows: Ints) -> Floats:
        """Reprojection errors of these observations; infinite behind the camera."""
        frame = self.views.frame[rows]
        towards = self.points[self.views.track[rows]] - self.eyes(rows)
        in_camera = np.einsum("nji,nj->ni", self.rotation[frame], towards)
        return angular_error(self.views.rays[rows], in_camera) / self.views.rad_per_px[rows]

    def triangulate(self, tracks: Ints, *, max_px: float) -> int:
        """Place these tracks where at least two rays agree; returns how many were placed."""
        rows = self.of_tracks(tracks)
        point, position_in_list, counts = np.unique(
            self.views.track[rows], return_inverse=True, return_counts=True
        )
        rows = rows[counts[position_in_list] >= 2]
        point, group = np.unique(self.views.track[rows], return_inverse=True)
        if not len(point):
            return self._place_by_range(tracks, max_px=max_px) if self.ranged else 0
        order = np.argsort(group, kind="stable")
        rows, group = rows[order], group[order]
        frame = self.views.frame[rows]
        directions = np.einsum("nij,nj->ni", self.rotation[frame], self.views.rays[rows])
        points, spread = triangulate(self.eyes(rows), directions, group)
        self.points[point] = points
        error = self.errors_px(rows)
        worst = np.maximum.reduceat(error, np.searchsorted(group, np.arange(len(point))))
        good = (worst < max_px) & (spread > MIN_SPREAD_RAD)
        self.known[point] = good
        return int(good.sum()) + (self._place_by_range(tracks, max_px=max_px) if self.ranged else 0)

    def _place_by_range(self, tracks: Ints, *, max_px: float) -> int:
        """Place those still unknown, seen without parallax, where their ranges say."""
        rows = self.of_tracks(tracks[~self.known[tracks]])
        rows = rows[np.isfinite(self.ranges(rows))]
        rows = rows[np.argsort(self.views.track[rows], kind="stable")]
        point, group = np.unique(self.views.track[rows], return_inverse=True)
        if not len(point):
            return 0
        seen_from = SE3(self.rotation[self.views.frame[rows]], self.eyes(rows))
        rays, range_m = self.views.rays[rows], self.ranges(rows)
        self.points[point] = ranged_points(seen_from, rays, range_m, group=group)
        rows = self.of_tracks(point)
        bad = np.unique(self.views.track[rows[self.errors_px(rows) > max_px]])
        self.known[point] = ~np.isin(point, bad)
        return int(self.known[point].sum())

    def ranges(self, rows: Ints) -> Floats:
        """Ranges of these observations in metres; NaN where there is none."""
        if self.views.ranges is None:
            return np.full(len(rows), np.nan)
        return self.views.ranges.range_m[rows]

    def drop_outliers(self, max_px: float, *, among: Ints | None = None) -> int:
        """Forget observations that do not fit and points that lost support. Returns how many.

        among: only these rising points, where the others have not changed.
        """
        tracks = np.flatnonzero(self.known) if among is None else among[self.known[among]]
        rows = self.of_tracks(tracks)
        bad = self.errors_px(rows) > max_px
        self.used[rows[bad]] = False
        rows = rows[~bad]
        placed = self.spread(rows, among=tracks) > 0.5 * MIN_SPREAD_RAD
        if self.ranged:
            told = rows[np.isfinite(self.ranges(rows))]
            placed[np.searchsorted(tracks, self.views.track[told])] = True
        self.known[tracks] = placed
        return int(bad.sum())

    def readmit(self, max_px: float) -> None:
        """Use observations again that were thrown out while the map was worse, where they fit."""
        rows = np.flatnonzero(
            ~self.used & self.posed[self.views.frame] & self.known[self.views.track]
        )
        self.used[rows[self.errors_px(rows) < max_px]] = True

    def spread(self, rows: Ints, *, among: Ints | None = None) -> Floats:
        """``(P,)`` rms spread of the world directions of every track, or of the rising tracks
        ``among``, which hold all of the rows'; 0 with fewer than two."""
        turned = np.einsum(
            "nij,nj->ni", self.rotation[self.views.frame[rows]], self.views.rays[rows]
        )
        track, n_tracks = self.views.track[rows], len(self.known)
        if among is not None:
            track, n_tracks = np.searchsorted(among, track), len(among)
        total = np.stack([np.bincount(track, turned[:, k], n_tracks) for k in range(3)], axis=1)
        mean = np.linalg.norm(total, axis=1) / np.maximum(np.bincount(track, minlength=n_tracks), 1)
        return np.sqrt(np.maximum(1 - mean**2, 0)) * (mean > 0)

    def moved(self, world_from_old: SE3, scale: float = 1.0) -> None:
        """Carry the whole scene into another frame: scaled first, then moved."""
        self.position = world_from_old.apply(scale * self.position)
        self.rotation = world_from_old.rotation @ self.rotation
        self.points = world_from_old.apply(scale * self.points)
