"""A calibration that is wrong by a known amount: in rig.toml, while the truth keeps the right one.

Directions are fixed, so that an error is one number: centres move along (0.8, -0.6), poses turn
about and move along one slanted axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from core.errors import BadInputError
from core.geometry.rotations import angle_between, matrix_from_rotvec
from core.geometry.se3 import SE3
from sim.rig import CameraSpec, Rig, head_from_camera, head_from_imu

CENTRE_DIRECTION = (0.8, -0.6)
SLANTED = np.array([2.0, -3.0, 6.0]) / 7.0


@dataclass(frozen=True)
class Miscalibration:
    """What is wrong with rig.toml. focal_percent: too long.  centre_px: principal point.

    distortion: added to k1.  extrinsic_deg, extrinsic_mm: of every sensor placed on the head.
    imu_time_ms: `time_offset_ns` of the inertial sensor.
    """

    focal_percent: float = 0.0
    centre_px: float = 0.0
    distortion: float = 0.0
    extrinsic_deg: float = 0.0
    extrinsic_mm: float = 0.0
    imu_time_ms: float = 0.0

    def camera(self, spec: CameraSpec) -> CameraSpec:
        """The camera as rig.toml states it."""
        fx, fy, cx, cy, k1, *rest = spec.params
        stretch = 1 + self.focal_percent / 100
        shift_x, shift_y = (self.centre_px * part for part in CENTRE_DIRECTION)
        params = (fx * stretch, fy * stretch, cx + shift_x, cy + shift_y, k1 + self.distortion)
        return replace(spec, params=(*params, *rest))

    def pose(self, head_from_sensor: SE3) -> SE3:
        """Where rig.toml says that a sensor sits."""
        turn = matrix_from_rotvec(np.radians(self.extrinsic_deg) * SLANTED)
        return SE3(turn, self.extrinsic_mm / 1e3 * SLANTED) @ head_from_sensor

    @property
    def imu_time_ns(self) -> int:
        """What rig.toml adds to the inertial sensor's stamps."""
        return round(self.imu_time_ms * 1e6)

    def document(self, rig: Rig) -> dict[str, Any]:
        """Stated minus true, per sensor: `truth/sim/calibration_error.json`."""
        sensors = {s: head_from_camera(s) for s in rig.streams} | {"imu": head_from_imu()}
        return {
            "asked": asdict(self),
            "params": {
                stream: [b - a for a, b in zip(spec.params, self.camera(spec).params, strict=True)]
                for stream, spec in rig.cameras.items()
            },
            "head_from_sensor": {
                name: _difference(pose, self.pose(pose))
                for name, pose in sensors.items()
                if pose is not None and name != "head"
            },
            "imu_time_ns": self.imu_time_ns,
        }


def _difference(true: SE3, stated: SE3) -> dict[str, float]:
    turned = np.degrees(angle_between(true.rotation, stated.rotation))
    moved = 1e3 * np.linalg.norm(stated.translation - true.translation)
    return {"deg": round(float(turned), 6), "mm": round(float(moved), 6)}


NOTHING_WRONG = Miscalibration()
AMOUNTS = {
    "none": NOTHING_WRONG,
    "small": Miscalibration(0.3, 1.0, 0.002, 0.3, 2.0, 1.0),
    "large": Miscalibration(2.0, 6.0, 0.01, 2.0, 15.0, 10.0),
}


def find_miscalibration(given: str | Mapping[str, float]) -> Miscalibration:
    """By name, or by figures; BadInputError lists what there is."""
    if isinstance(given, str):
        if given not in AMOUNTS:
            raise BadInputError(f"no calibration error {given!r}; there are: {', '.join(AMOUNTS)}")
        return AMOUNTS[given]
    names = [f.name for f in fields(Miscalibration)]
    for name, value in given.items():
        if name not in names:
            raise BadInputError(f"no calibration error {name!r}; there are: {', '.join(names)}")
        if not -1000 < value < 1000 or (name == "focal_percent" and value <= -90):
            raise BadInputError(f"calibration error {name} is {value:g}; give a smaller one")
    return Miscalibration(**given)
