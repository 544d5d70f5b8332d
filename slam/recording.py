"""What a backend is given: one session's frames, IMU and calibration, read when asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from core.errors import BadInputError
from core.geometry.arrays import Floats, Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.depth import depth_pictures, depth_streams
from core.session.frames import Frame, open_frames
from core.session.layout import CALIBRATION, DETECTIONS, IMU
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Detections, Frames, Imu, Ticks
from slam.config import SlamConfig
from slam.imu.imu_checks import check_imu
from slam.imu.inertial import ImuData, integrate
from slam.imu.rolling_shutter import Shutter, unrolled
from slam.lengths.markers import EVERY, Sighting, Spotter
from slam.lengths.pair_turn import PICTURES, bent, straightened
from slam.lengths.ranges import DepthCamera, with_ranges
from slam.lengths.stereo import LEAST_BASELINE_M, StereoPair, stereo_doubts, told_by_stereo
from slam.sight.ahead import ahead
from slam.sight.camera_checks import check_camera
from slam.sight.follow import Follower
from slam.sight.hand_masks import HandMasks
from slam.sight.keyframes import choose_keyframes
from slam.sight.places import Place
from slam.sight.tracks import Observed

LONG_READOUT_S = 0.002
TOGETHER_NS = 2_000_000  # pictures of two cameras further apart in time are not compared


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
        if not self.config.mask_hands or not self.folder.exists(DETECTIONS):
            return None
        scale = np.array(self.camera.size_wh) / np.array(self.recorded.size_wh)
        found = Detections.read(self.folder)
        return HandMasks(found, self.config.stream, size_wh=self.camera.size_wh, scale=scale)

    def grey_images(self) -> Iterator[tuple[int, Any]]:
        """Row of the tick and its grey image ``(H,W)`` at the tracked size: one decoding pass."""
        tick_of = _tick_of_frame(self.folder, self.ticks, self.config.stream)
        with open_frames(self.folder, self.config.stream, redact=False) as frames:
            for frame in frames:
                tick = tick_of.get(frame.frame_index)
                if tick is None:
                    continue
                yield tick, grey_of(frame, self.camera.size_wh)

    def follow(self) -> tuple[Observed, list[Place]]:
        """Corners through every tick's frame, gyro-aided where it can be, hands left out."""
        times_ns = self.ticks.timestamp_ns
        turns = frame_turns(times_ns, self.imu)
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
        return self._ranged(self.unrolled(follower.tracks(times_ns))), follower.places

    def _spotter(self) -> Spotter | None:
        if not self.config.marker_size_m:
            return None
        self.sightings.clear()
        return Spotter(self.camera, self.config.marker_family)

    def _ranged(self, tracks: Observed) -> Observed:
        """With ranges from a depth camera, or else from a second camera, where there is one."""
        name = range_stream(self.folder, self.config)
        if name is None:
            return tracks
        known = Calibration.read(self.folder).stream(name)
        head_from_other = known.head_from_camera or self.head_from_camera
        camera_from_other = self.head_from_camera.inverse() @ head_from_other
        if known.depth_unit_m is None:
            self.progress.note("comparing the two cameras")
            second = tracked_camera(known.camera, self.config)
            keyframes = choose_keyframes(tracks, self.config)
            pictures = self._pairs(name, keyframes, size_wh=second.size_wh)
            pair = self._straightened(
                StereoPair(self.camera, second, camera_from_other), tracks, (name, keyframes)
            )
            told = told_by_stereo(tracks, pictures, pair)
            self.warnings.extend(stereo_doubts(told, f"{name} beside {self.config.stream}"))
            return tracks.ranged(told)
        depth = DepthCamera(known.camera, camera_from_other)
        self.progress.note("reading depth")
        return with_ranges(tracks, depth_pictures(self.folder, name), depth)

    def _straightened(
        self, pair: StereoPair, tracks: Observed, seen: tuple[str, Ints]
    ) -> StereoPair:
        """The pair as the pictures of a few keyframes say, with a warning where it was bent."""
        name, keyframes = seen
        few = keyframes[np.unique(np.linspace(0, len(keyframes) - 1, PICTURES).astype(int))]
        found = straightened(
            pair,
            [
                (grey, beside, tracks.of_frames([tick]).uv_px)
                for tick, grey, beside in self._pairs(name, few, size_wh=pair.second_size_wh)
            ],
        )
        self.warnings.extend(bent(pair, found, f"{name} beside {self.config.stream}"))
        return found

    def _pairs(
        self, second: str, ticks: Ints, *, size_wh: tuple[int, int]
    ) -> Iterator[tuple[int, Any, Any]]:
        """Row of the tick, its grey image and the second camera's of the same time; ticks without
        one are left out."""
        tick_of = _tick_of_frame(self.folder, self.ticks, self.config.stream)
        frame_of = {tick: frame for frame, tick in tick_of.items()}
        with (
            open_frames(self.folder, self.config.stream, redact=False) as here,
            open_frames(self.folder, second, redact=False) as there,
        ):
            for tick in ticks.tolist():
                time_ns = int(self.ticks.timestamp_ns[tick])
                other = there.row_near(time_ns)
                if abs(int(there.timestamps_ns[other]) - time_ns) <= TOGETHER_NS:
                    picture, beside = here.read(frame_of[tick]), there.near(time_ns)
                    yield tick, grey_of(picture, self.camera.size_wh), grey_of(beside, size_wh)

    def unrolled(self, tracks: Observed) -> Observed:
        """Rays as a global shutter would have seen them, as far as the gyro tells."""
        shutter = Shutter(self.readout_ns * 1e-9, self.camera.size_wh, self.rotate_deg)
        if self.imu is None and shutter.readout_s > LONG_READOUT_S:
            self.warnings.append(
                f"{self.config.stream}: {shutter.readout_s * 1e3:.0f} ms of rolling shutter "
                "are left in: without inertial samples nothing tells the turn"
            )
        return tracks if self.imu is None else unrolled(tracks, shutter, self.imu)


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


def tracked_camera(camera: Camera, config: SlamConfig) -> Camera:
    """The camera of the (perhaps shrunk) images that corners are followed in."""
    width, height = camera.size_wh
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


def grey_of(frame: Frame, size_wh: tuple[int, int]) -> Any:
    """The picture ``(H,W)`` uint8 in grey, at this size."""
    grey = cv2.cvtColor(frame.image_rgb, cv2.COLOR_RGB2GRAY)
    if grey.shape[::-1] != size_wh:
        grey = cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA)
    return grey


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
