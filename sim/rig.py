"""The rigs a take can be recorded with, and how well their sensors behave.

A rig is geometry (cameras, where they sit, the IMU); a preset is behaviour (blur, noise, timing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from core.errors import BadInputError
from core.geometry.camera_model import Camera
from core.geometry.cameras import camera_from_dict
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3


@dataclass(frozen=True)
class DepthSpec:
    """A stereo depth camera. unit_m: metres per grey level.  baseline_m: between its imagers.

    subpixel: one sigma of the disparity, px.  steps_per_px: into which a disparity is divided.
    unmatched: share of the picture in which nothing is found.
    """

    unit_m: float = 0.001
    baseline_m: float = 0.050
    subpixel: float = 0.08
    steps_per_px: float = 32.0
    nearest_m: float = 0.12
    farthest_m: float = 6.0
    unmatched: float = 0.01


@dataclass(frozen=True)
class CameraSpec:
    """A camera as bought. params: of ``model`` (core.geometry.cameras), pixels.

    depth: what it is besides, where it gives distances instead of a picture.
    """

    model: str
    params: tuple[float, ...]
    size_wh: tuple[int, int]
    fps: float = 30.0
    depth: DepthSpec | None = None

    @property
    def suffix(self) -> str:
        """Of the file it leaves: H.264 in mp4, or depth without loss in mkv."""
        return "mp4" if self.depth is None else "mkv"

    def camera(self) -> Camera:
        """The camera model."""
        return camera_from_dict({
            "model": self.model,
            "params": list(self.params),
            "size_wh": list(self.size_wh),
        })


@dataclass(frozen=True)
class ImuSpec:
    """Noise of TDK InvenSense ICM-42688-P (datasheet DS-000347): 2.8 mdps/√Hz, 70 micro-g/√Hz.

    The datasheet gives no walks; those here are a guess common for this class. scale and
    misalignment: one sigma left after a bench calibration. bias: one sigma at switch-on.
    """

    name: str = "ICM-42688-P"
    rate_hz: float = 200.0
    gyro_noise: float = float(np.radians(0.0028))
    gyro_walk: float = 2.0e-5
    gyro_bias: float = float(np.radians(0.25))
    accel_noise: float = 70e-6 * 9.80665
    accel_walk: float = 3.0e-4
    accel_bias: float = 0.03
    scale: float = 0.001
    misalignment: float = 0.001
    gyro_range: float = float(np.radians(2000.0))
    accel_range: float = 16 * 9.80665


@dataclass(frozen=True)
class Rig:
    """Cameras on head and wrists by the name of their stream, and the head's inertial sensor."""

    name: str
    cameras: Mapping[str, CameraSpec]
    imu: ImuSpec = ImuSpec()

    @property
    def streams(self) -> tuple[str, ...]:
        """The cameras' streams; the head's first."""
        return tuple(self.cameras)

    @property
    def head(self) -> CameraSpec:
        """The head camera."""
        return self.cameras["head"]

    def spec(self, stream: str) -> CameraSpec:
        """The camera of one stream."""
        return self.cameras[stream]


@dataclass(frozen=True)
class Preset:
    """How the sensors behave. Times in milliseconds; noise in grey levels (one sigma).

    drop: share of frames lost.  late: share that comes most of a period late.
    late_ms: one sigma of jitter in the frame instants.
    slow: how much longer the steps between frames get where the light goes down (0.5: a half).
    wrist_offset_ms: how far the wrist cameras' clocks are off, unknown to the rig file.
    wrist_drift_ppm: and how fast they run away.  imu_offset_ms, imu_drift_ppm: the same of the
    inertial sensor's.  imu: factor on the IMU's noise and biases.  audio: cameras record sound.
    """

    name: str
    readout_ms: float = 0.0
    exposure_ms: float = 0.0
    noise: float = 0.0
    crf: int = 20
    drop: float = 0.0
    late: float = 0.0
    late_ms: float = 0.0
    slow: float = 0.0
    wrist_offset_ms: float = 0.0
    wrist_drift_ppm: float = 0.0
    imu_offset_ms: float = 0.0
    imu_drift_ppm: float = 0.0
    imu: float = 1.0
    audio: bool = True
    shadows: bool = False

    def with_values(self, values: Mapping[str, float]) -> Preset:
        """This preset but for some figures; BadInputError lists the names and limits there are."""
        for name, value in values.items():
            if name not in LIMITS:
                raise BadInputError(f"no sensor figure {name!r}; there are: {', '.join(LIMITS)}")
            low, high = LIMITS[name]
            if not low <= value <= high:
                raise BadInputError(f"{name} is {value:g}; give {low:g} to {high:g}")
        kinds = {f.name: type(f.default) for f in fields(self)}
        return replace(self, **{name: kinds[name](value) for name, value in values.items()})


