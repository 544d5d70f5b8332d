"""`handoff sim record`: one synthetic take as a raw rig folder, with the truth beside it.

Memory does not grow with the length of the take: poses and pictures are made a few seconds at a
time. The truth depends on the seed and the settings alone, never on how pictures are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.documents import write_document
from core.session.layout import TRUTH
from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder
from sim.hand.grasp import HAND_SCALES, HumanHands
from sim.hand.skeleton import REFERENCE_LENGTH_MM
from sim.motion.human import Human
from sim.motion.manner import find_manner
from sim.motion.plan import make_plan
from sim.preview import write_preview
from sim.rig import Preset, Rig, find_preset, find_rig
from sim.rig_folder import Take, label_lines, write_rig_folder
from sim.scene.choreography import Choreography
from sim.scene.company import NOBODY, Company, invite
from sim.scene.model import CameraMount, SceneLook, random_look
from sim.sensing import Sensing, sense, write_onlookers, write_sensor_truth
from sim.sensors.clocks import clock_of
from sim.sensors.lens import Lens
from sim.sensors.miscalibration import NOTHING_WRONG, Miscalibration, find_miscalibration
from sim.sensors.sound import knocks
from sim.shooting import shoot
from sim.tasks.task import Task, make_task
from sim.truth.tables import TruthWriter
from sim.variation import AS_IT_COMES, Variation, chosen

Array = NDArray[np.float64]

SHORTEST_S, LONGEST_S = 4.0, 7200.0
ABOUT = f"{TRUTH}/sim/take.json"


@dataclass(frozen=True)
class RecordReport:
    """What was made. frames: pictures per stream."""

    folder: str
    task: str
    seconds: float
    frames: dict[str, int]
    episodes: int
    subtasks: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Performance(Sensing):
    """A take before any camera looks: who does what where, and what the sensors will see of it."""

    task: Task
    look: SceneLook
    company: Company

    @property
    def sensing(self) -> Sensing:
        """Itself, as what the sensors do."""
        return self

    def stage(self, lens: Lens) -> Choreography:
        """The scene for one camera."""
        mounts = [CameraMount(s, lens.views[0].fov_y) for s in self.rig.streams]
        return Choreography(
            self.human, self.task, self.look,
            mounts=mounts, company=self.company, image_wh=lens.atlas_wh,
        )  # fmt: skip


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
    bystanders: int = 0,
    screens: int = 0,
    workers: int = 1,
    progress: Progress = NO_PROGRESS,
) -> RecordReport:
    """Record one take into the folder ``out`` (made if missing; must hold no take yet).

    sensor: figures that replace the preset's (`Preset`), such as {"imu_offset_ms": 12}.
    calibration_error: what rig.toml gets wrong: a name of `miscalibration.AMOUNTS` or figures.
    bystanders, screens: how many faces and screens are in view, for redaction.
    workers: processes that draw, one stream each.
    """
    folder = SessionFolder(str(out))
    if folder.exists("rig.toml"):
        raise BadInputError(f"{out}: already holds a take (rig.toml); give an empty folder")
    _check(seconds, seed)
    behaviour = find_preset(preset).with_values(sensor or {})
    show = perform(
        task,
        seconds=seconds,
        seed=seed,
        rig=find_rig(rig),
        preset=behaviour,
        variation=variation,
        wrong=find_miscalibration(calibration_error),
        company=invite(bystanders, screens, seed=seed),
    )
    write_truth(folder, show)
    write_document(folder, ABOUT, about(show, variation))
    shoot(folder, show, progress, workers=workers)
    write_preview(folder, [f"{s}.{spec.suffix}" for s, spec in show.rig.cameras.items()])
    write_rig_folder(folder, take_of(show), rig=show.rig, preset=show.preset, wrong=show.wrong)
    frames = {stream: len(t) for stream, t in show.times.items()}
    plan = show.human.plan
    return RecordReport(str(out), task, seconds, frames, len(plan.episodes), len(plan.labels))


def take_of(show: Performance) -> Take:
    """What the rig knows of a performance."""
    plan = show.human.plan
    return Take(
        task=show.task.text,
        scene=f"{show.look.scene}-{show.look.seed}",
        operator=f"sim-{show.seed}",
        scale=show.human.scale,
        clock=show.clock,
        stamps={stream: timing.stamps for stream, timing in show.timing.items()},
        imu=show.imu,
        imu_clock=clock_of("imu", show.preset),
        labels=label_lines(plan, show.task.text),
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
    company: Company = NOBODY,
) -> Performance:
    """The take that a seed stands for. Needs no renderer."""
    _check(seconds, seed)
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    look = random_look(rngs[0], variation)
    layout = make_task(task, rngs[1], variation=variation, scene=look.scene)
    scale = float(rngs[2].uniform(*HAND_SCALES))
    manner = find_manner(variation.manner)
    plan = make_plan(layout, HumanHands(scale), seconds=seconds, rng=rngs[2], manner=manner)
    human = Human(plan, scale=scale, rng=rngs[2], sleeve=look.sleeve)
    sensing = sense(
        human, rig, preset, seconds=seconds, rngs=(rngs[3], rngs[4]), seed=seed, wrong=wrong,
        sounds=knocks(human),
    )  # fmt: skip
    return Performance(**sensing, task=layout, look=look, company=company)


def _check(seconds: float, seed: int) -> None:
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise BadInputError(
            f"seconds is {seconds}; a take lasts {SHORTEST_S:.0f} to {LONGEST_S:.0f}"
        )
    if seed < 0:
        raise BadInputError(f"seed is {seed}; give 0 or more")


def about(show: Performance, variation: Variation) -> dict[str, Any]:
    """What was drawn by name, asked for or by the seed: to choose takes by."""
    objects, variant = chosen(show.task.name, variation)
    look = show.look
    return {
        "task": show.task.name,
        "task_variant": variant,
        "objects": objects,
        "things": [thing.name for thing in show.task.things if thing.movable],
        "scene": look.scene,
        "table_height_m": round(look.table_height, 4),
        "manner": variation.manner,
        "hand_length_mm": round(REFERENCE_LENGTH_MM * show.human.scale, 1),
        "skin_tone": look.skin_tone,
        "sleeve": look.sleeve,
        "gloves": look.gloves,
        "onlookers": [member.kind for member in show.company.members],
        "rig": show.rig.name,
        "preset": show.preset.name,
        "seed": show.seed,
        "seconds": show.seconds,
    }


def write_truth(folder: SessionFolder, show: Performance) -> None:
    """Everything under truth/. Needs no renderer."""
    writer = TruthWriter(
        folder, show.human, show.task, clock=show.clock, seconds=show.times["head"]
    )
    writer.write_trajectory()
    writer.write_hands(show.rig.head.camera())
    writer.write_segments()
    writer.write_things()
    write_sensor_truth(folder, show, writer)
    if show.company.members:
        write_onlookers(folder, show, show.company)
