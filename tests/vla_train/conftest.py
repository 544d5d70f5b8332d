"""A toy world whose right chunk is a function of what is seen.

Each hand glides towards its own goal, closing a fixed fraction of the distance every tick. The
goals are random per episode and appear only in the head image, as a red (left) and a blue (right)
square.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from core.dataset.chunks import ChunkSettings
from core.dataset.embodiments import HUMAN, TWO_ARM_ROBOT
from core.dataset.episode import Episode
from vla_train.config import AugmentConfig, TrainConfig, debug

FPS = 5
IMAGE_PX = 32
CLOSING = 0.75  # of the remaining distance stays per tick
REACH_M = 0.2
TOY_CHUNK = ChunkSettings(steps=5, duration_s=1.0)


def glide(rng, frames):
    """Goals (2, 3) and positions (frames + 1, 2, 3) of both hands, metres."""
    centre = np.array([[-0.2, 0.1, 0.5], [0.2, 0.1, 0.5]])
    goals = centre + rng.uniform(-1, 1, (2, 3)) * [REACH_M, REACH_M, 0.0]
    start = centre + rng.uniform(-1, 1, (2, 3)) * [REACH_M, REACH_M, 0.05]
    decay = CLOSING ** np.arange(frames + 1)[:, None, None]
    return goals, goals + (start - goals) * decay


def pose_rows(positions):
    """Positions (T, 3) as poses whose yaw follows x, (T, 7)."""
    half = positions[:, 0]
    zero = np.zeros_like(half)
    quat = np.stack([np.cos(half), zero, zero, np.sin(half)], axis=1)
    return np.concatenate([positions, quat], axis=1)


def glide_episode(rng, embodiment, frames=8, camera_valid=(True, False, False), fps=FPS):
    """One episode and the goals that its picture shows."""
    goals, track = glide(rng, frames)
    poses = [pose_rows(track[:, side]) for side in range(2)]
    grip = [np.linalg.norm(track[:, s] - goals[s], axis=1, keepdims=True) < 0.1 for s in range(2)]
    arms = np.concatenate([poses[0], grip[0], poses[1], grip[1]], axis=1)
    has_grip = embodiment.kind == "robot"
    level = [0.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0]  # a base: x forward, z up
    looking = [0.0, 0.0, 1.5, 0.5, -0.5, 0.5, -0.5]  # a camera: z forward, y down
    head = np.tile(level if has_grip else looking, (frames, 1))
    valid = np.tile([True, has_grip, True, has_grip, True], (frames, 1))
    return goals, Episode(
        fps=fps,
        task="glide to the squares",
        state=arms[:frames],
        head_pose=head,
        action=np.concatenate([arms[1:], head], axis=1),
        valid=valid,
        action_valid=valid,
        landmarks=np.zeros((frames, 102)),
        landmarks_valid=np.zeros((frames, 34), dtype=bool),
        camera_valid=np.tile(camera_valid, (frames, 1)),
        subtask=np.ones(frames, dtype=int),
        subtask_left=np.zeros(frames, dtype=int),
        subtask_right=np.zeros(frames, dtype=int),
        map_id=np.zeros(frames, dtype=int),
        timestamp_ns=np.arange(frames) * (10**9 // fps),
        subtask_texts=("", "left: reach red; right: reach blue"),
        embodiment=embodiment,
        session=f"toy-{embodiment.name}",
    )


def picture(goals):
    """The head image, (64, 64, 3): squares where the goals are."""
    image = np.full((64, 64, 3), 60, dtype=np.uint8)
    for goal, colour in zip(goals, ((230, 30, 30), (30, 60, 240)), strict=True):
        column, row = np.round(32 + np.array([goal[0] / 0.45, (goal[1] - 0.1) / 0.3]) * 26).astype(
            int
        )
        image[row - 4 : row + 5, column - 4 : column + 5] = colour
    return image


@dataclass
class ToySource:
    """What `vla_train.frames` needs of a dataset reader, in memory."""

    embodiment: object = HUMAN
    count: int = 60
    frames: int = 8
    seed: int = 0
    fps: int = FPS
    camera_valid: tuple = (True, False, False)
    episodes: list = field(init=False)

    def __post_init__(self):
        rng = np.random.default_rng((self.seed, self.embodiment.kind == "robot"))
        made = [
            glide_episode(rng, self.embodiment, self.frames, self.camera_valid, self.fps)
            for _ in range(self.count)
        ]
        self.episodes = [episode for _, episode in made]
        self._pictures = [picture(goals) for goals, _ in made]

    def images(self, camera, indices):
        assert camera == "head", "the toy has no wrist cameras"
        return np.stack([self._pictures[i // self.frames] for i in indices])


@pytest.fixture(scope="session")
def toy_datasets():
    """Two toy datasets by name: what a run opens instead of folders."""
    return {"human": ToySource(HUMAN), "robot": ToySource(TWO_ARM_ROBOT)}


@pytest.fixture
def opener(toy_datasets):
    return toy_datasets.__getitem__


@pytest.fixture(scope="session")
def toy_settings():
    """A short run on both toy datasets; tests give it a folder."""
    config = TrainConfig(
        datasets=("human", "robot"),
        run="unset",
        steps=20,
        threads=1,
        chunk=TOY_CHUNK,
        augment=AugmentConfig(shift_fraction=0.0),
    )
    return debug(config)


@pytest.fixture
def toy_config(toy_settings, tmp_path):
    return replace(toy_settings, run=str(tmp_path / "run"))
