"""From tracks (and an IMU) to the camera's path: maps, their scale and level, a pose per frame.

Arrays in, arrays out; the stage does the files.
"""

from collections.abc import Sequence

import numpy as np

from core.geometry.arrays import Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from core.session.stage import NO_PROGRESS, Progress
from slam.config import SlamConfig
from slam.imu.inertial import ImuData
from slam.lengths.markers import Sighting, scale_by_markers
from slam.map import growth
from slam.map.bundle import adjust, covariances
from slam.map.joining import join_maps
from slam.map.lens_doubt import lens_doubt
from slam.map.loops import FAR_RAD, MOST_LOOKS, find_loops, joined, relabelled, renamed
from slam.map.mapping import SceneMap
from slam.map.metric import make_metric, scale_by_ranges
from slam.map.pillars import adjust_joined, on_pillars
from slam.map.poses import pose_frames
from slam.map.readout import rolling_taken_out
from slam.map.regain import regain
from slam.map.scene import Scene
from slam.map.self_calibration import self_calibrated
from slam.path import CameraPath
from slam.result import Estimate, choose_scale, choose_up, move_map, settle_maps
from slam.sight import still
from slam.sight.keyframes import choose_keyframes
from slam.sight.places import Place
from slam.sight.rolling import Shutter
from slam.sight.tracks import Observed

MIN_STILL_S = 0.5


def estimate(
    tracks: Observed,
    config: SlamConfig,
    *,
    camera: Camera | None = None,
    shutter: Shutter | None = None,
    imu: ImuData | None = None,
    places: list[Place] | None = None,
    sightings: Sequence[Sighting] = (),
    camera_from_head: SE3 | None = None,
    progress: Progress = NO_PROGRESS,
) -> Estimate:
    """The path of a camera from its tracks; metric and level with ``imu``.

    camera: of the tracks, where its calibration is to be refined, or doubted without an IMU.
    shutter: its rows, where nobody knows how long it reads them: the pictures are asked.
    places: looks of some frames, to close loops with.   sightings: of markers of known size.
    camera_from_head: where the head frame is, if not the camera's: worlds start at the head.
    """
    keyframes = choose_keyframes(tracks, config)
    progress.total(len(keyframes), "keyframe")
    progress.note("mapping")
    maps, leftover = build_maps(tracks, keyframes, config, progress=progress)
    readout = None
    if shutter is not None:
        tracks, readout = rolling_taken_out(tracks, maps, config, shutter=shutter)
    progress.note("closing loops")
    if config.loop_closure and places:
        tracks, maps, places = close_and_join(tracks, maps, config, places=places)
        tracks, leftover = _regain(
            tracks, maps, config, places=places, keyframes=keyframes, leftover=leftover
        )
    else:
        for scene_map in maps:
            growth.finish(scene_map.scene, config, scene_map.posed)
    calibrated = None
    if config.refine and camera is not None:
        tracks, imu, calibrated = self_calibrated(tracks, maps, config, camera=camera, imu=imu)
    path = CameraPath(len(tracks.timestamps_ns))
    progress.note("metres, up and every frame")
    for scene_map in maps:
        with on_pillars(scene_map, config):
            if imu is not None:
                make_metric(scene_map, imu, config)
            if scene_map.inertial is None:
                _by_pictures_alone(scene_map, config)
            if camera is not None and imu is None and not (config.refine or scene_map.scene.ranged):
                scene_map.doubt = lens_doubt(scene_map, config, camera=camera)
        pose_frames(tracks, scene_map, config, path=path)
    result = Estimate(path, maps, keyframes, calibrated=calibrated, readout=readout)
    if calibrated is not None:
        result.warnings += calibrated.doubts
    next_id = len(maps)
    for run in leftover:
        next_id = _turns_only(tracks, keyframes[run], config, result=result, map_id=next_id)
    for scene_map in [m for m in maps if not m.metric]:
        _scale_by_markers(result, scene_map, config, sightings=sightings)
    choose_scale(result)
    choose_up(result, tracks.timestamps_ns, imu)
    settle_maps(result, camera_from_head or SE3.identity())
    return result


def build_maps(
    tracks: Observed, keyframes: Ints, config: SlamConfig, *, progress: Progress = NO_PROGRESS
) -> tuple[list[SceneMap], list[Ints]]:
    """Grow maps until no stretch of keyframes gives another one; they are still to be finished.

    Returns the maps in the order of time, and the stretches ``(rows of keyframes)`` left over.
    """
    waiting, leftover, maps = [np.arange(len(keyframes))], [], []
    while waiting:
        run = waiting.pop()
        if len(run) < config.min_map_keyframes:
            leftover.append(run)
            continue
        views = tracks.of_frames(keyframes[run])
        scene = Scene(views, tracks.n_tracks, growth.well_ranged(views))
        rows = np.arange(len(run))
        posed = growth.grow(scene, config, among=rows, advance=progress.advance)
        if len(posed) < config.min_map_keyframes:
            leftover.append(run)
            continue
        maps.append(SceneMap(0, scene, keyframes[run], posed, np.zeros((len(posed), 6, 6))))
        waiting += [run[: posed[0]], run[posed[-1] + 1 :]]
    maps.sort(key=lambda m: int(m.frames[m.posed[0]]))
    for map_id, scene_map in enumerate(maps):
        scene_map.map_id = map_id
    return maps, sorted((run for run in leftover if len(run)), key=lambda run: int(run[0]))