LIMITS: dict[str, tuple[float, float]] = {
    "readout_ms": (0.0, 33.0),
    "exposure_ms": (0.0, 33.0),
    "noise": (0.0, 50.0),
    "crf": (0, 51),
    "drop": (0.0, 0.5),
    "late": (0.0, 0.3),
    "late_ms": (0.0, 10.0),
    "slow": (0.0, 3.0),
    "wrist_offset_ms": (-2000.0, 2000.0),
    "wrist_drift_ppm": (-1000.0, 1000.0),
    "imu_offset_ms": (-90.0, 90.0),
    "imu_drift_ppm": (-1000.0, 1000.0),
    "imu": (0.0, 20.0),
    "audio": (0, 1),
    "shadows": (0, 1),
}


def _vga(focal: float, size: tuple[int, int] = (640, 480), k: tuple[float, ...] = ()) -> CameraSpec:
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
    params = (focal, focal, *centre, *(k or (0.0, 0.0, 0.0, 0.0)))
    return CameraSpec("pinhole_radtan", params, size)


def _fisheye() -> CameraSpec:
    """150 degrees from edge to edge, 178 from corner to corner, Kannala-Brandt."""
    params = (220.2, 220.2, 319.5, 239.5, 0.0505, 0.0084, 0.0, 0.0)
    return CameraSpec("kannala_brandt", params, (640, 480))


_HEAD = _vga(320.0, k=(-0.03, 0.004, 0.0, 0.0))

_DEPTH = replace(_vga(190.0, (320, 240)), depth=DepthSpec())


def _wrists(spec: CameraSpec) -> dict[str, CameraSpec]:
    return {"left_wrist": spec, "right_wrist": spec}


RIGS: dict[str, Rig] = {
    "default": Rig("default", {"head": _HEAD, **_wrists(_vga(270.0))}),
    "small": Rig("small", {"head": _HEAD, **_wrists(_vga(135.0, (320, 240)))}),
    "head": Rig("head", {"head": _HEAD}),
    "stereo": Rig("stereo", {"head": _HEAD, "head_right": _HEAD, **_wrists(_vga(270.0))}),
    "stereo-head": Rig("stereo-head", {"head": _HEAD, "head_right": _HEAD}),
    "rgbd": Rig("rgbd", {"head": _HEAD, "head_depth": _DEPTH, **_wrists(_vga(270.0))}),
    "rgbd-head": Rig("rgbd-head", {"head": _HEAD, "head_depth": _DEPTH}),
    "fisheye": Rig("fisheye", {"head": _fisheye(), **_wrists(_vga(270.0))}),
    "fisheye-head": Rig("fisheye-head", {"head": _fisheye()}),
    "aria-head": Rig("aria-head", {"head": _fisheye(), "head_out": _fisheye()}),
}
PRESETS: dict[str, Preset] = {
    "clean": Preset("clean", crf=16, imu=0.0),
    "default": Preset("default", readout_ms=8.0, exposure_ms=6.0, noise=1.5, late_ms=0.2),
    "harsh": Preset(
        "harsh",
        readout_ms=25.0,
        exposure_ms=14.0,
        noise=5.0,
        crf=28,
        drop=0.02,
        late=0.01,
        late_ms=2.0,
        wrist_offset_ms=35.0,
        wrist_drift_ppm=40.0,
        imu=3.0,
    ),
}


def head_from_imu() -> SE3:
    """The IMU behind the camera: its x forward, y left, z up, but for a degree of mounting."""
    axes = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    tilt = matrix_from_rotvec(np.array([0.012, -0.008, 0.015]))
    return SE3(axes @ tilt, np.array([0.012, -0.021, -0.016]))


def head_from_camera(stream: str) -> SE3 | None:
    """Where a camera that is fixed to the head sits; None for those that are not."""
    if stream == "head":
        return SE3.identity()
    if stream == "head_right":  # the second eye, not quite parallel
        turn = matrix_from_rotvec(np.array([0.004, -0.012, 0.006]))
        return SE3(turn, np.array([0.098, 0.0015, -0.0008]))
    if stream == "head_out":  # looks away to the right, as the second of Aria's SLAM cameras
        turn = matrix_from_rotvec(np.array([0.02, np.radians(64.0), -0.03]))
        return SE3(turn, np.array([0.112, 0.006, -0.004]))
    if stream == "head_depth":
        turn = matrix_from_rotvec(np.array([-0.003, 0.005, 0.002]))
        return SE3(turn, np.array([0.032, 0.011, 0.002]))
    return None


def forearm_from_wrist_camera() -> SE3:
    """A camera under the wrist that looks along the fingers (forearm: x to the hand, z palmar)."""
    look = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    tilt = matrix_from_rotvec(np.array([-0.12, 0.0, 0.0]))
    return SE3(look @ tilt, np.array([-0.045, 0.0, 0.064]))


def find_rig(name: str) -> Rig:
    """A rig by name; BadInputError lists the names there are."""
    if name not in RIGS:
        raise BadInputError(f"no rig {name!r}; there are: {', '.join(RIGS)}")
    return RIGS[name]


def find_preset(name: str) -> Preset:
    """A sensor preset by name; BadInputError lists the names there are."""
    if name not in PRESETS:
        raise BadInputError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]
