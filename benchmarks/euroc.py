"""EuRoC recordings (as one mp4 per camera) to rig folders, and their ground truth.

A folder holds cam0.mp4, cam0_timestamps.csv, cam0_sensor.yaml, imu0.csv, imu0_sensor.yaml,
groundtruth.csv. EuRoC's body frame is its inertial sensor's; its ground truth is world_from_body.
"""

import re
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.se3 import SE3

IMU_HEADER = "timestamp_ns,gyro_x,gyro_y,gyro_z,accel_x,accel_y,accel_z"


def write_rig(euroc_dir: Path, out_dir: Path) -> Path:
    """A rig folder with cam0 as the head camera and imu0; gives its path. Nothing in the source
    changes.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(euroc_dir / "cam0.mp4", out_dir / "head.mp4")
    shutil.copyfile(euroc_dir / "cam0_timestamps.csv", out_dir / "head_timestamps.csv")
    rows = (euroc_dir / "imu0.csv").read_text(encoding="utf-8").splitlines()[1:]
    (out_dir / "imu.csv").write_text("\n".join([IMU_HEADER, *rows]) + "\n", encoding="utf-8")
    camera = (euroc_dir / "cam0_sensor.yaml").read_text(encoding="utf-8")
    imu = (euroc_dir / "imu0_sensor.yaml").read_text(encoding="utf-8")
    params = _numbers(camera, "intrinsics") + _numbers(camera, "distortion_coefficients")
    size = [int(s) for s in _numbers(camera, "resolution")]
    head_from_imu = body_from_head(euroc_dir).inverse() @ _pose(imu)
    lines = [
        "[session]",
        'device = "EuRoC MAV, cam0 and imu0"',
        "",
        "[streams.head]",
        'file = "head.mp4"',
        'timestamps = "head_timestamps.csv"',
        'model = "pinhole_radtan"',
        f"params = {params}",
        f"size_wh = {size}",
        "",
        "[imu]",
        'file = "imu.csv"',
        f"head_from_imu = {head_from_imu.to_pose7().tolist()}",
        f"gyro_noise_rad_s_sqrthz = {_number(imu, 'gyroscope_noise_density')}",
        f"gyro_walk_rad_s2_sqrthz = {_number(imu, 'gyroscope_random_walk')}",
        f"accel_noise_m_s2_sqrthz = {_number(imu, 'accelerometer_noise_density')}",
        f"accel_walk_m_s3_sqrthz = {_number(imu, 'accelerometer_random_walk')}",
    ]
    (out_dir / "rig.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return out_dir


def body_from_head(euroc_dir: Path) -> SE3:
    """Where cam0 sits on the body."""
    return _pose((euroc_dir / "cam0_sensor.yaml").read_text(encoding="utf-8"))


def camera_numbers(euroc_dir: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intrinsics of cam0, fx fy cx cy, and its distortion, k1 k2 p1 p2."""
    camera = (euroc_dir / "cam0_sensor.yaml").read_text(encoding="utf-8")
    distortion = _numbers(camera, "distortion_coefficients")
    return np.array(_numbers(camera, "intrinsics")), np.array(distortion)


def read_truth(euroc_dir: Path) -> tuple[NDArray[np.int64], SE3]:
    """Times ``(N,)`` and world_from_head ``(N,)`` of cam0; the world's z points up."""
    path = euroc_dir / "groundtruth.csv"
    rows = np.loadtxt(path, delimiter=",", comments="#", usecols=range(1, 8))
    times = np.loadtxt(path, delimiter=",", comments="#", dtype=np.int64, usecols=0)
    return times, SE3.from_pose7(rows) @ body_from_head(euroc_dir)


def _pose(yaml: str) -> SE3:
    return SE3.from_matrix(np.array(_numbers(yaml, "data")).reshape(4, 4))


def _numbers(yaml: str, key: str) -> list[float]:
    """The list of numbers behind ``key: [ … ]``."""
    found = re.search(rf"^\s*{key}:\s*\[([^\]]*)\]", yaml, re.MULTILINE)
    if found is None:
        raise BadInputError(f"EuRoC sensor file: no list '{key}'; give the original yaml")
    return [float(text) for text in found.group(1).replace("\n", " ").split(",")]


def _number(yaml: str, key: str) -> float:
    found = re.search(rf"^\s*{key}:\s*([-+.0-9eE]+)", yaml, re.MULTILINE)
    if found is None:
        raise BadInputError(f"EuRoC sensor file: no number '{key}'; give the original yaml")
    return float(found.group(1))
