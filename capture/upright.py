"""From sensors as mounted (rig.toml) to the session's calibration: everything in the upright head
frame.
"""

from pathlib import Path

import numpy as np

from capture.rig import Rig, RigStream
from core.errors import BadInputError
from core.geometry.cameras import turn_rotation
from core.geometry.se3 import SE3
from core.session.calibration import Calibration, ImuCalibration, StreamCalibration
from core.session.video import VideoInfo


def upright_calibration(rig: Rig, file_turns_deg: dict[str, int], *, source: str) -> Calibration:
    """Fold every stream's turn into its camera, and the head's turn into what is fixed to the head.

    file_turns_deg: the turn each video file asks players for, used where rig.toml says nothing.
    """
    turns = {name: turn_of(stream, file_turns_deg[name]) for name, stream in rig.streams.items()}
    upright_from_head = _turn(turns["head"])
    streams = {}
    for name, stream in rig.streams.items():
        rigid = stream.head_from_camera
        if name == "head":
            rigid = SE3.identity()
        elif rigid is not None:
            rigid = upright_from_head @ rigid @ _turn(turns[name]).inverse()
        streams[name] = StreamCalibration(
            camera=stream.camera.rotated(turns[name]),
            head_from_camera=rigid,
            readout_ns=stream.readout_ns,
            rotate_deg=turns[name],
            depth_unit_m=stream.depth_unit_m,
        )
    return Calibration(
        streams=streams,
        imu=_imu(rig, upright_from_head),
        source=source,
        date=rig.session["calibration_date"],
    )


def turn_of(stream: RigStream, file_turn_deg: int) -> int:
    """Degrees clockwise that make a stream's recorded picture upright."""
    return file_turn_deg if stream.rotate_deg is None else stream.rotate_deg


def file_turn(path: Path, info: VideoInfo, *, overruled: bool = False) -> int:
    """The turn a video file asks players for. BadInputError when it is no quarter turn and
    counts.
    """
    if info.rotate_deg % 90 and not overruled:
        raise BadInputError(
            f"{path}: asks to be turned by {info.rotate_deg} degrees, not a quarter turn; "
            "set rotate in rig.toml"
        )
    return info.rotate_deg


def _turn(degrees: int) -> SE3:
    return SE3(turn_rotation(degrees), np.zeros(3))


def _imu(rig: Rig, upright_from_head: SE3) -> ImuCalibration | None:
    if rig.imu is None:
        return None
    given = rig.imu.calibration
    return ImuCalibration(
        head_from_imu=upright_from_head @ given.head_from_imu,
        gyro_noise_rad_s_sqrthz=given.gyro_noise_rad_s_sqrthz,
        gyro_walk_rad_s2_sqrthz=given.gyro_walk_rad_s2_sqrthz,
        accel_noise_m_s2_sqrthz=given.accel_noise_m_s2_sqrthz,
        accel_walk_m_s3_sqrthz=given.accel_walk_m_s3_sqrthz,
    )
