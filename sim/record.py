"""`handoff sim record`: one synthetic take as a raw rig folder, with the truth beside it.

Memory does not grow with the length of the take: poses and pictures are made a few seconds at a
time. The truth depends on the seed and the settings alone, never on how pictures are drawn.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.calibration import Calibration, ImuCalibration, StreamCalibration
from core.session.documents import write_document
from core.session.layout import TRUTH
from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder
from sim.choreography import Choreography, camera_pose
from sim.clocks import Timing, clock_of, take_pictures
from sim.film import Film
from sim.grasp import HAND_SCALES, HumanHands
from sim.human import Human
from sim.imu import ImuReading, read_imu
from sim.manner import find_manner
from sim.miscalibration import NOTHING_WRONG, Miscalibration, find_miscalibration
from sim.plan import make_plan
from sim.preview import write_preview
from sim.rig import Preset, Rig, find_preset, find_rig, head_from_camera, head_from_imu
from sim.rig_folder import Take, write_rig_folder
from sim.scene import CameraMount, SceneLook, random_look
from sim.sync import write_sync
from sim.tasks import Task, make_task
from sim.truth import Clock, TruthWriter
from sim.variation import AS_IT_COMES, Variation

Array = NDArray[np.float64]

ORIGIN_NS = 1_000_000_000_000  # the first head frame on the session clock
IMU_LEAD_S = 0.1
SHORTEST_S, LONGEST_S = 4.0, 7200.0


@dataclass(frozen=True)
class RecordReport:
    """What was made. frames: pictures per stream."""

    folder: str
    task: str
    seconds: float
    frames: dict[str, int]
    episodes: int
    subtasks: int


@dataclass(frozen=True, eq=False)
class Performance:
    """A take before any camera looks: who does what where, and what the IMU feels.

    timing: when each frame of each stream is really taken, and what its clock says.
    wrong: what the rig file gets wrong about the sensors.
    """

    task: Task
    look: SceneLook
    human: Human
    rig: Rig
    preset: Preset
    seed: int
    seconds: float
    timing: dict[str, Timing]
    imu: ImuReading
    wrong: Miscalibration

    @property
    def times(self) -> dict[str, Array]:
        """When each frame of each stream is really taken, seconds of the plan."""
        return {stream: timing.seconds for stream, timing in self.timing.items()}

    @property
    def clock(self) -> Clock:
        """Plan seconds to session nanoseconds."""
        return Clock(ORIGIN_NS)


def record(
    out: str | Path,
    *,
    task: str = "blocks_to_tray",
    seconds: float = 10.0,
    seed: int = 0,
    rig: str = "default",
    preset: str = "default",
    sensor: Mapping[str, float] | None = None,
    calibration_error: str | Mapping[str, float] = "none",
    variation: Variation = AS_IT_COMES,
    workers: int = 1,
    progress: Progress = NO_PROGRESS,
) -> RecordReport:
    """Record one take into the folder ``out`` (made if missing; must hold no take yet).

    sensor: figures that replace the preset's (`Preset`), such as {"imu_offset_ms": 12}.
    calibration_error: what rig.toml gets wrong: a name of `sim.miscalibration.AMOUNTS` or figures.
    workers: processes that draw, one stream each.
    """
    folder = SessionFolder(str(out))
    if folder.exists("rig.toml"):
        raise BadInputError(f"{out}: already holds a take (rig.toml); give an empty folder")
    behaviour = find_preset(preset).with_values(sensor or {})
    show = perform(
        task,
        seconds=seconds,
        seed=seed,
        rig=find_rig(rig),
        preset=behaviour,
        variation=variation,
        wrong=find_miscalibration(calibration_error),
    )
    write_truth(folder, show)
    _shoot(folder, show, progress, workers=workers)
    write_preview(folder, [f"{s}.{spec.suffix}" for s, spec in show.rig.cameras.items()])
    write_rig_folder(folder, take_of(show), rig=show.rig, preset=show.preset, wrong=show.wrong)
    frames = {stream: len(t) for stream, t in show.times.items()}
    plan = show.human.plan
    return RecordReport(str(out), task, seconds, frames, len(plan.episodes), len(plan.labels))


def take_of(show: Performance) -> Take:
    """What the rig knows of a performance."""
    return Take(
        task=show.task.text,
        scene=f"{show.look.scene}-{show.look.seed}",
        operator=f"sim-{show.seed}",
        scale=show.human.scale,
        clock=show.clock,
        stamps={stream: timing.stamps for stream, timing in show.timing.items()},
        imu=show.imu,
        imu_stamps=clock_of("imu", show.preset).stamps(show.imu.seconds),
        plan=show.human.plan,
    )


def perform(
    task: str,
    *,
    seconds: float,
    seed: int,
    rig: Rig,
    preset: Preset,
    variation: Variation = AS_IT_COMES,
    wrong: Miscalibration = NOTHING_WRONG,
) -> Performance:
    """The take that a seed stands for. Needs no renderer."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise BadInputError(
            f"seconds is {seconds}; a take lasts {SHORTEST_S:.0f} to {LONGEST_S:.0f}"
        )
    if seed < 0:
        raise BadInputError(f"seed is {seed}; give 0 or more")
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    look = random_look(rngs[0], variation)
    layout = make_task(task, rngs[1], variation=variation, scene=look.scene)
    scale = float(rngs[2].uniform(*HAND_SCALES))
    manner = find_manner(variation.manner)
    plan = make_plan(layout, HumanHands(scale), seconds=seconds, rng=rngs[2], manner=manner)
    human = Human(plan, scale=scale, rng=rngs[2])
    timing = {
        stream: take_pictures(stream, preset, fps=spec.fps, seconds=seconds, rng=rngs[3])
        for stream, spec in rig.cameras.items()
    }
    samples = np.arange(-IMU_LEAD_S, seconds + IMU_LEAD_S, 1.0 / rig.imu.rate_hz)
    imu = read_imu(
        human.head,
        head_from_imu(),
        seconds=samples,
        spec=rig.imu,
        quality=preset.imu,
        rng=rngs[4],
    )
    return Performance(layout, look, human, rig, preset, seed, seconds, timing, imu, wrong)


