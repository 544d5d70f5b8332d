"""Depth pictures in the estimation: how far away a corner was, read where its ray meets the depth.

A reading gives the map its metres, places points that were seen from one spot alone, and holds both
in the adjustment. Sensors are off by a percent of their own; that stays in the scale's sigma.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from core.session.depth import DepthPicture
from slam.sight.tracks import Observed, Ranges

SIGMA_SHARE, LEAST_SIGMA_M = 0.015, 0.005  # of one reading: of its range, and at least
BIAS_SHARE = 0.01  # by which all readings of a sensor may be off together
EDGE_SHARE = 0.06  # a reading whose neighbours differ by more lies on an edge
MEETING_SHARE = 0.02  # how far from its ray, in ranges, a reading's point may lie
ROUNDS = 4  # of walking along a ray that the depth camera sees from the side


@dataclass(frozen=True, eq=False)
class DepthCamera:
    """A depth camera on the head. camera: its model.   picture_from_depth: its place in the camera
    whose corners are followed.
    """

    camera: Camera
    picture_from_depth: SE3


def sigma_m(range_m: Floats) -> Floats:
    """One standard deviation of readings, the sensor's common error left out."""
    return np.maximum(SIGMA_SHARE * range_m, LEAST_SIGMA_M)


def with_ranges(tracks: Observed, pictures: Iterable[DepthPicture], depth: DepthCamera) -> Observed:
    """The same tracks with the range of every corner that a depth picture of its frame tells.

    A depth picture belongs to the frame nearest in time, within half a frame's period.
    """
    times_ns = tracks.timestamps_ns
    reach_ns = float(np.median(np.diff(times_ns))) / 2 if len(times_ns) > 1 else 0.0
    told = {}
    for picture in pictures:
        after = int(np.clip(np.searchsorted(times_ns, picture.timestamp_ns), 1, len(times_ns) - 1))
        near = min((after - 1, after), key=lambda k: abs(int(times_ns[k]) - picture.timestamp_ns))
        if abs(int(times_ns[near]) - picture.timestamp_ns) <= reach_ns:
            found = ranges_along(tracks.of_frames([near]).rays, picture.depth_m, depth)
            told[near] = Ranges(found, sigma_m(found), BIAS_SHARE, "depth")
    return tracks.ranged(told)


def ranges_along(rays: Floats, depth_m: Any, depth: DepthCamera) -> Floats:
    """``(N,)`` metres from the picture's camera along its unit rays; NaN where nothing is told.

    A ray is walked until the depth camera, which sees it from aside, reads the point walked to.
    """
    depth_from_picture = depth.picture_from_depth.inverse()
    read = depth_m[np.isfinite(depth_m)]
    if not len(read):
        return np.full(len(rays), np.nan)
    result = np.full(len(rays), float(np.median(read)))
    aside = float(np.linalg.norm(depth_from_picture.translation)) > 1e-6
    point = rays * result[:, None]
    for _ in range(ROUNDS if aside else 1):
        guess = depth_from_picture.apply(rays * result[:, None])
        uv, valid = depth.camera.project(guess)
        forward = np.where(valid, _read(depth_m, uv), np.nan)
        seen = guess * (forward / guess[:, 2])[:, None]
        point = depth.picture_from_depth.apply(seen)
        result = np.sum(point * rays, axis=1)
    off = np.linalg.norm(point - result[:, None] * rays, axis=1)
    return np.where((result > 0) & (off < MEETING_SHARE * result), result, np.nan)


def _read(depth_m: Any, uv: Floats) -> Floats:
    """Depth at pixels ``(N,2)``: the mean of the 3x3 pixels around, NaN at holes and at edges."""
    height, width = depth_m.shape
    whole = np.rint(np.where(np.isfinite(uv), uv, -9)).astype(np.int64)
    inside = np.all((whole >= 1) & (whole < [width - 1, height - 1]), axis=1)
    column, row = np.where(inside[:, None], whole, 1).T
    steps = np.array([-1, 0, 1])
    around = depth_m[row[:, None, None] + steps[:, None], column[:, None, None] + steps]
    around = around.reshape(len(uv), 9).astype(np.float64)
    mean = around.mean(axis=1)
    flat = np.ptp(around, axis=1) < EDGE_SHARE * mean
    return np.where(inside & flat, mean, np.nan)


def ranged_points(world_from_camera: SE3, rays: Floats, range_m: Floats, *, group: Ints) -> Floats:
    """Points ``(P,3)`` in the world as the mean of their readings. group ``(N,)``: rising, 0 …"""
    placed = world_from_camera.translation + np.einsum(
        "nij,nj->ni", world_from_camera.rotation, rays * range_m[:, None]
    )
    count = np.bincount(group)
    return np.stack([np.bincount(group, placed[:, k]) / count for k in range(3)], axis=1)
