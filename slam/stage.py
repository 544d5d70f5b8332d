"""The stage `slam`: reads frames, IMU and hands; writes the head's path, the map and figures."""

from typing import Any

import cv2
import numpy as np

from core.errors import BadInputError
from core.geometry.arrays import Floats, Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.documents import write_document
from core.session.frames import open_frames
from core.session.info import SessionInfo
from core.session.layout import CALIBRATION, DETECTIONS, IMU, SESSION_JSON, SLAM_REPORT
from core.session.stage import Progress, StageOutcome
from core.session.storage import SessionFolder
from core.session.tables import Detections, Frames, Imu, MapPoints, Ticks, Trajectory
from slam.config import SlamConfig
from slam.estimate import Estimate, estimate
from slam.follow import Follower
from slam.hand_masks import HandMasks
from slam.imu_checks import check_imu
from slam.inertial import ImuData, integrate
from slam.loops import Place
from slam.report import make_report
from slam.tracks import Tracks


class Slam:
    """Offline visual-inertial estimation of the head camera."""

    name = "slam"
    room = "slam"
    version = 1
    needs: tuple[str, ...] = ("capture", "hands_detect")
    config_type: type[Any] = SlamConfig

    def inputs(self, folder: SessionFolder, config: Any) -> list[str]:
        """The video itself, beside the outputs of the stages before."""
        return [SESSION_JSON, SessionInfo.read(folder).stream(config.stream).path]

    def run(self, folder: SessionFolder, config: Any, progress: Progress) -> StageOutcome:
        """Raises BadInputError for a camera without calibration and an IMU that cannot be right."""
        assert isinstance(config, SlamConfig)
        ticks = Ticks.read(folder)
        if not len(ticks):
            raise BadInputError(f"{folder.url}: the head stream has no frames; record it again")
        calibration = Calibration.read(folder)
        stream = calibration.stream(config.stream)
        head_from_camera = stream.head_from_camera or SE3.identity()
        warnings: list[str] = []
        imu = _read_imu(
            folder, calibration, config, head_from_camera=head_from_camera, warnings=warnings
        )
        camera = tracked_camera(stream.camera, config, source=folder.place(CALIBRATION))
        tracks, places = _follow(
            folder,
            ticks,
            config,
            recorded=stream.camera,
            camera=camera,
            imu=imu,
            progress=progress,
        )
        result = estimate(
            tracks,
            config,
            imu=imu,
            places=places,
            camera_from_head=head_from_camera.inverse(),
            note=progress.note,
        )
        outputs = [
            trajectory_table(result, ticks, head_from_camera.inverse()).write(folder),
            points_table(result).write(folder),
            write_document(folder, SLAM_REPORT, make_report(result, ticks.timestamp_ns)),
        ]
        tracked = int(result.path.tracked.sum())
        warnings += result.warnings
        if tracked < 0.9 * len(ticks):
            warnings.append(f"head tracked in {tracked} of {len(ticks)} frames")
        counts = {"frames": len(ticks), "tracked": tracked, "keyframes": len(result.keyframes)}
        return StageOutcome(outputs=outputs, counts=counts, warnings=warnings)


SLAM = Slam()


# --- reading ------------------------------------------------------------------------------------


def tracked_camera(camera: Camera, config: SlamConfig, *, source: str) -> Camera:
    """The camera of the (perhaps shrunk) images that corners are followed in.

    Raises BadInputError where the optical axis does not even meet the image.
    """
    width, height = camera.size_wh
    centre, valid = camera.project(np.array([[0.0, 0.0, 1.0]]))
    if not valid[0] or not camera.in_image(centre)[0]:
        raise BadInputError(
            f"{source}: the optical axis meets pixel {centre[0].round(1).tolist()}, outside the "
            f"{width}x{height} image; give the intrinsics of this resolution"
        )
    shrink = config.tracked_side_px / max(width, height)
    if shrink >= 1:
        return camera
    return camera.scaled((round(width * shrink), round(height * shrink)))


