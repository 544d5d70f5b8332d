"""From sightings at a wrist camera's own times to a pose at every tick of the head."""

from dataclasses import dataclass

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.path import CameraPath
from slam.wrist.tracking import Sighting

MAX_GAP_S = 0.11  # sightings further apart are not joined
ACCELERATION_M_S2, ACCELERATION_RAD_S2 = 4.0, 15.0  # of a hand between two sightings
SURFACE_SHARE, SURFACE_RAD = 0.007, 0.008  # what the map's surfaces are wrong by: of the distance


@dataclass(frozen=True, eq=False)
class WristPath:
    """One row per tick (T). world_from_camera: NaN where not valid.   sigma_m, sigma_rad
    ``(T,3)`` along the world's axes.   points ``(T,)``: map points that the pose rests on."""

    world_from_camera: SE3
    valid: Bools
    sigma_m: Floats
    sigma_rad: Floats
    points: Ints


def at_ticks(
    seen: dict[int, Sighting], pictures: tuple[Ints, Ints], ticks_ns: Ints, *, path: CameraPath
) -> WristPath:
    """Between the sightings before and after each tick, where both are near and on its map.

    seen: by row of ``pictures``: their times, and the maps they were looked for in.   path: the
    head's, for its maps and how sure they are.
    """
    times_ns, maps = pictures
    n = len(ticks_ns)
    rotation, position = np.full((n, 3, 3), np.nan), np.full((n, 3), np.nan)
    sigma_m, sigma_rad = np.full((n, 3), np.nan), np.full((n, 3), np.nan)
    points = np.zeros(n, np.int64)
    rows = np.array(sorted(seen), np.int64)
    for tick, (before, after) in _neighbours(times_ns[rows], ticks_ns):
        on_map = {int(maps[rows[before]]), int(maps[rows[after]])} == {int(path.map_id[tick])}
        if not path.tracked[tick] or not on_map:
            continue
        first, second = seen[int(rows[before])], seen[int(rows[after])]
        span_s = float(times_ns[rows[after]] - times_ns[rows[before]]) * 1e-9
        part = 0.0
        if span_s > 0:
            part = float(ticks_ns[tick] - times_ns[rows[before]]) * 1e-9 / span_s
        pose = _between(first.world_from_camera, second.world_from_camera, part)
        rotation[tick], position[tick] = pose.rotation, pose.translation
        own = np.maximum(np.diagonal(first.covariance), np.diagonal(second.covariance))
        swing = 0.5 * part * (1 - part) * span_s**2
        depth = max(first.depth, second.depth)
        sigma_m[tick] = np.sqrt(
            own[3:] + (SURFACE_SHARE * depth) ** 2 + (ACCELERATION_M_S2 * swing) ** 2
            + path.sigma_m[tick] ** 2
        )  # fmt: skip
        sigma_rad[tick] = np.sqrt(
            own[:3]
            + SURFACE_RAD**2
            + (ACCELERATION_RAD_S2 * swing) ** 2
            + path.sigma_rad[tick] ** 2
        )
        points[tick] = min(first.inliers, second.inliers)
    valid = np.isfinite(position).all(axis=1)
    return WristPath(SE3(rotation, position), valid, sigma_m, sigma_rad, points)


def _neighbours(seen_ns: Ints, ticks_ns: Ints) -> list[tuple[int, tuple[int, int]]]:
    """Ticks with the sightings before and after them, where these are near one another."""
    found = []
    for tick, time in enumerate(ticks_ns.tolist()):
        after = int(np.searchsorted(seen_ns, time))
        if after < len(seen_ns) and seen_ns[after] == time:
            found.append((tick, (after, after)))
        elif 0 < after < len(seen_ns) and seen_ns[after] - seen_ns[after - 1] <= MAX_GAP_S * 1e9:
            found.append((tick, (after - 1, after)))
    return found


def _between(first: SE3, second: SE3, part: float) -> SE3:
    turn = rotvec_from_matrix(first.rotation.T @ second.rotation)
    shift = second.translation - first.translation
    return SE3(first.rotation @ matrix_from_rotvec(part * turn), first.translation + part * shift)
