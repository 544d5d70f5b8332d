"""capture/calibration.json: camera models, where rigid cameras sit on the head, and inertial noise;
slam/calibration.json: the same as far as the recording itself told it better.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from core.errors import BadInputError
from core.geometry.cameras import Camera, camera_from_dict
from core.geometry.se3 import SE3
from core.session.documents import Keys, located, read_document, write_document
from core.session.layout import CALIBRATION, REFINED_CALIBRATION, under
from core.session.marks import finished
from core.session.storage import SessionFolder

TURNS_DEG = (0, 90, 180, 270)


@dataclass(frozen=True, eq=False)
class StreamCalibration:
    """One camera, as it sees the upright image.

    camera: model of the upright image.   head_from_camera: for cameras rigid on the head, else
    None.
    readout_ns: time from the first row to the last.
    rotate_deg: clockwise turn that makes the recorded image upright (0, 90, 180, 270).
    depth_unit_m: of a depth camera, metres along its optical axis per grey level; else None.
    """

    camera: Camera
    head_from_camera: SE3 | None = None
    readout_ns: int = 0
    rotate_deg: int = 0
    depth_unit_m: float | None = None

    def __post_init__(self) -> None:
        if self.rotate_deg not in TURNS_DEG:
            raise BadInputError(f"rotate_deg is {self.rotate_deg}; use one of 0, 90, 180, 270")
        if self.readout_ns < 0:
            raise BadInputError(f"readout_ns is {self.readout_ns}; it cannot be negative")
        if self.depth_unit_m is not None and not self.depth_unit_m > 0:
            raise BadInputError(f"depth_unit_m is {self.depth_unit_m}; it must be positive")


@dataclass(frozen=True, eq=False)
class ImuCalibration:
    """Where the inertial sensor sits and how it drifts (continuous-time noise densities and
    walks).
    """

    head_from_imu: SE3
    gyro_noise_rad_s_sqrthz: float
    gyro_walk_rad_s2_sqrthz: float
    accel_noise_m_s2_sqrthz: float
    accel_walk_m_s3_sqrthz: float

    def __post_init__(self) -> None:
        for name in _NOISES:
            if not getattr(self, name) > 0:
                raise BadInputError(f"{name} is {getattr(self, name)}; it must be positive")


_NOISES = (
    "gyro_noise_rad_s_sqrthz",
    "gyro_walk_rad_s2_sqrthz",
    "accel_noise_m_s2_sqrthz",
    "accel_walk_m_s3_sqrthz",
)


@dataclass(frozen=True, eq=False)
class Calibration:
    """All sensors of a session. source: where it came from ("rig.toml", "factory" …).   date: ISO
    day.
    """

    streams: dict[str, StreamCalibration]
    imu: ImuCalibration | None = None
    source: str = ""
    date: str = ""

    def stream(self, name: str) -> StreamCalibration:
        """The calibration of one stream; BadInputError says which there are."""
        if name not in self.streams:
            there = ", ".join(self.streams) or "none"
            raise BadInputError(f"no calibration for stream {name!r}; there is one for: {there}")
        return self.streams[name]

    def write(self, folder: SessionFolder, root: str = "", *, path: str = CALIBRATION) -> str:
        """Write it as a JSON file; gives its path."""
        document: dict[str, Any] = {
            "source": self.source,
            "date": self.date,
            "streams": {name: _stream_document(s) for name, s in self.streams.items()},
            "imu": None if self.imu is None else _imu_document(self.imu),
        }
        return write_document(folder, under(root, path), document)

    @classmethod
    def refined(cls, folder: SessionFolder) -> Self:
        """As the stage `slam` refined it, where it was asked to and something was off; else as it
        was given."""
        refined = finished(folder, REFINED_CALIBRATION)
        return cls.read(folder, path=REFINED_CALIBRATION if refined else CALIBRATION)

    @classmethod
    def read(cls, folder: SessionFolder, root: str = "", *, path: str = CALIBRATION) -> Self:
        """Read it as it was given; BadInputError names file, key and value."""
        path = under(root, path)
        keys = Keys(folder.place(path), read_document(folder, path))
        return cls(
            streams={name: _stream_from(part) for name, part in keys.part("streams").parts()},
            imu=_imu_from(keys.part("imu")) if "imu" in keys else None,
            source=keys.text("source"),
            date=keys.text("date"),
        )


def _pose7(pose: SE3) -> list[float]:
    return [float(x) for x in np.asarray(pose.to_pose7()).reshape(7)]


def _pose_from(keys: Keys, key: str) -> SE3:
    values = np.array(keys.numbers(key, 7), dtype=np.float64)
    if abs(float(np.linalg.norm(values[3:])) - 1.0) > 1e-6:
        raise keys.refuse(key, "x y z qw qx qy qz with a quaternion of length 1 is needed")
    return SE3.from_pose7(values)


def _stream_document(stream: StreamCalibration) -> dict[str, Any]:
    rigid = stream.head_from_camera
    depth = {} if stream.depth_unit_m is None else {"depth_unit_m": stream.depth_unit_m}
    return {
        "camera": stream.camera.to_dict(),
        "head_from_camera": None if rigid is None else _pose7(rigid),
        "readout_ns": stream.readout_ns,
        "rotate_deg": stream.rotate_deg,
        **depth,
    }


def _stream_from(keys: Keys) -> StreamCalibration:
    rigid = _pose_from(keys, "head_from_camera") if "head_from_camera" in keys else None
    described = keys.get("camera", dict, "an object with model, params and size_wh is needed")
    with located(keys.place):
        return StreamCalibration(
            camera=camera_from_dict(described),
            head_from_camera=rigid,
            readout_ns=keys.integer("readout_ns"),
            rotate_deg=keys.integer("rotate_deg") if "rotate_deg" in keys else 0,
            depth_unit_m=keys.number("depth_unit_m") if "depth_unit_m" in keys else None,
        )


def _imu_document(imu: ImuCalibration) -> dict[str, Any]:
    return {
        "head_from_imu": _pose7(imu.head_from_imu),
        **{name: getattr(imu, name) for name in _NOISES},
    }


def _imu_from(keys: Keys) -> ImuCalibration:
    noises = {name: keys.number(name) for name in _NOISES}
    with located(keys.place):
        return ImuCalibration(head_from_imu=_pose_from(keys, "head_from_imu"), **noises)
