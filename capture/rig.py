"""rig.toml: who recorded, with which files, and the calibration of every sensor as it is mounted.

Read strictly: an unknown key is refused, so that a misspelt ``time_offset_ns`` cannot pass as 0.
Every error names the file, the key, the value and the cure. The format by example:
docs/rig-folder.md.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from capture.samples_csv import LATEST_NS
from core.errors import BadInputError
from core.geometry.cameras import Camera, camera_from_dict
from core.geometry.se3 import SE3
from core.session.calibration import TURNS_DEG, ImuCalibration
from core.session.documents import Keys, located

RIG_TOML = "rig.toml"
LABELS_CSV = "labels.csv"
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
FARTHEST_M = 2.0  # of any sensor from the head camera
STREAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
GYRO_UNITS = {"rad/s": 1.0, "deg/s": 3.141592653589793 / 180}
ACCEL_UNITS = {"m/s^2": 1.0, "g": 9.80665}

# consumer-grade sensors, on the noisy side; used (and said) where rig.toml gives none
DEFAULT_NOISE = {
    "gyro_noise_rad_s_sqrthz": 1e-3,
    "gyro_walk_rad_s2_sqrthz": 1e-4,
    "accel_noise_m_s2_sqrthz": 1e-2,
    "accel_walk_m_s3_sqrthz": 1e-3,
}

_SESSION_TEXTS = {"operator", "task", "scene", "device", "consent", "calibration_date"}
_SESSION_KEYS = {*_SESSION_TEXTS, "hand_length_mm"}
_STREAM_KEYS = {
    *("file", "model", "params", "size_wh", "readout_ms", "time_offset_ns", "timestamps", "rotate"),
    *("head_from_camera", "depth_unit_m", "estimated"),
}
_IMU_KEYS = {
    *("file", "head_from_imu", "time_offset_ns", "gyro_unit", "accel_unit"),
    *DEFAULT_NOISE,
}


@dataclass(frozen=True, eq=False)
class RigStream:
    """One camera as mounted. camera: of the recorded picture, before any turn.

    rotate_deg: clockwise turn that makes the picture upright; None leaves it to the file's own
    flag.
    timestamps: a CSV beside it with one ``timestamp_ns`` per picture; None uses the container's
    stamps.
    time_offset_ns: added to a stamp to give the session clock at mid-exposure of the middle row.
    depth_unit_m: makes it a depth camera: metres along the optical axis per grey level.
    estimated: where the camera model comes from when nobody calibrated it; "" for a calibration.
    """

    file: str
    camera: Camera
    head_from_camera: SE3 | None = None
    readout_ns: int = 0
    time_offset_ns: int = 0
    timestamps: str | None = None
    rotate_deg: int | None = None
    depth_unit_m: float | None = None
    estimated: str = ""

    @property
    def kind(self) -> str:
        """Of the stream in session.json."""
        return "video" if self.depth_unit_m is None else "depth"


@dataclass(frozen=True, eq=False)
class RigImu:
    """The inertial sensor as mounted. Units are factors to rad/s and m/s².

    file: a CSV, or a video whose telemetry track holds the samples.
    """

    file: str
    calibration: ImuCalibration
    noise_given: bool
    time_offset_ns: int = 0
    gyro_unit: float = 1.0
    accel_unit: float = 1.0

    @property
    def in_video(self) -> bool:
        """Whether the samples lie in a video's telemetry."""
        return PurePosixPath(self.file).suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True, eq=False)
class Rig:
    """A checked rig.toml. session: the texts of [session], "" where absent."""

    session: dict[str, str]
    hand_length_mm: float | None
    streams: dict[str, RigStream]
    imu: RigImu | None

    def files(self) -> list[str]:
        """Every file the rig names, once, in order."""
        named = [f for s in self.streams.values() for f in (s.file, s.timestamps) if f]
        return list(dict.fromkeys([*named, *([self.imu.file] if self.imu else [])]))


def parse_rig(data: bytes, place: str) -> Rig:
    """The rig in the bytes of a rig.toml; ``place`` names it in errors."""
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{place}: not readable as TOML ({error}); correct that line"
        ) from error
    _refuse_unknown(document, {"session", "streams", "imu"}, place)
    keys = Keys(place, document)
    session = keys.part("session") if "session" in document else Keys(place, {})
    _refuse_unknown(document.get("session", {}), _SESSION_KEYS, session.place)
    texts = {key: session.text(key) if key in session else "" for key in sorted(_SESSION_TEXTS)}
    has_length = "hand_length_mm" in session
    streams = {
        name: _stream(name, part, document["streams"][name])
        for name, part in keys.part("streams").parts()
    }
    if "head" not in streams:
        raise BadInputError(f"{place}: no [streams.head]; the head camera sets the session's beat")
    return Rig(
        session=texts,
        hand_length_mm=session.number("hand_length_mm") if has_length else None,
        streams=streams,
        imu=_imu(keys.part("imu"), document["imu"]) if "imu" in document else None,
    )


