"""What a backend is given: one session's frames, IMU and calibration, read when asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from core.errors import BadInputError
from core.geometry.arrays import Floats, Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.depth import depth_pictures, depth_streams
from core.session.frames import open_frames
from core.session.layout import CALIBRATION, DETECTIONS, IMU
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Detections, Imu, Ticks
from slam.config import SlamConfig
from slam.imu.imu_checks import check_imu
from slam.imu.inertial import ImuData, integrate
from slam.imu.rolling_shutter import unrolled
from slam.lengths.markers import EVERY, Sighting, Spotter
from slam.lengths.ranges import DepthCamera, with_ranges
from slam.lengths.stereo import LEAST_BASELINE_M
from slam.second_camera import SecondCamera
from slam.sight.ahead import ahead
from slam.sight.camera_checks import check_camera
from slam.sight.follow import Follower
from slam.sight.followed import Followed
from slam.sight.hand_masks import HandMasks
from slam.sight.pictures import grey_of, tick_of_frame, tracked_camera
from slam.sight.places import Place
from slam.sight.rolling import Shutter
from slam.sight.tracks import Observed


@dataclass(frozen=True, eq=False)
class Recording:
    """One camera's recording in a session folder. ticks: its frames, at least one.

    recorded: the camera of the video.   imu: None where none is used.   warnings: for the user.
    readout_ns: first row to last.   rotate_deg: clockwise turn that made the pictures upright.
    sightings: markers that `follow` saw, where the settings name their size.
    """

    folder: SessionFolder
    ticks: Ticks
    config: SlamConfig
    recorded: Camera
    head_from_camera: SE3
    imu: ImuData | None
    progress: Progress
    warnings: list[str] = field(default_factory=list)
    readout_ns: int = 0
    rotate_deg: int = 0
    sightings: list[Sighting] = field(default_factory=list)

    @cached_property
    def camera(self) -> Camera:
        """The camera of the images that corners are followed in; checked here."""
        self.warnings.extend(check_camera(self.recorded, source=self.folder.place(CALIBRATION)))
        return tracked_camera(self.recorded, self.config)

    def hand_masks(self) -> HandMasks | None:
        """Where hands are in the tracked images; None where that is not known or not wanted."""
        return self.masks_in(self.config.stream, self.recorded.size_wh, self.camera.size_wh)

    def masks_in(
        self, stream: str, recorded_wh: tuple[int, int], tracked_wh: tuple[int, int]
    ) -> HandMasks | None:
        """The same in another stream's images."""
        if not self.config.mask_hands or not self.folder.exists(DETECTIONS):
            return None
        scale = np.array(tracked_wh) / np.array(recorded_wh)
        return HandMasks(Detections.read(self.folder), stream, size_wh=tracked_wh, scale=scale)

    def turns(self) -> list[Floats | None]:
        """Of every tick, as `frame_turns`."""
        return frame_turns(self.ticks.timestamp_ns, self.imu)

    def grey_images(self) -> Iterator[tuple[int, Any]]:
        """Row of the tick and its grey image ``(H,W)`` at the tracked size: one decoding pass."""
        tick_of = tick_of_frame(self.folder, self.ticks, self.config.stream)
        with open_frames(self.folder, self.config.stream, redact=False) as frames:
            for frame in frames:
                tick = tick_of.get(frame.frame_index)
                if tick is None:
                    continue
                yield tick, grey_of(frame, self.camera.size_wh)

    def follow(self) -> tuple[Observed, list[Place]]:
        """Corners through every tick's frame, gyro-aided where it can be, hands left out."""
        times_ns = self.ticks.timestamp_ns
        turns = self.turns()
        masks = self.hand_masks()
        follower, spotter = Follower(self.camera, self.config), self._spotter()
        self.progress.total(len(times_ns), "frame")
        self.progress.note("following corners")
        for tick, grey in ahead(self.grey_images()):
            follower.add(
                grey,
                free=None if masks is None else masks.free(int(self.ticks.tick[tick])),
                turn=turns[tick],
            )
            if spotter is not None and tick % EVERY == 0:
                self.sightings.extend(spotter.look(tick, grey))
            self.progress.advance()
        tracks = unrolled(follower.tracks(times_ns), self.shutter, self.imu)
        return self._ranged(tracks), follower.places

    def _spotter(self) -> Spotter | None:
        if not self.config.marker_size_m:
            return None
        self.sightings.clear()
        return Spotter(self.camera, self.config.marker_family)

    def _ranged(self, tracks: Followed) -> Observed:
        """With ranges from a depth camera, or else from a second camera, where there is one."""
        name = range_stream(self.folder, self.config)
        if name is None:
            return tracks
        known = Calibration.read(self.folder).stream(name)
        if known.depth_unit_m is None:
            return SecondCamera(self, name, known).tells(tracks)
        head_from_other = known.head_from_camera or self.head_from_camera
        depth = DepthCamera(known.camera, self.head_from_camera.inverse() @ head_from_other)
        self.progress.note("reading depth")
        return with_ranges(tracks, depth_pictures(self.folder, name), depth)

    @property
    def shutter(self) -> Shutter:
        """Of the tracked pictures; a readout of 0 is one that the calibration does not tell."""
        return Shutter(self.readout_ns * 1e-9, self.camera.size_wh, self.rotate_deg)


