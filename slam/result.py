"""What an estimation gives: maps and a path, and how they come to share metres, up and origin."""

from dataclasses import dataclass, field

import numpy as np

from core.geometry.alignment import rotation_between
from core.geometry.arrays import Bools, Ints
from core.geometry.se3 import SE3
from slam.imu.inertial import ImuData
from slam.map.mapping import SceneMap
from slam.map.readout import Readout
from slam.map.self_calibration import Calibrated
from slam.output import world
from slam.path import CameraPath


@dataclass(eq=False)
class Estimate:
    """path: in worlds with z up where gravity is known, map by map.   maps: with points.

    still: map ids of stretches without parallax.   scale_source: "imu", "depth",
    "stereo", "marker", "imported" or "unknown".
    gravity_source: "imu", "imported" or "none".   keyframes: rows of frames.
    unit: of lengths where scale is unknown.   calibrated: what refining the calibration found.
    readout: of the pictures, where they were asked.
    """

    path: CameraPath
    maps: list[SceneMap]
    keyframes: Ints
    still: list[int] = field(default_factory=list)
    scale_source: str = "unknown"
    gravity_source: str = "none"
    unit: str = "median scene depth"
    calibrated: Calibrated | None = None
    readout: Readout | None = None
    warnings: list[str] = field(default_factory=list)


def choose_scale(result: Estimate) -> None:
    """Metres if any map has them: maps that cannot follow lose their frames."""
    metric = [m for m in result.maps if m.metric]
    if metric:
        result.scale_source = str(max(metric, key=lambda m: len(m.posed)).scale_source)
        for scene_map in [m for m in result.maps if not m.metric]:
            result.path.drop(result.path.map_id == scene_map.map_id, "scale_unknown")
            result.maps.remove(scene_map)
    for scene_map in result.maps:
        if scene_map.rejected and not scene_map.metric:
            result.warnings.append(f"map {scene_map.map_id}: no scale ({scene_map.rejected})")
        if scene_map.doubt:
            result.warnings.append(f"map {scene_map.map_id}: {scene_map.doubt}")


def choose_up(result: Estimate, timestamps_ns: Ints, imu: ImuData | None) -> None:
    """Level maps with the accelerometer; once one map is level, the others lose their frames.

    A sensor of which a map says that it cannot be right, without metres, says no up either.
    """
    if any(m.doubt and not m.metric for m in result.maps):
        imu = None
    path = result.path
    levelled = {m.map_id for m in result.maps if m.levelled}
    metres = path.position if result.scale_source == "imported" else None
    for map_id in np.unique(path.map_id[path.tracked]).tolist():
        if imu is None or map_id in levelled:
            continue
        frames = path.map_id == map_id
        up = world.up_from_accelerometer(
            timestamps_ns,
            path.rotation,
            imu,
            tracked=path.tracked & frames,
            position=metres,
        )
        if up is not None:
            move_map(result, map_id, SE3(rotation_between(up, [0.0, 0.0, 1.0]), np.zeros(3)))
            levelled.add(map_id)
    present = set(np.unique(path.map_id[path.tracked]).tolist())
    if present & levelled:
        result.gravity_source = "imu"
        for map_id in present - levelled:
            path.drop(path.map_id == map_id, "gravity_unknown")


def settle_maps(result: Estimate, camera_from_head: SE3) -> None:
    """Number the maps by time, and give each its origin, unit and heading."""
    path = result.path
    order = dict.fromkeys(int(k) for k in path.map_id[path.tracked])
    for map_id in order:
        frames: Bools = path.map_id == map_id
        scene_map = next((m for m in result.maps if m.map_id == map_id), None)
        scale = 1.0
        if scene_map is not None and result.scale_source == "unknown":
            scale = 1.0 / scene_map.typical_depth
        first = int(np.flatnonzero(frames)[0])
        camera = SE3(path.rotation[first], scale * path.position[first])
        new_from_old = world.settle(
            camera @ camera_from_head, levelled=result.gravity_source != "none"
        )
        move_map(result, map_id, new_from_old, scale=scale)
    renumber = {old: new for new, old in enumerate(order)}
    path.map_id = np.array([renumber.get(int(k), -1) for k in path.map_id])
    result.still = [renumber[k] for k in result.still if k in renumber]
    result.maps = [m for m in result.maps if m.map_id in renumber]
    for scene_map in result.maps:
        scene_map.map_id = renumber[scene_map.map_id]


def move_map(result: Estimate, map_id: int, new_from_old: SE3, *, scale: float = 1.0) -> None:
    """Carry one map, with its frames and points, into another world."""
    result.path.move(result.path.map_id == map_id, new_from_old, scale=scale)
    for scene_map in result.maps:
        if scene_map.map_id == map_id:
            scene_map.scene.moved(new_from_old, scale)
