"""COLMAP over the keyframes; our own corners pose the frames between them.

Slower than the built-in estimation, for comparison and for those who trust COLMAP. The IMU is used
for up alone: scale stays unknown. Frames that see too little of the map have no pose.
"""

import tempfile
from pathlib import Path

import numpy as np

from core.geometry.arrays import Floats, Ints
from slam.backends.colmap_mapper import (
    ColmapModel,
    MapperSettings,
    Picture,
    load_pycolmap,
    map_pictures,
)
from slam.config import SlamConfig
from slam.map import growth
from slam.map.mapping import SceneMap
from slam.map.poses import pose_frames
from slam.map.scene import Scene
from slam.path import CameraPath
from slam.recording import Recording
from slam.result import Estimate, choose_up, settle_maps
from slam.sight.keyframes import choose_keyframes
from slam.sight.localise import refine_pose
from slam.sight.tracks import Observed


class Colmap:
    """Keyframes by COLMAP, the frames between by our localisation in its map."""

    name = "colmap"

    def inputs(self, config: SlamConfig) -> list[str]:
        """Nothing besides the recording."""
        return []

    def estimate(self, recording: Recording) -> Estimate:
        """Raises MissingExtraError without pycolmap, BadInputError for wrong intrinsics."""
        load_pycolmap()
        config = recording.config
        tracks, _ = recording.follow()
        keyframes = choose_keyframes(tracks, config)
        recording.progress.note(f"COLMAP maps {len(keyframes)} keyframes")
        models = _models(recording, keyframes)
        path, maps = CameraPath(len(recording.ticks)), list[SceneMap]()
        for model in models:
            scene_map = scene_map_of(model, tracks, keyframes, config=config)
            if scene_map is not None:
                scene_map.map_id = len(maps)
                pose_frames(tracks, scene_map, config, path=path)
                maps.append(scene_map)
        result = Estimate(path, maps, keyframes)
        choose_up(result, tracks.timestamps_ns, recording.imu)
        settle_maps(result, recording.head_from_camera.inverse())
        return result


COLMAP = Colmap()


def _models(recording: Recording, keyframes: Ints) -> list[ColmapModel]:
    """COLMAP's models in rows of keyframes; a keyframe belongs to the largest that has it."""
    wanted = {int(frame): row for row, frame in enumerate(keyframes)}
    masks = recording.hand_masks()
    pictures = (
        Picture(
            wanted[tick],
            grey,
            None if masks is None else masks.free(int(recording.ticks.tick[tick])),
        )
        for tick, grey in recording.grey_images()
        if tick in wanted
    )
    settings = MapperSettings(repeatable=True, min_images=recording.config.min_map_keyframes)
    with tempfile.TemporaryDirectory() as temp:
        models = map_pictures(pictures, recording.camera, workdir=Path(temp), settings=settings)
    taken = np.zeros(len(keyframes), bool)
    apart = []
    for model in models:
        free = ~taken[model.rows]
        taken[model.rows] = True
        apart.append(ColmapModel(model.rows[free], model.world_from_camera[free], model.error_px))
    return apart


def scene_map_of(
    model: ColmapModel, tracks: Observed, keyframes: Ints, *, config: SlamConfig
) -> SceneMap | None:
    """Our corners placed from COLMAP's poses, which stay as they are; None where too few are.

    A joint covariance would need our corners to hold the map together; COLMAP's matches do that.
    """
    scene = Scene(tracks.of_frames(keyframes), tracks.n_tracks)
    for row, pose in zip(model.rows, model.world_from_camera, strict=True):
        scene.set_pose(int(row), pose)
    growth.replace_points(scene, config, model.rows)
    scene.drop_outliers(config.outlier_px)
    for row in model.rows:
        if len(scene.view_of(int(row))[1]) < config.min_landmarks:
            scene.posed[row] = False
    scene.drop_outliers(config.outlier_px)
    posed = np.flatnonzero(scene.posed)
    if len(posed) < config.min_map_keyframes:
        return None
    covariance = np.stack([_covariance(scene, int(row), config) for row in posed])
    return SceneMap(0, scene, keyframes, posed, covariance)


def _covariance(scene: Scene, row: int, config: SlamConfig) -> Floats:
    """``(6,6)`` (rotation, translation) along world axes, of one keyframe under points that hold
    still: how far the map itself may be off COLMAP does not say."""
    view, _ = scene.view_of(row)
    pose = scene.world_from_camera[row]
    found = refine_pose(
        view, pose.inverse(), sigma_px=config.pixel_sigma, outlier_px=config.outlier_px, rounds=1
    )
    turn = np.kron(np.eye(2), pose.rotation)
    return turn @ found.covariance @ turn.T
