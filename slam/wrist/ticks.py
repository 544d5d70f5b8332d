"""From sightings at a wrist camera's own times to a pose at every tick of the head."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.path import CameraPath
from slam.wrist.sighting import Sighting

MOST_SIGMA_M = 0.012  # along any axis; a pose less certain is none
MAX_GAP_S = 0.11  # sightings further apart are not joined
ACCELERATION_M_S2, ACCELERATION_RAD_S2 = 4.0, 15.0  # of a hand between two sightings
CLOCK_S = 0.002  # of the wrist camera's stamps
SURFACE_SHARE, SURFACE_RAD = 0.009, 0.010  # what the map's surfaces are wrong by: of the distance


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
    seen: dict[int, Sighting],
    pictures: tuple[Ints, Ints],
    ticks_ns: Ints,
    *,
    path: CameraPath,
    scale_sigma: Mapping[int, float],
    readout_s: float = 0.0,
) -> WristPath:
    """Between the sightings before and after each tick, where both are near and on its map.

    seen: by row of ``pictures``: their times, and the maps they were looked for in.   path: the
    head's, for its maps and how sure they are.   scale_sigma: of the maps by number, relative.
    readout_s: of the wrist camera's pictures, whose rows are taken to be of one time.
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
        both = seen[int(rows[before])], seen[int(rows[after])]
        span_s, since_s = (
            float(end - times_ns[rows[before]]) * 1e-9
            for end in (times_ns[rows[after]], ticks_ns[tick])
        )
        part = since_s / span_s if span_s > 0 else 0.0
        own_m, own_rad = _sigmas(both, (part, span_s), readout_s=readout_s)
        if own_m.max() > MOST_SIGMA_M:
            continue
        pose = _between(both[0].world_from_camera, both[1].world_from_camera, part)
        rotation[tick], position[tick] = pose.rotation, pose.translation
        arm = pose.translation - path.position[tick]
        lever_m = _lever(arm, path.sigma_rad[tick], scale_sigma[int(path.map_id[tick])])
        sigma_m[tick] = np.sqrt(own_m**2 + path.sigma_m[tick] ** 2 + lever_m**2)
        sigma_rad[tick] = np.hypot(own_rad, path.sigma_rad[tick])
        points[tick] = min(sighting.inliers for sighting in both)
    valid = np.isfinite(position).all(axis=1)
    return WristPath(SE3(rotation, position), valid, sigma_m, sigma_rad, points)


def _sigmas(
    both: tuple[Sighting, Sighting], at: tuple[float, float], *, readout_s: float
) -> tuple[Floats, Floats]:
    """``(3,)`` metres and radians of a pose between two sightings, in the map.

    at: share of the way, and the seconds between the two.
    """
    (first, second), (part, span_s) = both, at
    variance = np.maximum(np.diagonal(first.covariance), np.diagonal(second.covariance))
    surface_m = SURFACE_SHARE * max(first.depth, second.depth)
    swing_s2 = 0.5 * part * (1 - part) * span_s**2
    late_s = CLOCK_S + readout_s / 4
    turned, moved = _speeds(first.world_from_camera, second.world_from_camera, span_s)
    off_m = np.hypot(ACCELERATION_M_S2 * swing_s2, late_s * moved)
    off_rad = np.hypot(ACCELERATION_RAD_S2 * swing_s2, late_s * turned)
    return (
        np.sqrt(variance[3:] + surface_m**2 + off_m**2),
        np.sqrt(variance[:3] + SURFACE_RAD**2 + off_rad**2),
    )


def _lever(arm: Floats, sigma_rad: Floats, scale_sigma: float) -> Floats:
    """``(3,)`` metres that a map's scale and tilt leave at the end of an arm ``(3,)``: the head's
    own sigma holds them for where it went, not for what it looks at."""
    sideways = sigma_rad[:, None] * np.cross(np.eye(3), arm)
    return np.sqrt((scale_sigma * arm) ** 2 + np.sum(sideways**2, axis=0))


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


def _speeds(first: SE3, second: SE3, span_s: float) -> tuple[float, float]:
    """Radians and metres per second from one pose to the next."""
    turn = np.linalg.norm(rotvec_from_matrix(first.rotation.T @ second.rotation))
    shift = np.linalg.norm(second.translation - first.translation)
    per_s = 1 / span_s if span_s > 0 else 0.0
    return float(turn) * per_s, float(shift) * per_s


def _between(first: SE3, second: SE3, part: float) -> SE3:
    turn = rotvec_from_matrix(first.rotation.T @ second.rotation)
    shift = second.translation - first.translation
    return SE3(first.rotation @ matrix_from_rotvec(part * turn), first.translation + part * shift)
