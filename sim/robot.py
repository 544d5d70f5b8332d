"""`handoff sim robot`: scripted episodes of a two-arm robot as a LeRobot v3 dataset.

The same tasks, things and words as the human's; a thing is carried rigidly while jaws hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.dataset.embodiments import IDENTITY_POSE7, Embodiment, write_embodiment
from core.dataset.episode import CAMERAS, GRIPPER_COLUMN, POSE_COLUMNS, Episode
from core.dataset.lerobot_writer import DatasetWriter
from core.dataset.subtasks import SubtaskTable, training_text
from core.errors import BadInputError
from core.session.stage import NO_PROGRESS, Progress
from sim.arms import SIDES, ArmStyle, find_style
from sim.gripper import Gripper
from sim.plan import Plan, make_episode
from sim.robot_stage import Motion, RobotStage
from sim.tasks import Task, make_task

Array = NDArray[np.float64]

IMAGE_WH = (320, 240)
ORIGIN_NS = 1_000_000_000_000


@dataclass(frozen=True)
class RobotReport:
    """What was made."""

    root: str
    robot: str
    task: str
    episodes: int
    frames: int


def record_robot(
    out: str | Path,
    *,
    task: str = "blocks_to_tray",
    episodes: int = 4,
    seed: int = 0,
    robot: str = "alder",
    fps: int = 10,
    size_wh: tuple[int, int] = IMAGE_WH,
    progress: Progress = NO_PROGRESS,
) -> RobotReport:
    """Write ``episodes`` demonstrations as the dataset ``out`` (must not exist)."""
    if episodes < 1:
        raise BadInputError(f"episodes is {episodes}; give 1 or more")
    style = find_style(robot)
    cameras = dict.fromkeys(CAMERAS, (size_wh[1], size_wh[0]))
    key = f"{task} {seed} {robot} {fps} {size_wh}"
    writer = DatasetWriter(out, fps=fps, cameras=cameras, key=key)
    progress.total(episodes, "episodes")
    frames = 0
    for index in range(episodes):
        rngs = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, index]).spawn(3)]
        layout = make_task(task, rngs[0])
        plan = make_episode(layout, Gripper(style), rng=rngs[1])
        times = np.arange(0.0, plan.seconds, 1.0 / fps)
        with RobotStage(layout, plan, style, size_wh=size_wh, rng=rngs[2]) as stage:
            motion = stage.follow(np.append(times, times[-1] + 1.0 / fps))
            episode = robot_episode(layout, plan, motion, style=style, times=times, fps=fps)
            films = {camera: stage.film(camera, times, motion) for camera in cameras}
            writer.add_episode(episode, films, index=index)
        frames += len(times)
        progress.advance()
    generator = {"command": "handoff sim robot", "task": task, "seed": seed, "robot": robot}
    root = writer.finish(
        redaction="synthetic: no real person or screen is shown", extra={"generator": generator}
    )
    write_embodiment(embodiment_of(style), root / "meta" / "embodiment.toml")
    return RobotReport(str(out), robot, task, episodes, frames)


def embodiment_of(style: ArmStyle) -> Embodiment:
    """A static two-arm robot: no base, no head; tool frames are built as palm frames."""
    identity = dict.fromkeys(SIDES, IDENTITY_POSE7)
    note = "synthetic; the tool point lies between the jaws, 10 mm behind their tips"
    return Embodiment(
        name=style.name, kind="robot", grippers=SIDES, tool_from_palm=identity, note=note
    )


def robot_episode(
    task: Task, plan: Plan, motion: Motion, *, style: ArmStyle, times: Array, fps: int
) -> Episode:
    """The dataset's columns for T ticks; ``motion`` has one tick more, the last target."""
    count = len(times)
    state = np.zeros((count, 16), np.float32)
    action = np.zeros((count, 23), np.float32)
    for side in SIDES:
        poses = motion.base_from_tool[side].to_pose7()
        state[:, POSE_COLUMNS[side]], action[:, POSE_COLUMNS[side]] = poses[:-1], poses[1:]
        state[:, GRIPPER_COLUMN[side]] = motion.gripper[side][:-1]
        action[:, GRIPPER_COLUMN[side]] = motion.gripper[side][1:]
    action[:, 16:23] = IDENTITY_POSE7
    table = SubtaskTable()
    rows = _subtask_rows(plan, times, table)
    return Episode(
        fps=fps,
        task=task.text,
        state=state,
        head_pose=np.tile(np.array(IDENTITY_POSE7, np.float32), (count, 1)),
        action=action,
        valid=np.ones((count, 5), bool),
        action_valid=np.ones((count, 5), bool),
        landmarks=np.zeros((count, 102), np.float32),
        landmarks_valid=np.zeros((count, 34), bool),
        camera_valid=np.ones((count, 3), bool),
        subtask=rows["both"],
        subtask_left=rows["left"],
        subtask_right=rows["right"],
        map_id=np.zeros(count, np.int64),
        timestamp_ns=ORIGIN_NS + np.round(times * 1e9).astype(np.int64),
        subtask_texts=tuple(table.texts),
        embodiment=embodiment_of(style),
        session=f"{style.name}-{task.name}",
        success=plan.episodes[0][2],
    )


def _subtask_rows(plan: Plan, times: Array, table: SubtaskTable) -> dict[str, NDArray[np.int64]]:
    """Rows (T,) per arm, and of the text both make together."""
    texts = {side: np.full(len(times), "", object) for side in SIDES}
    for label in plan.labels:
        during = (times >= label.start_s) & (times < label.end_s)
        texts[label.arm][during] = label.text
    both = [training_text(a, b) for a, b in zip(texts["left"], texts["right"], strict=True)]
    columns = {"left": texts["left"], "right": texts["right"], "both": both}
    return {k: np.array([table.row(t) for t in v], np.int64) for k, v in columns.items()}
