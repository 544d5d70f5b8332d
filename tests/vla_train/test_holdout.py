"""No instant of a held-out stretch is seen by training."""

import numpy as np
import pytest

from core.dataset.chunks import ChunkSettings
from core.errors import BadInputError
from vla_train.config import HoldoutConfig
from vla_train.frames import load_frames
from vla_train.holdout import block_starts, split_frames


@pytest.fixture
def one_take(toy_datasets):
    """A single episode of 80 frames at 5 Hz."""
    source = type(toy_datasets["human"])(count=1, frames=80)
    settings = ChunkSettings(steps=10, duration_s=1.0)
    return load_frames(source, name="take", settings=settings, image_px=32)


def test_blocks_share_no_instant_with_training(one_take):
    split = split_frames(one_take, HoldoutConfig(fraction=0.3))
    ends = one_take.tick[:, None] + one_take.step_ticks
    held = {t for row in np.flatnonzero(split.held_out) for t in range(row, int(ends[row, -1]) + 1)}
    learned = set(np.flatnonzero(split.train).tolist())
    for row in np.flatnonzero(split.train):
        reach = ends[row][split.label_mask[row] & one_take.chunk_mask[row].any(axis=1)]
        learned |= set(range(row, int(np.ceil(reach.max())) + 1)) if len(reach) else set()
    assert len(held) > 10
    assert held.isdisjoint(learned)


def test_training_goes_right_up_to_the_block_with_shorter_chunks(one_take):
    split = split_frames(one_take, HoldoutConfig(fraction=0.3))
    start = split.description["blocks"][0]["start"]
    assert split.label_mask[start - 6].all()
    assert split.label_mask[start - 3].sum() == 4  # two ticks of five per second, ten steps
    assert not split.train[start - 1]  # not one step left to learn from
    assert split.train[start - 2]


def test_held_out_chunks_are_whole_and_counted(one_take):
    split = split_frames(one_take, HoldoutConfig(fraction=0.3))
    assert one_take.chunk_mask[split.held_out].any(axis=2).all()
    assert split.description["held_out_frames"] == split.held_out.sum() > 0
    assert not (split.train & split.held_out).any()


def test_enough_episodes_are_held_out_whole(toy_datasets):
    table = load_frames(
        toy_datasets["robot"], name="r", settings=ChunkSettings(steps=5), image_px=32
    )
    split = split_frames(table, HoldoutConfig(fraction=0.2))
    chosen = split.description["episodes"]
    assert len(chosen) == 12
    assert set(table.episode[split.held_out]) == set(chosen)
    assert set(table.episode[split.train]).isdisjoint(chosen)


def test_short_recordings_are_refused_with_the_length_needed(toy_datasets):
    source = type(toy_datasets["human"])(count=1, frames=14)
    table = load_frames(source, name="blink", settings=ChunkSettings(steps=5), image_px=32)
    with pytest.raises(BadInputError, match=r"blink: too short .* 9 frames .*--chunk-seconds"):
        split_frames(table, HoldoutConfig())


def test_blocks_are_spread_evenly():
    assert block_starts(300, length=46, fraction=0.3) == [52, 202]
    assert block_starts(100, length=46, fraction=0.2) == []


def test_repeated_demonstrations_lose_different_parts():
    starts = [block_starts(100, length=20, fraction=0.2, turn=turn)[0] for turn in range(5)]
    assert all(0 <= start <= 80 for start in starts)
    gaps = np.diff(sorted(starts))
    assert gaps.min() >= 10