def _by_pictures_alone(scene_map: SceneMap, config: SlamConfig) -> None:
    """How sure a map is that no inertial sensor holds; with depth it has metres all the same."""
    adjusted = adjust(scene_map.scene, scene_map.posed, sigma_px=config.pixel_sigma)
    if adjusted is not None:
        scene_map.covariance = covariances(*adjusted, scene_map.posed)
    if scene_map.scene.ranged:
        scale_by_ranges(scene_map)


def close_and_join(
    tracks: Observed, maps: list[SceneMap], config: SlamConfig, *, places: list[Place]
) -> tuple[Observed, list[SceneMap], list[Place]]:
    """Close the loops of every map, join maps that saw the same place, close what joining shows."""
    for scene_map in maps:
        tracks, places = close_loops(tracks, scene_map, config, places=places)
    tracks, maps, places = join_maps(tracks, maps, config, places=places)
    for scene_map in [m for m in maps if m.joins]:
        tracks, places = close_loops(tracks, scene_map, config, places=places)
    return tracks, maps, places


def _regain(
    tracks: Observed,
    maps: list[SceneMap],
    config: SlamConfig,
    *,
    places: list[Place],
    keyframes: Ints,
    leftover: list[Ints],
) -> tuple[Observed, list[Ints]]:
    """Give stretches without a map to maps that recognise them; returns those still without."""
    without = []
    for run in leftover:
        tracks, places, found = regain(tracks, maps, config, frames=keyframes[run], places=places)
        if not found:
            without.append(run)
    return tracks, without


def close_loops(
    tracks: Observed, scene_map: SceneMap, config: SlamConfig, *, places: list[Place]
) -> tuple[Observed, list[Place]]:
    """Join what the map saw twice and finish it, in place; returns all under the joined ids.

    Where that took up much drift it is looked again, and joined again where much is left. Drift is
    what the first look says of it.
    """
    for look in range(MOST_LOOKS):
        scene, posed = scene_map.scene, scene_map.posed
        frames = scene_map.frames[posed]
        pairs, drifts = find_loops(tracks, scene, places, frames=frames, config=config)
        far = any(drift.moved_rad > FAR_RAD for drift in drifts)
        if look == 0:
            scene_map.drifts += drifts
            if not len(pairs):
                growth.finish(scene, config, posed)
        elif not far:
            break
        if len(pairs):
            tracks, places = _join_pairs(tracks, scene_map, config, pairs=pairs, places=places)
        if not far:
            break
    return tracks, places


def _join_pairs(
    tracks: Observed, scene_map: SceneMap, config: SlamConfig, *, pairs: Ints, places: list[Place]
) -> tuple[Observed, list[Place]]:
    scene, posed = scene_map.scene, scene_map.posed
    new_id = joined(pairs, tracks.n_tracks, scene=scene)
    tracks = relabelled(tracks, new_id)
    merged = Scene(tracks.of_frames(scene_map.frames), scene.n_tracks, scene.ranged)
    for frame in posed:
        merged.set_pose(int(frame), scene.world_from_camera[int(frame)])
    merged.points[:], merged.known[:] = (
        scene.points,
        scene.known & (new_id == np.arange(len(new_id))),
    )
    scene_map.scene, scene_map.posed = merged, adjust_joined(merged, config, posed)
    scene_map.covariance = np.zeros((len(scene_map.posed), 6, 6))
    return tracks, renamed(places, new_id)


def _turns_only(
    tracks: Observed, frames: Ints, config: SlamConfig, *, result: Estimate, map_id: int
) -> int:
    """Rotation-only maps over a stretch in which nothing has depth; returns the next map id."""
    path = result.path
    stretch = np.arange(frames[0], frames[-1] + 1)
    stretch = stretch[~path.tracked[stretch]]
    while len(stretch):
        count = still.follow_turns(tracks, stretch, path, map_id=map_id, config=config)
        done = stretch[:count]
        if count:
            span_s = (tracks.timestamps_ns[done[-1]] - tracks.timestamps_ns[done[0]]) * 1e-9
            if span_s < MIN_STILL_S:
                path.drop(done, "too_short")
            else:
                result.still.append(map_id)
                map_id += 1
        else:
            path.reason[stretch[0]] = "too_few_corners"
        stretch = stretch[max(count, 1) :]
    return map_id


def _scale_by_markers(
    result: Estimate, scene_map: SceneMap, config: SlamConfig, *, sightings: Sequence[Sighting]
) -> None:
    """Metres for a map that has none, from the markers that its frames saw."""
    path, map_id = result.path, scene_map.map_id
    found = scale_by_markers(sightings, path, map_id=map_id, size_m=config.marker_size_m)
    if found is None:
        return
    move_map(result, map_id, SE3.identity(), scale=found.metres_per_unit)
    by_scale = np.diag(np.repeat([1.0, found.metres_per_unit], 3))
    scene_map.covariance = by_scale @ scene_map.covariance @ by_scale
    frames = path.map_id == map_id
    away = path.position[frames] - path.position[frames][0]
    path.sigma_m[frames] = np.hypot(path.sigma_m[frames], found.sigma * away)
    scene_map.scale_sigma, scene_map.scale_source = found.sigma, "marker"
