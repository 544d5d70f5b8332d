"""Stretches that gave no map of their own find their way back into one that knows the place.

A head that comes to rest after the dark has no parallax, so nothing can be mapped there; but what
it looks at may be known. Its keyframes join the map that recognises them.
"""

import numpy as np

from core.geometry.arrays import Ints
from slam.config import SlamConfig
from slam.map import growth
from slam.map.joining import Meeting, meet, most_alike, places_of
from slam.map.loops import joined, looked, relabelled, renamed
from slam.map.mapping import SceneMap
from slam.map.pillars import adjust_joined
from slam.map.scene import Scene
from slam.sight.places import Place
from slam.sight.tracks import Observed

MIN_PLACES, MANY_INLIERS = 2, 40  # recognised places; or one with so many inliers
ENOUGH_PLACES = 4


def regain(
    tracks: Observed,
    maps: list[SceneMap],
    config: SlamConfig,
    *,
    frames: Ints,
    places: list[Place],
) -> tuple[Observed, list[Place], bool]:
    """Add keyframes ``frames`` (video rows) to the map that recognises them, in place.

    Returns all under the joined track ids, and whether a map did.
    """
    mine = [p for p in places if frames[0] <= p.frame <= frames[-1]]
    for scene_map in sorted(maps, key=lambda m: -len(m.posed)):
        meetings = _recognised(tracks, scene_map, config, mine=mine, places=places)
        if not meetings:
            continue
        new_id = joined(np.concatenate([m.pairs for m in meetings]), tracks.n_tracks)
        common = relabelled(tracks, new_id)
        if _take_in(common, scene_map, config, frames=frames, new_id=new_id):
            return common, renamed(places, new_id), True
    return tracks, places, False


def _recognised(
    tracks: Observed,
    scene_map: SceneMap,
    config: SlamConfig,
    *,
    mine: list[Place],
    places: list[Place],
) -> list[Meeting]:
    there = places_of(scene_map, places)
    found: dict[int, Meeting] = {}
    for h, t in most_alike(mine, there):
        if h not in found:
            meeting = meet(scene_map.scene, there[t], looked(tracks, mine[h]), config=config)
            if meeting is not None:
                found[h] = meeting
        if len(found) >= ENOUGH_PLACES:
            break
    inliers = max((len(m.pairs) for m in found.values()), default=0)
    return list(found.values()) if len(found) >= MIN_PLACES or inliers >= MANY_INLIERS else []


def _take_in(
    tracks: Observed, scene_map: SceneMap, config: SlamConfig, *, frames: Ints, new_id: Ints
) -> bool:
    """Pose what can be posed of these keyframes; False, and no change, where nothing can."""
    old = scene_map.scene
    posed_frames = scene_map.frames[scene_map.posed]
    every = np.union1d(posed_frames, frames)
    scene = Scene(tracks.of_frames(every), len(new_id), old.ranged)
    for row, frame in zip(scene_map.posed, posed_frames, strict=True):
        scene.set_pose(int(np.searchsorted(every, frame)), old.world_from_camera[int(row)])
    scene.points[:] = old.points
    scene.known[:] = old.known & (new_id == np.arange(len(new_id)))
    scene.drop_outliers(4 * config.outlier_px)
    growth.replace_points(scene, config, np.flatnonzero(scene.posed))
    before = int(scene.posed.sum())
    rows = np.searchsorted(every, frames)
    for _ in range(2):  # forwards, then back for those that had no neighbour yet
        for row in rows:
            if not scene.posed[row]:
                growth.extend(scene, config, (int(row), int(max(row - 1, 0))))
        rows = rows[::-1]
    posed = np.flatnonzero(scene.posed)
    if len(posed) == before:
        return False
    posed = adjust_joined(scene, config, posed, drifted=False)
    scene_map.scene, scene_map.frames = scene, every
    scene_map.posed, scene_map.covariance = posed, np.zeros((len(posed), 6, 6))
    scene_map.regained += 1
    return True
