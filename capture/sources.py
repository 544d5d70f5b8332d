"""A rig's files opened and checked: videos probed, times read, sizes compared. Used at ingest and
by the stage.

``find`` maps a file name of rig.toml to its path, so that both the rig folder and a session's raw/
can be read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capture.gopro_motion import read_body_motion
from capture.pictures import refuse_giant
from capture.rig import Rig, RigImu, RigStream
from capture.samples_csv import read_imu_csv, read_timestamps_csv
from capture.upright import file_turn
from core.errors import BadInputError
from core.session.depth import DEPTH_FORMATS
from core.session.tables import Imu
from core.session.video import VideoInfo, probe_video

Find = Callable[[str], Path]


@dataclass(frozen=True, eq=False)
class VideoSource:
    """One camera's file. times_ns: ``(N,)`` on the session clock, of the pictures in display
    order.
    """

    name: str
    path: Path
    info: VideoInfo
    times_ns: NDArray[np.int64]


def open_video_source(name: str, stream: RigStream, *, find: Find, place: str) -> VideoSource:
    """Probe a stream's video and read its times; BadInputError names the file, the value and the
    cure.
    """
    path = find(stream.file)
    refuse_giant(path)
    info = probe_video(path)
    file_turn(path, info, overruled=stream.rotate_deg is not None)
    if info.size_wh != stream.camera.size_wh:
        given, found = ("x".join(map(str, size)) for size in (stream.camera.size_wh, info.size_wh))
        raise BadInputError(
            f"{place}: streams: {name}: 'size_wh' is {given}, but the pictures of {stream.file} "
            f"are {found}; give the calibration of this resolution"
        )
    if stream.depth_unit_m is not None and info.pixel_format not in DEPTH_FORMATS:
        raise BadInputError(
            f"{path}: depth in {info.pixel_format} pictures; give grey levels of 16 bits, stored "
            f"without loss: ffmpeg -i %06d.png -c:v ffv1 -pix_fmt gray16le {name}.mkv"
        )
    if stream.timestamps is None:
        times = info.timestamps_ns
    else:
        table = find(stream.timestamps)
        times = read_timestamps_csv(table, pictures=info.n, video=stream.file)
    return VideoSource(name, path, info, times + stream.time_offset_ns)


def open_imu_source(imu: RigImu, videos: dict[str, VideoSource], *, find: Find) -> Imu:
    """The inertial samples in rad/s and m/s² on the session clock."""
    path = find(imu.file)
    if imu.in_video:
        probed = next((v.info for v in videos.values() if v.path == path), None)
        motion = read_body_motion(path, probed or probe_video(path))
        times, gyro, accel = motion.times_ns, motion.gyro_rad_s, motion.accel_m_s2
    else:
        times, gyro, accel = read_imu_csv(path)
    return Imu(
        imu=np.full(len(times), "imu", dtype=object),
        timestamp_ns=times + imu.time_offset_ns,
        gyro_rad_s=gyro * imu.gyro_unit,
        accel_m_s2=accel * imu.accel_unit,
    )


def open_all(rig: Rig, *, find: Find, place: str) -> tuple[dict[str, VideoSource], Imu | None]:
    """Every stream of a rig, checked one by one and against each other."""
    videos = {
        name: open_video_source(name, stream, find=find, place=place)
        for name, stream in rig.streams.items()
    }
    imu = open_imu_source(rig.imu, videos, find=find) if rig.imu else None
    spans = {name: video.times_ns for name, video in videos.items()}
    if imu is not None:
        spans["imu"] = imu.timestamp_ns
    head = spans["head"]
    for name, times in spans.items():
        if times[0] > head[-1] or times[-1] < head[0]:
            raise BadInputError(
                f"{place}: {name} runs from {times[0]} to {times[-1]} ns, head from {head[0]} to "
                f"{head[-1]} ns: no common time; correct time_offset_ns"
            )
    return videos, imu
