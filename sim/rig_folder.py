"""The folder a real rig uploads: videos, time stamps, IMU readings, rig.toml and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from core.geometry.se3 import SE3
from core.session.storage import SessionFolder
from sim.hand.skeleton import REFERENCE_LENGTH_MM
from sim.motion.plan import Plan
from sim.rig import CameraSpec, Preset, Rig, head_from_camera, head_from_imu
from sim.sensors.clocks import Clock as SensorClock
from sim.sensors.imu import InertialSensor
from sim.sensors.miscalibration import Miscalibration
from sim.truth.tables import Clock

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Take:
    """What the rig knows of a take. stamps: seconds as each camera's clock says.

    labels: lines of labels.csv; without any there is no such file.
    """

    task: str
    scene: str
    operator: str
    scale: float
    clock: Clock
    stamps: dict[str, Array]
    imu: InertialSensor
    imu_clock: SensorClock
    labels: list[str]


def write_rig_folder(
    folder: SessionFolder, take: Take, *, rig: Rig, preset: Preset, wrong: Miscalibration
) -> None:
    """Everything but the videos; rig.toml last. wrong: what its calibration gets wrong."""
    for stream in rig.streams:
        stamps = map(str, map(int, take.clock.ns(take.stamps[stream])))
        _write(folder, f"{stream}_timestamps.csv", chain(["timestamp_ns"], stamps))
    _write(folder, "imu.csv", _imu_lines(take))
    if take.labels:
        _write(folder, "labels.csv", take.labels)
    _write(folder, "rig.toml", _rig_toml(take, rig, preset, wrong=wrong))


def _write(folder: SessionFolder, name: str, lines: Iterable[str]) -> None:
    """A text file, line by line: a long one is never in memory as a whole."""
    with folder.atomic_path(name) as path, path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in lines)


def _imu_lines(take: Take) -> Iterator[str]:
    """imu.csv."""
    yield "timestamp_ns,gyro_x,gyro_y,gyro_z,accel_x,accel_y,accel_z"
    for part in take.imu.parts():
        stamps = take.clock.ns(take.imu_clock.stamps(part.seconds))
        values = np.concatenate([part.gyro_rad_s, part.accel_m_s2], axis=1)
        for stamp, row in zip(stamps.tolist(), values, strict=True):
            yield f"{stamp}," + ",".join(f"{v:.6f}" for v in row)


def label_lines(plan: Plan, task: str) -> list[str]:
    """labels.csv as a careful annotator would have written it."""
    lines = ["track,start_s,end_s,text,task,success"]
    for start, end, success in plan.episodes:
        lines.append(f"episode,{start:.3f},{end:.3f},{task},{task},{str(success).lower()}")
    lines += [f"{x.arm},{x.start_s:.3f},{x.end_s:.3f},{x.text},," for x in plan.labels]
    return lines


def _rig_toml(take: Take, rig: Rig, preset: Preset, *, wrong: Miscalibration) -> list[str]:
    lines = [
        "[session]",
        f'operator = "{take.operator}"',
        f"hand_length_mm = {REFERENCE_LENGTH_MM * take.scale:.1f}",
        f'task = "{take.task}"',
        f'scene = "{take.scene}"',
        f'device = "sim-{rig.name}-{preset.name}"',
        'consent = "research"',
    ]
    for stream, spec in rig.cameras.items():
        readout_ms = 0.0 if spec.depth else preset.readout_ms
        lines += _stream_toml(stream, wrong.camera(spec), wrong, readout_ms=readout_ms)
    noise = rig.imu
    lines += [
        "",
        f"[imu]  # {noise.name}",
        'file = "imu.csv"',
        f"head_from_imu = [{_pose(wrong.pose(head_from_imu()))}]",
        f"time_offset_ns = {wrong.imu_time_ns}",
        f"gyro_noise_rad_s_sqrthz = {noise.gyro_noise:.6g}",
        f"gyro_walk_rad_s2_sqrthz = {noise.gyro_walk:.6g}",
        f"accel_noise_m_s2_sqrthz = {noise.accel_noise:.6g}",
        f"accel_walk_m_s3_sqrthz = {noise.accel_walk:.6g}",
    ]
    return lines


def _stream_toml(
    stream: str, spec: CameraSpec, wrong: Miscalibration, *, readout_ms: float
) -> list[str]:
    params = ", ".join(f"{p:.10g}" for p in spec.params)
    lines = [
        "",
        f"[streams.{stream}]",
        f'file = "{stream}.{spec.suffix}"',
        f'timestamps = "{stream}_timestamps.csv"',
        f'model = "{spec.model}"',
        f"params = [{params}]",
        f"size_wh = [{spec.size_wh[0]}, {spec.size_wh[1]}]",
        f"readout_ms = {readout_ms}",
    ]
    mount = head_from_camera(stream)
    if mount is not None and stream != "head":
        lines.append(f"head_from_camera = [{_pose(wrong.pose(mount))}]")
    if spec.depth is not None:
        lines.append(f"depth_unit_m = {spec.depth.unit_m}")
    return lines


def _pose(pose: SE3) -> str:
    return ", ".join(f"{v:.9g}" for v in pose.to_pose7())
