"""What a rig's sensors do during a take, before any picture is drawn, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.session.calibration import Calibration, ImuCalibration, StreamCalibration
from core.session.documents import write_document
from core.session.layout import TRUTH
from core.session.storage import SessionFolder
from core.session.tables import Redactions
from sim.motion.human import Human
from sim.rig import Preset, Rig, head_from_camera, head_from_imu
from sim.scene.choreography import camera_pose
from sim.scene.company import Company
from sim.sensors.clocks import Timing, take_pictures
from sim.sensors.imu import InertialSensor
from sim.sensors.miscalibration import Miscalibration
from sim.sensors.sound import Knock, Microphone, arrivals
from sim.truth.parts import row_parts, table_parts, write_columns
from sim.truth.sync import write_sync
from sim.truth.tables import Clock, TruthWriter

Array = NDArray[np.float64]

ORIGIN_NS = 1_000_000_000_000  # the first head frame on the session clock
IMU_LEAD_S = 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
class Sensing:
    """The sensors of one take, on whoever wears them.

    human: has the head's spline and the hands' forearms.
    timing: when each frame of each stream is really taken, and what its clock says.
    wrong: what the rig file gets wrong about the sensors.  sounds: what there is to hear.
    """

    human: Human
    rig: Rig
    preset: Preset
    seed: int
    seconds: float
    timing: dict[str, Timing]
    imu: InertialSensor
    wrong: Miscalibration
    sounds: list[Knock]

    def microphone(self, stream: str) -> Microphone | None:
        """The sound of one stream; None for those without."""
        if not self.sounds or not self.preset.audio or self.rig.spec(stream).depth is not None:
            return None
        return Microphone(self.sounds, self.human, stream=stream, timing=self.timing[stream])

    @property
    def times(self) -> dict[str, Array]:
        """When each frame of each stream is really taken, seconds of the plan."""
        return {stream: timing.seconds for stream, timing in self.timing.items()}

    @property
    def clock(self) -> Clock:
        """Plan seconds to session nanoseconds."""
        return Clock(ORIGIN_NS)


def sense(
    human: Human,
    rig: Rig,
    preset: Preset,
    *,
    seconds: float,
    seed: int,
    wrong: Miscalibration,
    sounds: list[Knock],
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> dict[str, Any]:
    """The fields of a `Sensing`: frame times and inertial samples drawn from two generators."""
    timing = {
        stream: take_pictures(stream, preset, fps=spec.fps, seconds=seconds, rng=rngs[0])
        for stream, spec in rig.cameras.items()
    }
    imu = InertialSensor(
        human.head,
        head_from_imu(),
        span_s=(-IMU_LEAD_S, seconds + IMU_LEAD_S),
        spec=rig.imu,
        quality=preset.imu,
        rng=rngs[1],
    )
    return {
        "human": human, "rig": rig, "preset": preset, "seed": seed, "seconds": seconds,
        "timing": timing, "imu": imu, "wrong": wrong, "sounds": sounds,
    }  # fmt: skip


def write_sensor_truth(folder: SessionFolder, show: Sensing, writer: TruthWriter) -> None:
    """Calibration, every camera's poses at its own frames, clocks and biases."""
    _true_calibration(show).write(folder, TRUTH)
    for stream in show.rig.streams:
        columns = _camera_columns(show, writer, stream)
        write_columns(folder, f"sim/camera_{stream}.parquet", columns)
    write_sync(folder, show)
    if show.sounds and show.preset.audio:
        write_columns(folder, "sim/sounds.parquet", [_sound_columns(show, writer)])
    write_document(folder, f"{TRUTH}/sim/calibration_error.json", show.wrong.document(show.rig))
    biases = (
        {
            "timestamp_ns": show.clock.ns(part.seconds),
            "gyro_bias_rad_s": part.gyro_bias,
            "accel_bias_m_s2": part.accel_bias,
        }
        for part in show.imu.parts()
    )
    write_columns(folder, "sim/imu_bias.parquet", biases)


def _camera_columns(show: Sensing, writer: TruthWriter, stream: str) -> Iterator[dict[str, Any]]:
    """When one camera took its pictures, and from where; part by part."""
    timing = show.timing[stream]
    for rows in row_parts(len(timing.seconds)):
        times = timing.seconds[rows]
        poses = writer.world_from_desk @ camera_pose(show.human, stream, times)
        yield {
            "timestamp_ns": show.clock.ns(times),
            "stamp_ns": show.clock.ns(timing.clock.stamps(times)),
            "world_from_camera": poses.to_pose7(),
        }


def write_onlookers(folder: SessionFolder, show: Sensing, company: Company) -> None:
    """`truth/capture/redactions.parquet`: boxes of faces and screens, hidden or not."""
    with table_parts(folder, Redactions) as add:
        for stream, spec in show.rig.cameras.items():
            if spec.depth is not None:
                continue
            times = show.times[stream]
            for rows in row_parts(len(times)):
                poses = camera_pose(show.human, stream, times[rows])
                boxes = company.boxes(spec.camera(), poses)
                add(_redactions(stream, boxes, company, first=rows.start))


def _redactions(
    stream: str, boxes: list[tuple[int, int, Array]], company: Company, *, first: int
) -> Redactions:
    """The boxes of some pictures of a stream; first: number of the first of these pictures."""
    kinds = [company.members[member].kind for _, member, _ in boxes]
    return Redactions(
        stream=np.full(len(boxes), stream, object),
        frame_index=np.array([first + frame for frame, *_ in boxes], np.int32),
        track=np.array([member for _, member, _ in boxes], np.int32),
        kind=np.array(kinds, object),
        box_xyxy_px=np.array([box for *_, box in boxes], np.float32).reshape(-1, 4),
    )


def _sound_columns(show: Sensing, writer: TruthWriter) -> dict[str, Any]:
    """What sounded when and where, and when each camera heard it."""
    at = np.array([knock.seconds for knock in show.sounds])
    places = np.stack([knock.at_desk for knock in show.sounds])
    heard = {
        f"heard_{stream}_ns": show.clock.ns(arrivals(show.sounds, show.human, stream)[0])
        for stream, spec in show.rig.cameras.items()
        if spec.depth is None
    }
    return {
        "timestamp_ns": show.clock.ns(at),
        "kind": np.array([knock.kind for knock in show.sounds], object),
        "thing": np.array([knock.thing for knock in show.sounds], object),
        "position_in_world": writer.world_from_desk.apply(places),
        **heard,
    }


def _true_calibration(show: Sensing) -> Calibration:
    readout = round(show.preset.readout_ms * 1e6)
    imu = show.rig.imu
    return Calibration(
        streams={
            stream: StreamCalibration(
                spec.camera(),
                head_from_camera(stream),
                0 if spec.depth else readout,
                depth_unit_m=spec.depth.unit_m if spec.depth else None,
            )
            for stream, spec in show.rig.cameras.items()
        },
        imu=ImuCalibration(
            head_from_imu(), imu.gyro_noise, imu.gyro_walk, imu.accel_noise, imu.accel_walk
        ),
        source="sim",
        date="2025-01-01",
    )
