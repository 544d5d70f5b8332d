"""The stage `slam`: reads frames, IMU and hands; writes the head's path, the map and figures."""

from dataclasses import replace
from typing import Any

import numpy as np

from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.documents import write_document
from core.session.info import SessionInfo
from core.session.layout import (
    POINTS_PLY,
    REFINED_CALIBRATION,
    SESSION_JSON,
    SLAM_PICTURE,
    SLAM_REPORT,
)
from core.session.stage import Progress, StageOutcome
from core.session.storage import SessionFolder
from core.session.tables import MapPoints, Ticks, Trajectory
from slam.backends.registry import backend_named
from slam.config import SlamConfig
from slam.output.plots import path_png
from slam.output.ply import ply_bytes
from slam.output.refined import refined_calibration
from slam.output.report import make_report, wrist_figures
from slam.recording import range_stream, read_recording
from slam.result import Estimate
from slam.wrist.cameras import locate_wrists, wrist_helper, wrist_streams
from slam.wrist.ticks import WristPath


class Slam:
    """Offline estimation of the head camera's path, by the backend that the config names."""

    name = "slam"
    room = "slam"
    version = 9
    needs: tuple[str, ...] = ("capture", "hands_detect")
    config_type: type[Any] = SlamConfig

    def inputs(self, folder: SessionFolder, config: Any) -> list[str]:
        """The video itself and what the backend reads, beside the outputs of the stages before."""
        info, other = SessionInfo.read(folder), range_stream(folder, config)
        streams = [config.stream, other, *wrist_streams(folder, config)]
        videos = [info.stream(name).path for name in streams if name is not None]
        return [SESSION_JSON, *videos, *backend_named(config.backend).inputs(config)]

    def run(self, folder: SessionFolder, config: Any, progress: Progress) -> StageOutcome:
        """Raises BadInputError for a camera without calibration and an IMU that cannot be right."""
        assert isinstance(config, SlamConfig)
        backend = backend_named(config.backend)
        folder.remove(REFINED_CALIBRATION)
        recording = read_recording(folder, config, progress)
        with wrist_helper(recording) as helper:
            result = backend.estimate(recording)
            refined = refined_calibration(
                Calibration.read(folder), config.stream, result.calibrated
            )
            used = recording
            if refined is not None:
                recorded = refined.stream(config.stream).camera
                used = replace(recording, recorded=recorded, warnings=[])
            wrists_found = locate_wrists(used, result, helper)
            ticks, camera_from_head = recording.ticks, recording.head_from_camera.inverse()
            report = {"backend": backend.name} | make_report(result, ticks.timestamp_ns)
            trajectory = trajectory_table(result, ticks, camera_from_head)
            level = report["gravity_source"] != "none"
            picture = path_png(trajectory, unit=report["length_unit"], level=level)
            wrists = wrists_found()
        report |= wrist_figures(wrists)
        trajectory, points = replace(trajectory, **wrist_columns(wrists)), points_table(result)
        outputs = [trajectory.write(folder), points.write(folder)]
        outputs.append(write_document(folder, SLAM_REPORT, report))
        folder.write_bytes(SLAM_PICTURE, picture)
        folder.write_bytes(POINTS_PLY, ply_bytes(points))
        outputs += [SLAM_PICTURE, POINTS_PLY]
        if refined is not None:
            outputs.append(refined.write(folder, path=REFINED_CALIBRATION))
        tracked = int(result.path.tracked.sum())
        warnings = recording.warnings + result.warnings
        if tracked < 0.9 * len(ticks):
            warnings.append(f"head tracked in {tracked} of {len(ticks)} frames")
        counts = {"frames": len(ticks), "tracked": tracked, "keyframes": len(result.keyframes)}
        return StageOutcome(outputs=outputs, counts=counts, warnings=warnings)


SLAM = Slam()


def trajectory_table(result: Estimate, ticks: Ticks, camera_from_head: SE3) -> Trajectory:
    """One row per tick. Where scale is unknown sigma_m is +inf: lengths are not metres there."""
    path = result.path
    valid = path.valid
    pose = (path.world_from_camera @ camera_from_head).to_pose7()
    sigma_m = np.where(valid[:, None], path.sigma_m, np.nan)
    metric = {m.map_id for m in result.maps if m.metric}
    sigma_m[valid & ~np.isin(path.map_id, list(metric))] = np.inf
    return Trajectory(
        tick=ticks.tick,
        timestamp_ns=ticks.timestamp_ns,
        world_from_head=np.where(valid[:, None], pose, np.nan),
        world_from_head_valid=valid,
        tracked=path.tracked,
        map_id=path.map_id.astype(np.int32),
        sigma_m=sigma_m.astype(np.float32),
        sigma_rad=np.where(valid[:, None], path.sigma_rad, np.nan).astype(np.float32),
        reason=path.reason,
    )


def wrist_columns(wrists: dict[str, WristPath]) -> dict[str, Any]:
    """The trajectory's columns of the wrist cameras; none for a session without them."""
    columns: dict[str, Any] = {}
    for stream, found in wrists.items():
        name, valid = f"world_from_{stream}_camera", found.valid[:, None]
        columns[name] = np.where(valid, found.world_from_camera.to_pose7(), np.nan)
        columns[f"{name}_valid"] = found.valid
        columns[f"{stream}_camera_sigma_m"] = found.sigma_m.astype(np.float32)
        columns[f"{stream}_camera_sigma_rad"] = found.sigma_rad.astype(np.float32)
    return columns


def points_table(result: Estimate) -> MapPoints:
    """Every point of every map."""
    parts = []
    for scene_map in result.maps:
        scene = scene_map.scene
        known = np.flatnonzero(scene.known)
        seen = np.bincount(scene.views.track[scene.observations()], minlength=len(scene.known))
        parts.append(
            MapPoints(
                map_id=np.full(len(known), scene_map.map_id, np.int32),
                point_in_world=scene.points[known].astype(np.float32),
                observations=seen[known].astype(np.int32),
            )
        )
    return MapPoints.concat(parts) if parts else MapPoints.empty()
