"""What a rig's sensors do during a take, before any picture is drawn, and the truth about them."""

from __future__ import annotations

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
from sim.sensors.clocks import Timing, clock_of, take_pictures
from sim.sensors.imu import ImuReading, read_imu
from sim.sensors.miscalibration import Miscalibration
from sim.sensors.sound import Knock, Microphone, arrivals
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
    imu: ImuReading
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
    def imu_stamps(self) -> Array:
        """Seconds as the inertial sensor's clock says."""
        return clock_of("imu", self.preset).stamps(self.imu.seconds)

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
    samples = np.arange(-IMU_LEAD_S, seconds + IMU_LEAD_S, 1.0 / rig.imu.rate_hz)
    imu = read_imu(
        human.head,
        head_from_imu(),
        seconds=samples,
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
    for stream, times in show.times.items():
        poses = writer.world_from_desk @ camera_pose(show.human, stream, times)
        writer.write_columns(
            f"sim/camera_{stream}.parquet",
            {
                "timestamp_ns": show.clock.ns(times),
                "stamp_ns": show.clock.ns(show.timing[stream].stamps),
                "world_from_camera": poses.to_pose7(),
            },
        )
    write_sync(folder, show)
    if show.sounds and show.preset.audio:
        writer.write_columns("sim/sounds.parquet", _sound_columns(show, writer))
    write_document(folder, f"{TRUTH}/sim/calibration_error.json", show.wrong.document(show.rig))
    writer.write_columns(
        "sim/imu_bias.parquet",
        {
            "timestamp_ns": show.clock.ns(show.imu.seconds),
            "gyro_bias_rad_s": show.imu.gyro_bias,
            "accel_bias_m_s2": show.imu.accel_bias,
        },
    )


def write_onlookers(folder: SessionFolder, show: Sensing, company: Company) -> None:
    """`truth/capture/redactions.parquet`: boxes of faces and screens, hidden or not."""
    parts = []
    for stream, spec in show.rig.cameras.items():
        if spec.depth is not None:
            continue
        rows = company.boxes(spec.camera(), camera_pose(show.human, stream, show.times[stream]))
        kinds = [company.members[member].kind for _, member, _ in rows]
        boxes = np.array([box for *_, box in rows], np.float32).reshape(-1, 4)
        parts.append(
            Redactions(
                stream=np.full(len(rows), stream, object),
                frame_index=np.array([frame for frame, *_ in rows], np.int32),
                track=np.array([member for _, member, _ in rows], np.int32),
                kind=np.array(kinds, object),
                box_xyxy_px=boxes,
            )
        )
    Redactions.concat(parts).write(folder, TRUTH)


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
