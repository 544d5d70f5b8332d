"""Carries a wrist camera on where it does not see the head's map, by corners of its own pictures.

Corners are followed through all pictures. Those that stayed where they were while the camera's
place was known get a place in the world, and say where it is for as long as they are seen. New
ones get theirs from poses found in this way: errors add up, and sigma with them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.geometry.arrays import Floats, Ints, unit
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from slam.sight.localise import View, ransac_pose, refine_pose
from slam.sight.rays import angular_error, triangulate
from slam.sight.tracks import Tracks
from slam.wrist.own_corners import Trail
from slam.wrist.sighting import Sighting, sighting_of

MEMORY, LONGEST = 45, 60  # posed frames that corners are placed from, and how far off
LEAST_SEEN, MOST_COUNTED = 4, 4  # of those: to be placed, and taken to be independent
LEAST_SPREAD_RAD = 0.012  # of the directions that a corner was seen from
FIT_PX, SIGMA_PX, OUTLIER_PX = 1.0, 1.5, 2.0  # in the small pictures
LEAST_POINTS, LEAST_SHARE = 20, 0.65  # that agree on a pose, and of those placed
DRIFT_SHARE, DRIFT_RAD = 0.01, 0.002  # what corners placed anew are off by, all alike: of distance


@dataclass(frozen=True, eq=False)
class _Placed:
    """Corners seen in a frame. rows: of its observations.   points ``(N,3)`` world.   unsure
    ``(N,)``: times the error of a pixel, as seen from there.   covariance ``(N,6,6)``: of the
    poses that they are placed from."""

    rows: Ints
    points: Floats
    unsure: Floats
    covariance: Floats


class Bridge:
    """A stretch of one wrist camera's pictures, and where the camera is known to have been.

    ahead: how many of the pictures come before the one that is numbered 0.   Corners are followed
    where a pose is asked for, from where the camera was known: most pictures need none.
    """

    def __init__(self, pictures: Sequence[Any], camera: Camera, *, ahead: int = 0) -> None:
        self._pictures, self._camera, self._ahead = pictures, camera, ahead
        self._seen: dict[int, Sighting] = {}
        self._trail: Trail | None = None

    def told(self, seen: dict[int, Sighting]) -> None:
        """Where the camera was, by picture."""
        self._seen |= seen

    def forget(self, seen: Iterable[int]) -> None:
        """Take back what was told."""
        for frame in seen:
            self._seen.pop(frame, None)

    def pose(self, frame: int, guess: SE3, *, step: int = 1) -> Sighting | None:
        """From a guessed camera_from_world and pictures before (step 1) or after (-1); None where
        too few corners agree."""
        known = [k for k in self._seen if 0 < (frame - k) * step <= LONGEST]
        known = sorted(known, key=lambda k: abs(k - frame))[:MEMORY]
        if len(known) < LEAST_SEEN:
            return None
        trail = self._trail_to(frame, known[-1], step=step)
        tracks = trail.to(self._ahead + frame)
        before = {trail.frame_of(self._ahead + k): self._seen[k] for k in known}
        now, here = trail.frame_of(self._ahead + frame), guess.inverse().translation
        placed = _placed(tracks, now, before, here=here)
        if placed is None or len(placed.rows) < LEAST_POINTS:
            return None
        rows = placed.rows
        view = View(placed.points, tracks.rays[rows], tracks.rad_per_px[rows] * placed.unsure)
        for start in (guess, None):
            begin = ransac_pose(view, outlier_px=OUTLIER_PX) if start is None else start
            if begin is None:
                return None
            found = refine_pose(view, begin, sigma_px=SIGMA_PX, outlier_px=OUTLIER_PX)
            if found.inlier.sum() >= max(LEAST_POINTS, LEAST_SHARE * len(rows)):
                sighting = sighting_of(found, view)
                off = np.repeat([DRIFT_RAD, DRIFT_SHARE * sighting.depth], 3)
                drift = placed.covariance[found.inlier].mean(axis=0) + np.diag(off**2)
                return replace(sighting, covariance=sighting.covariance + drift)
        return None

    def _trail_to(self, frame: int, first: int, *, step: int) -> Trail:
        """Corners from the first picture on, at least."""
        first, frame = self._ahead + first, self._ahead + frame
        if self._trail is None or not self._trail.leads(first, frame, step=step):
            self._trail = Trail(self._pictures, self._camera, begin=first, step=step)
        return self._trail


def _placed(
    tracks: Tracks, now: int, known: dict[int, Sighting], *, here: Floats
) -> _Placed | None:
    """The corners of a frame that stayed in one place. known: by frame of the tracks.   here
    ``(3,)``: about where the camera was."""
    poses = list(known.values())
    rows = np.arange(tracks.starts[now], tracks.starts[now + 1])
    which = np.full(len(tracks.timestamps_ns), -1)
    which[list(known)] = np.arange(len(known))
    rank = np.full(tracks.n_tracks, -1)
    rank[tracks.track[rows]] = np.arange(len(rows))
    of = np.flatnonzero((which[tracks.frame] >= 0) & (rank[tracks.track] >= 0))
    of = of[np.argsort(rank[tracks.track[of]], kind="stable")]
    if not len(of):
        return None
    first = np.flatnonzero(np.diff(rank[tracks.track[of]], prepend=-1))
    count = np.diff(first, append=len(of))
    point, by = np.repeat(np.arange(len(first)), count), which[tracks.frame[of]]
    axes = np.stack([pose.world_from_camera.rotation for pose in poses])[by]
    places = np.stack([pose.world_from_camera.translation for pose in poses])[by]
    covariance = np.stack([pose.covariance for pose in poses])[by]
    rays = np.einsum("nij,nj->ni", axes, tracks.rays[of])
    points, spread = triangulate(places, rays, point)
    error = angular_error(rays, points[point] - places) / tracks.rad_per_px[of]
    fit = np.sqrt(np.add.reduceat(np.minimum(error, 1e3) ** 2, first) / count)
    good = (count >= LEAST_SEEN) & (spread > LEAST_SPREAD_RAD) & (fit < FIT_PX)
    mean = unit(np.add.reduceat(rays, first, axis=0)[good])
    aside = np.linalg.norm(np.cross(mean, unit(points[good] - here)), axis=1)
    sure = spread[good] * np.sqrt(np.minimum(count[good], MOST_COUNTED))
    drift = np.add.reduceat(covariance, first, axis=0)[good] / count[good, None, None]
    seen = rows[rank[tracks.track[of[first[good]]]]]
    return _Placed(seen, points[good], np.hypot(1.0, aside / sure), drift)
