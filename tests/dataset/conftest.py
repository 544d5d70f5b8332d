"""Episodes whose chunks are known, for the tests of this folder."""

import numpy as np
import pytest

from core.dataset.embodiments import HUMAN
from core.dataset.episode import Episode

# camera looking along +x of a z-up world: right = -y, down = -z, forward = x
LOOKING_AHEAD = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], dtype=float)


def still(frames, pose7=(0, 0, 0, 1, 0, 0, 0)):
    return np.tile(np.asarray(pose7, dtype=float), (frames, 1))


def episode_from(left=None, right=None, head=None, *, fps=30, grippers=None, **changes):
    """Poses ``(T, 7)`` each; the action is the next state and the last one is masked."""
    frames = next(len(p) for p in (left, right, head) if p is not None)
    left, right, head = (still(frames) if p is None else np.asarray(p) for p in (left, right, head))
    grip = np.zeros((frames, 2)) if grippers is None else np.asarray(grippers)
    state = np.concatenate([left, grip[:, :1], right, grip[:, 1:]], axis=1)
    both = np.concatenate([state, head], axis=1)
    embodiment = changes.get("embodiment", HUMAN)
    valid = np.ones((frames, 5), dtype=bool)
    valid[:, 1], valid[:, 3] = "left" in embodiment.grippers, "right" in embodiment.grippers
    action_valid = valid.copy()
    action_valid[-1] = False
    values = {
        "fps": fps,
        "task": "move the cup",
        "state": state,
        "head_pose": head,
        "action": np.concatenate([both[1:], both[-1:]]),
        "valid": valid,
        "action_valid": action_valid,
        "landmarks": np.zeros((frames, 102)),
        "landmarks_valid": np.zeros((frames, 34), dtype=bool),
        "camera_valid": np.tile([True, False, False], (frames, 1)),
        "subtask": np.zeros(frames, dtype=int),
        "subtask_left": np.zeros(frames, dtype=int),
        "subtask_right": np.zeros(frames, dtype=int),
        "map_id": np.zeros(frames, dtype=int),
        "timestamp_ns": np.round(np.arange(frames) * 1e9 / fps).astype(np.int64),
        "session": "test-session",
    }
    return Episode(**{**values, **changes})


@pytest.fixture(scope="session", name="episode_from")
def make_episode():
    return episode_from


@pytest.fixture(scope="session", name="looking_ahead")
def camera_looking_ahead():
    return LOOKING_AHEAD
