"""What training never sees. No instant of a held-out stretch enters training, as picture or as
label.

With enough episodes whole ones are held out, evenly spread. Otherwise blocks of time are: training
chunks that would reach into a block lose those steps, training resumes after it, and only chunks
that end inside the block are evaluated. So the gap between the last label of training and the first
held-out frame, and between the last held-out label and the next training frame, is at least one
tick.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from vla_train.config import HoldoutConfig
from vla_train.frames import FrameTable

GOLDEN = 0.618034  # turns by it never come close to one another


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """train, held_out: ``(N,)`` bool, disjoint.
    label_mask: ``(N, H)`` steps training may learn from.

    description: the protocol in words and numbers, for the run's record.
    """

    train: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    label_mask: NDArray[np.bool_]
    description: dict[str, Any]


def split_frames(table: FrameTable, config: HoldoutConfig) -> Split:
    """Split by episodes if there are enough, else by time blocks; frames without labels drop."""
    episodes = int(table.episode.max()) + 1
    whole = episodes >= config.min_episodes
    split = _by_episodes(table, config) if whole else _by_blocks(table, config)
    labelled = table.chunk_mask.any(axis=2)
    learnable = (labelled & split.label_mask).any(axis=1)
    train, held_out = split.train & learnable, split.held_out & labelled.any(axis=1)
    if not train.any() or not held_out.any():
        raise BadInputError(
            f"{table.name}: {int(train.sum())} training and {int(held_out.sum())} held-out frames "
            "with a valid chunk; record longer or shorten the chunk"
        )
    counts = {"train_frames": int(train.sum()), "held_out_frames": int(held_out.sum())}
    return Split(
        train=train,
        held_out=held_out,
        label_mask=split.label_mask,
        description={**split.description, **counts},
    )


def label_rows(split: Split, shuffle_seed: int | None) -> NDArray[np.int64]:
    """Whose chunk every frame learns ``(N,)``: its own, or under a seed another frame's."""
    own = np.arange(len(split.train))
    if shuffle_seed is None:
        return own
    rows = np.flatnonzero(split.train)
    own[rows] = np.random.default_rng(shuffle_seed).permutation(rows)
    return own


def _by_episodes(table: FrameTable, config: HoldoutConfig) -> Split:
    episodes = int(table.episode.max()) + 1
    count = max(1, round(config.fraction * episodes))
    chosen = np.floor((np.arange(count) + 0.5) * episodes / count).astype(np.int64)
    held_out = np.isin(table.episode, chosen)
    return Split(
        train=~held_out,
        held_out=held_out,
        label_mask=np.ones(table.chunk_mask.shape[:2], dtype=bool),
        description={"protocol": "whole episodes", "episodes": chosen.tolist(), "of": episodes},
    )


def _by_blocks(table: FrameTable, config: HoldoutConfig) -> Split:
    span = float(table.step_ticks[-1])
    length = int(np.ceil(config.block_chunks * span)) + 1
    held_out = np.zeros(len(table), dtype=bool)
    train = np.ones(len(table), dtype=bool)
    ends = table.tick[:, None] + table.step_ticks  # last tick that a step's label touches
    label_mask = np.ones(ends.shape, dtype=bool)
    blocks = []
    for episode in np.unique(table.episode):
        rows = table.episode == episode
        for start in block_starts(
            int(rows.sum()), length=length, fraction=config.fraction, turn=int(episode)
        ):
            stop = start + length
            inside = rows & (table.tick >= start) & (table.tick < stop)
            held_out |= inside & (table.tick + span <= stop - 1)
            train &= ~inside
            before = rows & (table.tick < start)
            label_mask[before] &= ends[before] <= start - 1
            blocks.append({"episode": int(episode), "start": start, "stop": stop})
    if not blocks:
        raise BadInputError(
            f"{table.name}: too short to hold anything out: a block needs {length} frames "
            "and twice as many to train on; record longer, add episodes, or shorten the chunk with "
            "--chunk-seconds"
        )
    return Split(
        train=train,
        held_out=held_out,
        label_mask=label_mask,
        description={"protocol": "time blocks, ticks start <= t < stop", "blocks": blocks},
    )


def block_starts(frames: int, *, length: int, fraction: float, turn: int = 0) -> list[int]:
    """Starts of evenly spread blocks; none where less than two thirds would remain.

    turn: the episode's number. Blocks lie elsewhere in every episode, or repeated demonstrations
    would all lose the same part of the task.
    """
    count = round(fraction * frames / length)
    if count == 0 and frames >= 3 * length:
        count = 1
    slot = frames / max(count, 1)
    place = (0.5 + turn * GOLDEN) % 1.0
    return [round(k * slot + place * (slot - length)) for k in range(count)]
