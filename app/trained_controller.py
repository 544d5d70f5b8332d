"""A trained run as what drives a robot in the simulator's closed loop.

Every observation becomes a short episode of the dataset's own kind and goes the way of training
data: same state, history, pictures, text and scales. The chunk comes back as poses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.chunks import ChunkSettings, CurrentPoses, decode_chunk
from core.dataset.embodiments import SIDES, Embodiment
from core.dataset.episode import CAMERAS, GRIPPER_COLUMN, POSE_COLUMNS, Episode
from core.dataset.lerobot_reader import Dataset
from core.dataset.subtasks import SubtaskTable, training_text
from core.errors import BadInputError
from core.geometry.se3 import SE3
from sim.robots.controller import Observation, Setting, Targets, standing
from sim.robots.dataset import embodiment_of
from sim.robots.workcell import Body
from vla_train.batches import make_ready
from vla_train.checkpoint import load_checkpoint
from vla_train.config import TrainConfig
from vla_train.frames import load_frames
from vla_train.loop import use_cores
from vla_train.normalise import Normalisation
from vla_train.policy import Policy
from vla_train.predict import load_policy, sample_chunks
from vla_train.recall import Recall, load_recall, with_recall
from vla_train.run_folder import RunFolder
from vla_train.text import WordTokenizer


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A run ready to be asked."""

    config: TrainConfig
    policy: Policy
    normalisation: Normalisation
    recall: Recall


def data_of(run: str | Path, robot: str) -> tuple[int, tuple[int, int]]:
    """(frames per second, picture size) of the data of this robot that a run was trained on."""
    config = RunFolder(Path(run)).config()
    names = []
    for path in config.datasets:
        dataset = Dataset(path)
        names += [body.name for body in dataset.embodiments]
        if robot in names:
            shape = dataset.info["features"][f"observation.images.{CAMERAS[0]}"]["shape"]
            return dataset.fps, (shape[1], shape[0])
    raise BadInputError(
        f"{run}: was not trained on {robot!r}, only on {', '.join(dict.fromkeys(names))}; "
        "give --robot one of these, or train with its data"
    )


def name_of(run: str | Path) -> str:
    """The run's folder and a hash of its newest weights, so that a new training is another one."""
    weights = sorted(RunFolder(Path(run)).checkpoints.glob("step-*/model.safetensors"))
    if not weights:
        raise BadInputError(f"{run}: holds no checkpoint; train it: handoff train")
    digest = hashlib.sha256(weights[-1].read_bytes()).hexdigest()
    return f"{Path(run).name} {weights[-1].parent.name} {digest[:12]}"


@lru_cache(maxsize=2)
def open_run(run: str, robot: str) -> Trained:
    """Load a run's newest weights; once per process."""
    folder = RunFolder(Path(run))
    config = folder.config()
    use_cores(config.threads)
    normalisation = load_checkpoint(folder).normalisation
    number = [scale.name for scale in normalisation.scales].index(robot)
    return Trained(
        config=config,
        policy=load_policy(folder, config),
        normalisation=normalisation,
        recall=load_recall(folder.recall(number)),
    )


@dataclass(frozen=True)
class FromRun:
    """Makes the controller of a run; pickles as its path. samples: chunks averaged per question."""

    run: str
    samples: int = 4

    def __call__(self, setting: Setting) -> TrainedController:
        return TrainedController(
            open_run(self.run, setting.build.name), setting, samples=self.samples
        )


class TrainedController:
    """Asks a policy for chunks. Randomness comes from the episode's own generator."""

    sees = True

    def __init__(self, trained: Trained, setting: Setting, *, samples: int) -> None:
        self._trained, self._samples, self._rng = trained, samples, setting.rng
        self._embodiment = embodiment_of(setting.build)
        config = trained.config
        self._tokenizer = WordTokenizer(rows=config.text_rows, max_tokens=config.max_tokens)

    def act(self, observation: Observation) -> Targets:
        """One chunk as targets in the desk frame."""
        config = self._trained.config
        source = _Moment.of(observation, self._embodiment, config)
        table = load_frames(
            source,
            name="rollout",
            settings=config.chunk,
            image_px=config.image_px,
            history_s=config.history_s,
        )
        ready, _ = make_ready(table, self._trained.normalisation, tokenizer=self._tokenizer)
        ready = with_recall(ready, self._trained.recall)
        now = np.array([source.now])
        seed = int(self._rng.integers(2**31))
        chunk = sample_chunks(self._trained.policy, ready, now, samples=self._samples, seed=seed)[0]
        mask = np.broadcast_to(ready.owned[source.now], chunk.shape)
        seconds = table.step_ticks / observation.fps
        return targets_of(chunk, mask, body=observation.body, settings=config.chunk, at_s=seconds)


