"""`handoff sim robot`: episodes of a scripted two-arm robot as a LeRobot v3 dataset.

The same tasks, things and words as the human's. The expert works in the closed loop of `rollout`,
so an episode holds what happened: grasps that failed and were done again, and whether it succeeded.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.embodiments import IDENTITY_POSE7, Embodiment, write_embodiment
from core.dataset.episode import CAMERAS, GRIPPER_COLUMN, POSE_COLUMNS, Episode, Extra
from core.dataset.lerobot_writer import DatasetWriter
from core.dataset.subtasks import SubtaskTable, training_text
from core.errors import BadInputError, HandoffError
from core.geometry.se3 import SE3
from core.session.stage import NO_PROGRESS, Progress
from sim.motion.manner import Manner
from sim.robots.builds import SIDES, Build, find_build
from sim.robots.closed_loop import EpisodeSettings, Played, Tick, film_of, lay_out, play
from sim.robots.expert import Expert, Habit
from sim.variation import AS_IT_COMES, Variation

Array = NDArray[np.float64]

IMAGE_WH = (320, 240)
ORIGIN_NS = 1_000_000_000_000
MANNER = Manner(hesitate=0.10, miss=0.12, adjust=0.05, misplace=0.06, away=0, glances_per_min=0)
GIVES_UP = 0.3  # of the times that something was left beside its goal or not grasped


@dataclass(frozen=True)
class RobotReport:
    """What was made."""

    root: str
    robot: str
    task: str
    episodes: int
    frames: int
    succeeded: int


def record_robot(
    out: str | Path,
    *,
    task: str = "blocks_to_tray",
    episodes: int = 4,
    seed: int = 0,
    robot: str = "alder",
    fps: int = 10,
    size_wh: tuple[int, int] = IMAGE_WH,
    variation: Variation = AS_IT_COMES,
    progress: Progress = NO_PROGRESS,
) -> RobotReport:
    """Write ``episodes`` demonstrations as the dataset ``out`` (must not exist)."""
    if episodes < 1:
        raise BadInputError(f"episodes is {episodes}; give 1 or more")
    build = find_build(robot)
    cameras = dict.fromkeys(CAMERAS, (size_wh[1], size_wh[0]))
    key = f"{task} {seed} {robot} {fps} {size_wh} {variation}"
    writer = DatasetWriter(out, fps=fps, cameras=cameras, key=key)
    progress.total(episodes, "episodes")
    frames, about = 0, []
    for index in range(episodes):
        settings = EpisodeSettings(
            task, robot, (seed, index), fps=fps, size_wh=size_wh, variation=variation
        )
        played, facts = demonstrate(settings, build)
        about.append(facts)
        frames += len(played.ticks)
        if not writer.is_staged(index):
            _stage(writer, index, settings, played=played)
        progress.advance()
    generator = {"command": "handoff sim robot", "task": task, "seed": seed, "robot": robot}
    generator |= {"variation": asdict(variation)}
    root = writer.finish(
        redaction="synthetic: no real person or screen is shown",
        extra={"generator": generator | {"episodes": about}},
    )
    write_embodiment(embodiment_of(build), root / "meta" / "embodiment.toml")
    return RobotReport(
        str(out), robot, task, episodes, frames, sum(bool(facts["success"]) for facts in about)
    )


def demonstrate(settings: EpisodeSettings, build: Build) -> tuple[Played, dict[str, Any]]:
    """One episode of the expert in a habit drawn from its seed, and what varied in it."""
    rng = np.random.default_rng([*settings.entropy, 1])
    habit = Habit(
        manner=MANNER,
        pace=float(rng.uniform(0.9, 1.4)),
        above_m=float(rng.uniform(0.05, 0.09)),
        gives_up=GIVES_UP,
    )
    played = play(settings, build, partial(Expert, habit=habit))
    expert = played.controller
    assert isinstance(expert, Expert)
    if expert.unreachable:
        raise HandoffError(
            f"{build.name} cannot {expert.unreachable[0]!r} in {settings.task}, seed "
            f"{settings.entropy}: out of its reach; give another robot, task or seed"
        )
    facts = {"pace": habit.pace, "above_m": habit.above_m, "manner": asdict(habit.manner)}
    counts = {"grasps": played.cell.grasps, "failed_tries": expert.failures}
    return played, {**facts, **counts, "success": played.score.success, "score": played.score.value}


def _stage(writer: DatasetWriter, index: int, settings: EpisodeSettings, *, played: Played) -> None:
    episode = robot_episode(played, fps=settings.fps)
    looks = [tick.snapshot for tick in played.ticks]
    stage = lay_out(settings, played.build)
    with film_of(stage, settings) as film:
        films = {camera: film.film(camera, looks) for camera in CAMERAS}
        writer.add_episode(episode, films, index=index)


def embodiment_of(build: Build) -> Embodiment:
    """Two arms with grippers; no head, a base only where it drives; tools are built as palms."""
    return Embodiment(
        name=build.name,
        kind="robot",
        grippers=SIDES,
        base=build.mobile,
        tool_from_palm=dict.fromkeys(SIDES, IDENTITY_POSE7),
        note=f"synthetic: {build.about}; the tool point lies between the jaws, "
        f"{build.jaws.tip_m * 1e3:.0f} mm behind their tips",
    )


def robot_episode(played: Played, *, fps: int) -> Episode:
    """The dataset's columns: postures as they were, actions as they were commanded."""
    ticks, build = played.ticks, played.build
    count = len(ticks)
    state, action = np.zeros((count, 16)), np.zeros((count, 23))
    base = SE3.stack([tick.body.world_from_base for tick in ticks])
    goal = SE3.stack([tick.command.world_from_base for tick in ticks])
    for side in SIDES:
        poses = SE3.stack([tick.body.base_from_tool[side] for tick in ticks])
        tools = goal.inverse() @ SE3.stack([t.command.world_from_tool[side] for t in ticks])
        state[:, POSE_COLUMNS[side]] = poses.to_pose7()
        action[:, POSE_COLUMNS[side]] = tools.to_pose7()
        state[:, GRIPPER_COLUMN[side]] = [tick.body.closed[side] for tick in ticks]
        action[:, GRIPPER_COLUMN[side]] = [tick.command.closed[side] for tick in ticks]
    action[:, 16:23] = goal.to_pose7()
    table = SubtaskTable()
    rows = _subtask_rows(ticks, table)
    return Episode(
        fps=fps,
        task=played.task.text,
        state=state.astype(np.float32),
        head_pose=base.to_pose7().astype(np.float32),
        action=action.astype(np.float32),
        valid=np.ones((count, 5), bool),
        action_valid=np.ones((count, 5), bool),
        landmarks=np.zeros((count, 102), np.float32),
        landmarks_valid=np.zeros((count, 34), bool),
        camera_valid=np.ones((count, 3), bool),
        subtask=rows["both"],
        subtask_left=rows["left"],
        subtask_right=rows["right"],
        map_id=np.zeros(count, np.int64),
        timestamp_ns=ORIGIN_NS + np.round(np.arange(count) * 1e9 / fps).astype(np.int64),
        subtask_texts=tuple(table.texts),
        embodiment=embodiment_of(build),
        session=f"{build.name}-{played.task.name}",
        success=played.score.success,
        extra=_joint_columns(ticks, build),
    )


def _joint_columns(ticks: tuple[Tick, ...], build: Build) -> dict[str, Extra]:
    """Joint positions (rad, m) and their change over the last tick, per second."""
    names = build.joint_names()

    def column(kind: str, suffix: str) -> Extra:
        rows = [np.concatenate([getattr(t.body, kind)[side] for side in SIDES]) for t in ticks]
        return Extra(tuple(name + suffix for name in names), np.stack(rows).astype(np.float32))

    return {
        "observation.joints": column("joints", ""),
        "observation.joint_speeds": column("speeds", "_per_s"),
    }


def _subtask_rows(ticks: tuple[Tick, ...], table: SubtaskTable) -> dict[str, NDArray[np.int64]]:
    """Rows (T,) per arm, and of the text both make together."""
    both = [training_text(tick.subtasks["left"], tick.subtasks["right"]) for tick in ticks]
    texts = {side: [tick.subtasks[side] for tick in ticks] for side in SIDES} | {"both": both}
    return {k: np.array([table.row(t) for t in v], np.int64) for k, v in texts.items()}
