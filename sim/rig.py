"""The rigs a take can be recorded with, and how well their sensors behave.

A rig is geometry (cameras, where they sit, the IMU); a preset is behaviour (blur, noise, timing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import BadInputError
from core.geometry.camera_model import Camera
from core.geometry.cameras import camera_from_dict
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3

STREAMS = ("head", "left_wrist", "right_wrist")


@dataclass(frozen=True)
class CameraSpec:
    """A camera as bought. params: of ``model`` (core.geometry.cameras), pixels."""

    model: str
    params: tuple[float, ...]
    size_wh: tuple[int, int]
    fps: float = 30.0

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
    """Cameras on head and wrists, and the inertial sensor on the head."""

    name: str
    head: CameraSpec
    wrist: CameraSpec
    imu: ImuSpec = ImuSpec()
    streams: tuple[str, ...] = STREAMS

    def spec(self, stream: str) -> CameraSpec:
        """The camera of one stream."""
        return self.head if stream == "head" else self.wrist


@dataclass(frozen=True)
class Preset:
    """How the sensors behave. Times in milliseconds; noise in grey levels (one sigma).

    drop: share of frames lost.  late_ms: one sigma of jitter in the frame instants.
    wrist_offset_ms: how far the wrist cameras' clocks are off, unknown to the rig file.
    wrist_drift_ppm: and how fast they run away.  imu: factor on the IMU's noise and biases.
    """

    name: str
    readout_ms: float = 0.0
    exposure_ms: float = 0.0
    noise: float = 0.0
    crf: int = 20
    drop: float = 0.0
    late_ms: float = 0.0
    wrist_offset_ms: float = 0.0
    wrist_drift_ppm: float = 0.0
    imu: float = 1.0
    shadows: bool = False


def _vga(focal: float, size: tuple[int, int] = (640, 480), k: tuple[float, ...] = ()) -> CameraSpec:
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
    params = (focal, focal, *centre, *(k or (0.0, 0.0, 0.0, 0.0)))
    return CameraSpec("pinhole_radtan", params, size)


_HEAD = _vga(320.0, k=(-0.03, 0.004, 0.0, 0.0))
RIGS: dict[str, Rig] = {
    "default": Rig("default", _HEAD, _vga(270.0)),
    "small": Rig("small", _HEAD, _vga(135.0, (320, 240))),
    "head": Rig("head", _HEAD, _vga(270.0), streams=("head",)),
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