def targets_of(
    chunk: NDArray[Any],
    mask: NDArray[np.bool_],
    *,
    body: Body,
    settings: ChunkSettings,
    at_s: NDArray[np.float64],
) -> Targets:
    """A chunk (H, 32) in metres and radians as poses; what is masked stays as it is."""
    current = CurrentPoses(
        head_from_palm=body.base_from_tool, world_from_head=body.world_from_base, kind="robot"
    )
    found = decode_chunk(chunk, mask, current=current, settings=settings)
    stays = standing(body)
    steps = len(chunk)
    base = SE3.stack([stays.world_from_base] * steps)
    if found.world_from_head is not None and found.head_valid.all():
        base = found.world_from_head
    seen_from = base if settings.reference == "per_tick" else stays.world_from_base
    tools, closed = {}, {}
    for side in SIDES:
        tools[side] = SE3.stack([stays.world_from_tool[side]] * steps)
        if found.palm_valid[side].all():
            tools[side] = seen_from @ found.head_from_palm[side]
        known = found.gripper_valid[side]
        closed[side] = np.clip(np.where(known, found.gripper[side], body.closed[side]), 0.0, 1.0)
    return Targets(seconds=at_s, world_from_tool=tools, closed=closed, world_from_base=base)


@dataclass(frozen=True, eq=False)
class _Moment:
    """A frame source of one short episode: the past a state needs, now, and standing still after.

    The still future only says which slots are the robot's own; no policy sees it.
    """

    episode: Episode
    pictures: dict[str, NDArray[np.uint8]]
    now: int

    @classmethod
    def of(cls, seen: Observation, embodiment: Embodiment, config: TrainConfig) -> _Moment:
        scale = config.chunk.time_scale * embodiment.time_scale
        past = 1 + max((round(s * seen.fps / scale) for s in config.history_s), default=0)
        ahead = 1 + int(np.ceil(config.chunk.duration_s * seen.fps / scale))
        bodies = seen.bodies[-past:]
        now = len(bodies) - 1
        rows = [*bodies, *[bodies[-1]] * ahead]
        episode = _episode(rows, seen, embodiment=embodiment, now=now)
        return cls(episode, seen.images, now)

    @property
    def episodes(self) -> list[Episode]:
        return [self.episode]

    def images(self, camera: str, indices: Sequence[int]) -> NDArray[np.uint8]:
        return np.stack([self.pictures[camera] for _ in indices])


def _episode(bodies: list[Body], seen: Observation, *, embodiment: Embodiment, now: int) -> Episode:
    count = len(bodies)
    state = np.zeros((count, 16))
    for side in SIDES:
        state[:, POSE_COLUMNS[side]] = SE3.stack([
            body.base_from_tool[side] for body in bodies
        ]).to_pose7()
        state[:, GRIPPER_COLUMN[side]] = [body.closed[side] for body in bodies]
    base = SE3.stack([body.world_from_base for body in bodies]).to_pose7()
    both = np.concatenate([state, base], axis=1)
    camera_valid = np.zeros((count, len(CAMERAS)), bool)
    camera_valid[now] = [camera in seen.images for camera in CAMERAS]
    table = SubtaskTable()
    texts = [*(seen.subtasks[side] for side in SIDES)]
    rows = [table.row(text) for text in (training_text(*texts), *texts)]
    return Episode(
        fps=seen.fps,
        task=seen.task,
        state=state.astype(np.float32),
        head_pose=base.astype(np.float32),
        action=np.concatenate([both[1:], both[-1:]]).astype(np.float32),
        valid=np.ones((count, 5), bool),
        action_valid=np.ones((count, 5), bool),
        landmarks=np.zeros((count, 102), np.float32),
        landmarks_valid=np.zeros((count, 34), bool),
        camera_valid=camera_valid,
        subtask=np.full(count, rows[0]),
        subtask_left=np.full(count, rows[1]),
        subtask_right=np.full(count, rows[2]),
        map_id=np.zeros(count, np.int64),
        timestamp_ns=np.arange(count) * (1_000_000_000 // seen.fps),
        subtask_texts=tuple(table.texts),
        embodiment=embodiment,
    )