def write_truth(folder: SessionFolder, show: Performance) -> None:
    """Everything under truth/. Needs no renderer."""
    writer = TruthWriter(
        folder, show.human, show.task, clock=show.clock, seconds=show.times["head"]
    )
    writer.write_trajectory()
    writer.write_hands(show.rig.head.camera())
    writer.write_segments()
    writer.write_things()
    _true_calibration(show).write(folder, TRUTH)
    for stream in show.rig.streams:
        times = show.times[stream]
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
    write_document(folder, f"{TRUTH}/sim/calibration_error.json", show.wrong.document(show.rig))
    writer.write_columns(
        "sim/imu_bias.parquet",
        {
            "timestamp_ns": show.clock.ns(show.imu.seconds),
            "gyro_bias_rad_s": show.imu.gyro_bias,
            "accel_bias_m_s2": show.imu.accel_bias,
        },
    )


def _true_calibration(show: Performance) -> Calibration:
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


def _shoot(folder: SessionFolder, show: Performance, progress: Progress, *, workers: int) -> None:
    """Draw and encode the videos, one process per stream when there are several workers."""
    streams = show.rig.streams
    progress.total(sum(len(t) for t in show.times.values()), "frames")
    if workers <= 1 or len(streams) == 1:
        for stream in streams:
            shoot_stream(folder, show, stream, progress=progress)
        return
    context = multiprocessing.get_context("spawn")  # a drawing context does not survive a fork
    with ProcessPoolExecutor(min(workers, len(streams)), mp_context=context) as pool:
        jobs = [pool.submit(shoot_stream, folder, show, stream) for stream in streams]
        for job in as_completed(jobs):
            progress.advance(job.result())


def shoot_stream(
    folder: SessionFolder, show: Performance, stream: str, *, progress: Progress = NO_PROGRESS
) -> int:
    """Draw and encode one video; gives the number of frames."""
    spec = show.rig.spec(stream)
    with folder.atomic_path(f"{stream}.{spec.suffix}") as path:
        film = Film(path, stream, spec, show.preset, show.times[stream])
        lens = film.lens()
        mounts = [CameraMount(s, lens.views[0].fov_y) for s in show.rig.streams]
        stage = Choreography(
            show.human, show.task, show.look, mounts=mounts, image_wh=lens.atlas_wh
        )
        rng = np.random.default_rng([show.seed, *stream.encode()])
        return film.shoot(stage, lens, rng=rng, progress=progress)
