"""What an episode accepts, and what is stored where nothing was seen."""

from dataclasses import replace

import numpy as np
import pytest

from core.dataset.episode import fill_nearest, fill_poses, swap_sides
from core.dataset.subtasks import SubtaskTable, training_text
from core.errors import BadInputError


def test_nearest_valid_row_is_stored():
    values = np.arange(7.0)[:, None] * [1, 10]
    valid = np.array([False, True, False, False, True, False, False])
    filled = fill_nearest(values, valid, placeholder=[0, 0])
    assert filled[:, 0].tolist() == [1, 1, 1, 4, 4, 4, 4]
    assert filled[:, 1].tolist() == [10, 10, 10, 40, 40, 40, 40]


def test_a_tie_takes_the_earlier_row():
    filled = fill_nearest(np.arange(3.0)[:, None], np.array([True, False, True]), placeholder=[9])
    assert filled[:, 0].tolist() == [0, 0, 2]


def test_nothing_valid_stores_identity():
    filled = fill_poses(np.full((3, 7), np.nan), np.zeros(3, dtype=bool))
    assert filled.tolist() == [[0, 0, 0, 1, 0, 0, 0]] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": np.zeros((5, 15))}, "state has shape"),
        ({"head_pose": np.full((5, 7), np.nan)}, "head_pose holds NaN"),
        ({"head_pose": np.zeros((5, 7))}, "quaternions of head_pose"),
        ({"timestamp_ns": np.zeros(5, dtype=int)}, "does not rise"),
        ({"subtask_left": np.full(5, 1)}, "subtask_left names a row"),
        ({"subtask_texts": ("reach",)}, "row 0"),
        ({"fps": 0}, "fps 0"),
    ],
)
def test_wrong_arrays_are_refused(episode_from, change, message):
    episode = episode_from(left=np.tile([0, 0, 0, 1.0, 0, 0, 0], (5, 1)))
    with pytest.raises(BadInputError, match=message):
        replace(episode, **change)


def test_arrays_are_read_only_copies(episode_from):
    poses = np.tile([0, 0, 0, 1.0, 0, 0, 0], (5, 1))
    episode = episode_from(left=poses)
    with pytest.raises(ValueError, match="read-only"):
        episode.state[0] = 1


def test_swapping_sides_twice_changes_nothing(episode_from):
    rng = np.random.default_rng(0)
    episode = episode_from(
        left=np.tile([1, 0, 0, 1.0, 0, 0, 0], (5, 1)), grippers=rng.random((5, 2))
    )
    swapped = swap_sides(episode)
    np.testing.assert_array_equal(swapped.state[:, 8], 1)
    np.testing.assert_array_equal(swap_sides(swapped).action, episode.action)


def test_subtask_text():
    assert training_text("reach", "hold the cup") == "left: reach; right: hold the cup"
    assert training_text("", "hold the cup ") == "right: hold the cup"
    assert training_text("reach", "", both="fold the towel") == "fold the towel"
    assert not training_text("", "")


def test_subtask_rows_are_stable_and_row_zero_is_unlabelled():
    table = SubtaskTable()
    assert [table.row(t) for t in ("reach", "", "grasp", "reach")] == [1, 0, 2, 1]
    assert table.texts == ["", "reach", "grasp"]