def _stream(name: str, keys: Keys, document: dict[str, Any]) -> RigStream:
    if not STREAM_NAME.fullmatch(name) or name in {"imu", "labels", "rig"}:
        raise BadInputError(
            f"{keys.place}: stream name {name!r}; use a-z, 0-9 and _, and not imu, labels or rig"
        )
    _refuse_unknown(document, _STREAM_KEYS, keys.place)
    for key in ("model", "params", "size_wh"):
        if key not in keys:
            raise BadInputError(f"{keys.place}: '{key}' is missing; give this camera's calibration")
    with located(keys.place):
        camera = camera_from_dict(document)
    rotate = keys.integer("rotate") if "rotate" in keys else None
    if rotate is not None and rotate not in TURNS_DEG:
        raise keys.refuse("rotate", "use 0, 90, 180 or 270 degrees clockwise to upright")
    readout_ms = keys.number("readout_ms") if "readout_ms" in keys else 0.0
    if not 0 <= readout_ms <= 1000:
        raise keys.refuse(
            "readout_ms", "give milliseconds from the first row to the last, 0 to 1000"
        )
    return RigStream(
        file=_file_name(keys, "file"),
        camera=camera,
        head_from_camera=_pose(keys, "head_from_camera") if "head_from_camera" in keys else None,
        readout_ns=round(readout_ms * 1e6),
        time_offset_ns=_offset(keys),
        timestamps=_file_name(keys, "timestamps") if "timestamps" in keys else None,
        rotate_deg=rotate,
        depth_unit_m=_depth_unit(name, keys),
        estimated=keys.text("estimated") if "estimated" in keys else "",
    )


def _depth_unit(name: str, keys: Keys) -> float | None:
    if "depth_unit_m" not in keys:
        return None
    if name == "head":
        raise keys.refuse("depth_unit_m", "head is the picture; name the depth head_depth")
    unit = keys.number("depth_unit_m")
    if not 1e-5 <= unit <= 0.1:
        raise keys.refuse("depth_unit_m", "give metres per grey level, such as 0.001")
    return unit


def _imu(keys: Keys, document: dict[str, Any]) -> RigImu:
    _refuse_unknown(document, _IMU_KEYS, keys.place)
    given = {key: keys.number(key) for key in DEFAULT_NOISE if key in keys}
    with located(keys.place):
        calibration = ImuCalibration(
            head_from_imu=_pose(keys, "head_from_imu"), **{**DEFAULT_NOISE, **given}
        )
    return RigImu(
        file=_file_name(keys, "file"),
        calibration=calibration,
        noise_given=len(given) == len(DEFAULT_NOISE),
        time_offset_ns=_offset(keys),
        gyro_unit=_unit(keys, "gyro_unit", GYRO_UNITS),
        accel_unit=_unit(keys, "accel_unit", ACCEL_UNITS),
    )


def _offset(keys: Keys) -> int:
    offset = keys.integer("time_offset_ns") if "time_offset_ns" in keys else 0
    if abs(offset) > LATEST_NS:
        raise keys.refuse("time_offset_ns", f"at most {LATEST_NS} ns are a time")
    return offset


def _unit(keys: Keys, key: str, units: dict[str, float]) -> float:
    if key not in keys:
        return 1.0
    name = keys.text(key)
    if name not in units:
        raise keys.refuse(key, f"use one of {', '.join(units)}")
    return units[name]


def _pose(keys: Keys, key: str) -> SE3:
    values = keys.numbers(key, 7)
    length = sum(v * v for v in values[3:]) ** 0.5
    if abs(length - 1) > 1e-3:
        raise keys.refuse(key, "x y z qw qx qy qz with a quaternion of length 1 is needed")
    if max(map(abs, values[:3])) > FARTHEST_M:
        raise keys.refuse(key, "no part of a head rig is so far away; give metres")
    return SE3.from_pose7(values)


def _file_name(keys: Keys, key: str) -> str:
    """A plain name inside the folder: no path of a recording leads out of it."""
    name = keys.text(key)
    if not name or PurePosixPath(name).name != name or "\\" in name or name.startswith("."):
        raise keys.refuse(key, "give the name of a file in this folder, without a path")
    return name


def _refuse_unknown(document: dict[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(set(document) - known)
    if unknown:
        raise BadInputError(
            f"{place}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