def read_recording(folder: SessionFolder, config: SlamConfig, progress: Progress) -> Recording:
    """Raises BadInputError for no frames, no calibration, and an IMU that cannot be right."""
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
    if imu is not None:
        unfelt = ~imu.told(ticks.timestamp_ns)
        if unfelt.any():
            seconds = float(np.sum(np.diff(ticks.timestamp_ns)[unfelt])) * 1e-9
            warnings.append(
                f"{folder.place(IMU)}: no inertial samples for {seconds:.1f} s of the pictures; "
                "poses are from pictures alone there, and less sure"
            )
    return Recording(
        folder,
        ticks,
        config,
        stream.camera,
        head_from_camera,
        imu,
        progress,
        warnings,
        stream.readout_ns,
        stream.rotate_deg,
    )


def depth_stream(folder: SessionFolder, config: SlamConfig) -> str | None:
    """The first depth stream of the session; None without one, or where it is not wanted."""
    names = depth_streams(folder) if config.use_depth else []
    return names[0] if names else None


def range_stream(folder: SessionFolder, config: SlamConfig) -> str | None:
    """The stream that tells distances: depth, else a second camera beside the one that is followed.

    None without one, or where it is not wanted.
    """
    depth = depth_stream(folder, config)
    if depth is not None or not config.use_stereo or not folder.exists(CALIBRATION):
        return depth
    known = Calibration.read(folder).streams
    if config.stream not in known:
        return None
    place = known[config.stream].head_from_camera or SE3.identity()
    for name, other in known.items():
        if name == config.stream or other.depth_unit_m or other.head_from_camera is None:
            continue
        away = other.head_from_camera.translation - place.translation
        if np.linalg.norm(away) >= LEAST_BASELINE_M:
            return name
    return None


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
    usable, doubts = check_imu(
        first.timestamp_ns, first.gyro_rad_s, first.accel_m_s2, source=folder.place(IMU)
    )
    warnings += doubts
    if not usable:
        return None
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


def frame_turns(timestamps_ns: Ints, imu: ImuData | None) -> list[Floats | None]:
    """F this_from_previous camera rotations ``(3,3)`` from the gyro; None where it tells nothing,
    as of the first frame."""
    if imu is None:
        return [None] * len(timestamps_ns)
    rotation = integrate(imu, timestamps_ns).rotation @ imu.camera_from_imu.rotation.T
    turns = rotation[1:].transpose(0, 2, 1) @ rotation[:-1]
    told = imu.told(timestamps_ns)
    return [None, *(turn if known else None for turn, known in zip(turns, told, strict=True))]