def _read_imu(
    folder: SessionFolder,
    calibration: Calibration,
    config: SlamConfig,
    *,
    head_from_camera: SE3,
    warnings: list[str],
) -> ImuData | None:
    if not config.use_imu or not folder.exists(IMU):
        return None
    table = Imu.read(folder)
    if not len(table):
        return None
    if calibration.imu is None:
        warnings.append(f"{folder.place(CALIBRATION)}: no imu entry; its samples are not used")
        return None
    first = table.take(table.imu == table.imu[0])
    warnings += check_imu(
        first.timestamp_ns, first.gyro_rad_s, first.accel_m_s2, source=folder.place(IMU)
    )
    noise = calibration.imu
    return ImuData(
        first.timestamp_ns,
        first.gyro_rad_s,
        first.accel_m_s2,
        head_from_camera.inverse() @ noise.head_from_imu,
        gyro_noise=noise.gyro_noise_rad_s_sqrthz,
        gyro_walk=noise.gyro_walk_rad_s2_sqrthz,
        accel_noise=noise.accel_noise_m_s2_sqrthz,
        accel_walk=noise.accel_walk_m_s3_sqrthz,
    )


def frame_turns(timestamps_ns: Ints, imu: ImuData) -> Floats | None:
    """``(F,3,3)`` this_from_previous camera rotations from the gyro; None where it has holes."""
    if len(timestamps_ns) < 2 or not imu.covers(timestamps_ns):
        return None
    rotation = integrate(imu, timestamps_ns).rotation @ imu.camera_from_imu.rotation.T
    turns = np.tile(np.eye(3), (len(timestamps_ns), 1, 1))
    turns[1:] = rotation[1:].transpose(0, 2, 1) @ rotation[:-1]
    return turns


def _follow(
    folder: SessionFolder,
    ticks: Ticks,
    config: SlamConfig,
    *,
    recorded: Camera,
    camera: Camera,
    imu: ImuData | None,
    progress: Progress,
) -> tuple[Tracks, list[Place]]:
    """Corners through every tick's frame; decoding is the only pass over the video."""
    turns = None if imu is None else frame_turns(ticks.timestamp_ns, imu)
    masks = None
    if config.mask_hands and folder.exists(DETECTIONS):
        scale = np.array(camera.size_wh) / np.array(recorded.size_wh)
        masks = HandMasks(
            Detections.read(folder), config.stream, size_wh=camera.size_wh, scale=scale
        )
    follower = Follower(camera, config)
    tick_of = _tick_of_frame(folder, ticks, config.stream)
    progress.total(len(ticks), "frame")
    with open_frames(folder, config.stream, redact=False) as frames:
        for frame in frames:
            tick = tick_of.get(frame.frame_index)
            if tick is None:
                continue
            grey = cv2.cvtColor(frame.image_rgb, cv2.COLOR_RGB2GRAY)
            if grey.shape[::-1] != camera.size_wh:
                grey = cv2.resize(grey, camera.size_wh, interpolation=cv2.INTER_AREA)
            follower.add(
                grey,
                free=None if masks is None else masks.free(int(ticks.tick[tick])),
                turn=None if turns is None else turns[tick],
            )
            progress.advance()
    return follower.tracks(ticks.timestamp_ns), follower.places


def _tick_of_frame(folder: SessionFolder, ticks: Ticks, stream: str) -> dict[int, int]:
    """Row of the tick that every good frame of the stream stands for."""
    frames = Frames.read(folder)
    good = [
        name == stream and reason is None and index >= 0
        for name, reason, index in zip(
            frames.stream, frames.reason, frames.frame_index, strict=True
        )
    ]
    index = frames.frame_index[np.array(good, bool)]
    if len(index) != len(ticks):
        raise BadInputError(
            f"{folder.place(Frames.path)}: {len(index)} good frames of {stream!r}, but "
            f"{len(ticks)} ticks; run the capture stage again"
        )
    return {int(frame): tick for tick, frame in enumerate(index)}


# --- writing ------------------------------------------------------------------------------------


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
