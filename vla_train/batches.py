"""Frames to batches: normalised arrays of every dataset, and the rows of a step put together."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from vla_train.carry_on import carry_on
from vla_train.config import AugmentConfig
from vla_train.frames import FrameTable
from vla_train.holdout import Split, label_rows
from vla_train.normalise import EmbodimentScale, Normalisation
from vla_train.policy import Batch
from vla_train.text import WordTokenizer
from vla_train.transforms import DisturbState, JitterColour, ShiftHeadImage


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadyFrames:
    """A dataset as a policy takes it: normalised, tokenised. Rows are those of its table.

    actions, action_mask: ``(N, H, 32)``.   owned: ``(N, 32)`` slots that can be asked for now.
    prior: ``(N, H, 32)`` the normalised chunk of going on as one was.
    """

    table: FrameTable
    scale: EmbodimentScale
    embodiment_row: int
    state: NDArray[np.float32]
    actions: NDArray[np.float32]
    action_mask: NDArray[np.bool_]
    owned: NDArray[np.bool_]
    prior: NDArray[np.float32]
    tokens: NDArray[np.int64]

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows."""
        table = self.table
        images = table.images[rows].transpose(0, 1, 4, 2, 3).astype(np.float32) / 127.5 - 1.0
        return Batch(
            images=torch.from_numpy(images),
            camera_valid=torch.from_numpy(table.camera_valid[rows]),
            tokens=torch.from_numpy(self.tokens[table.text[rows]]),
            state=torch.from_numpy(self.state[rows]),
            state_valid=torch.from_numpy(table.state_valid[rows]),
            owned=torch.from_numpy(self.owned[rows]),
            prior=torch.from_numpy(self.prior[rows]),
            actions=torch.from_numpy(self.actions[rows]),
            action_mask=torch.from_numpy(self.action_mask[rows]),
            embodiment=torch.full((len(rows),), self.embodiment_row),
        )


def make_ready(
    table: FrameTable, normalisation: Normalisation, *, tokenizer: WordTokenizer
) -> tuple[ReadyFrames, int]:
    """Normalise and tokenise a table. Also returns how many of its texts had to be cut."""
    scale = normalisation.of(table.embodiment.name)
    names = [known.name for known in normalisation.scales]
    mask = table.chunk_mask & scale.action.known
    owned = mask.any(axis=1)
    tokens, cut = tokenizer.encode(table.texts)
    ready = ReadyFrames(
        table=table,
        scale=scale,
        embodiment_row=names.index(scale.name),
        state=scale.state_in(table.state, table.state_valid),
        actions=scale.actions_in(table.chunk, mask),
        action_mask=mask,
        owned=owned,
        prior=scale.actions_in(carry_on(table, scale.momentum), owned[:, None]),
        tokens=tokens,
    )
    return ready, cut


def for_training(ready: ReadyFrames, split: Split, *, shuffle_seed: int | None) -> ReadyFrames:
    """Labels cut to what training may see; under a seed, exchanged among its training frames."""
    mask = ready.action_mask & split.label_mask[:, :, None]
    actions = np.where(mask, ready.actions, np.float32(0.0))
    rows = label_rows(split, shuffle_seed)
    actions, mask = actions[rows], mask[rows]
    return replace(ready, actions=actions, action_mask=mask, owned=mask.any(axis=1))


def join(batches: list[Batch]) -> Batch:
    """One batch out of several."""
    names = Batch.__dataclass_fields__
    return Batch(**{name: torch.cat([getattr(b, name) for b in batches]) for name in names})


def spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most ``count`` of the rows, evenly spread."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)]


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Every training-time transform, in order."""

    config: AugmentConfig

    def __call__(self, batch: Batch) -> Batch:
        """Shift, colour, state noise."""
        config = self.config
        batch = ShiftHeadImage(fraction=config.shift_fraction)(batch)
        batch = JitterColour(
            brightness=config.brightness, contrast=config.contrast, saturation=config.saturation
        )(batch)
        return DisturbState(deviation=config.state_noise)(batch)
