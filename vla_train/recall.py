"""What followed the moments of training most like this one: the second thing a policy starts from.

Soft nearest neighbours (Nadaraya-Watson) in state and picture, on top of going on as before. How
wide the neighbourhood is and how far it is trusted are measured on the training frames, each of
which recalls no moment within a chunk of its own. A network that starts from there has less to
learn by heart.
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vla_train.batches import ReadyFrames, spread
from vla_train.holdout import Split
from vla_train.likeness import Likeness
from vla_train.run_folder import write_atomically

KEPT = 4096  # training frames of an embodiment that are remembered, evenly spread
WIDTHS = (0.1, 0.2, 0.4, 0.8)  # of the neighbourhood; 1 is the spread of all training frames
AT_ONCE = 512
Floats = NDArray[np.float32]
Own = tuple[NDArray[np.int64], float]  # moments (N, 3), and how near in time is too near


@dataclass(frozen=True, eq=False, kw_only=True)
class Recall:
    """The memory of one embodiment. K remembered frames, F features.

    change: ``(K, H, 32)`` normalised chunk minus the prior it was recorded with, where ``mask``.
    moment: ``(K, 3)`` dataset, episode, tick.   trust: ``(32,)`` 0 ... 1 per slot.
    """

    likeness: Likeness
    features: Floats
    change: Floats
    mask: NDArray[np.bool_]
    moment: NDArray[np.int64]
    width: float
    trust: Floats

    def changes(self, features: Floats, own: Own | None = None) -> Floats:
        """What to add to the priors of N frames, ``(N, H, 32)``, before trust."""
        known = self.mask.reshape(len(self.mask), -1).astype(np.float32)
        values = self.change.reshape(len(self.change), -1) * known
        found = []
        for start in range(0, len(features), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            weight = self._weights(features[rows], own and (own[0][rows], own[1]))
            total = weight @ known
            found.append(np.where(total > 1e-6, weight @ values / np.maximum(total, 1e-6), 0.0))
        return np.concatenate(found).reshape(-1, *self.change.shape[1:]).astype(np.float32)

    def _weights(self, features: Floats, own: Own | None) -> Floats:
        squares = np.square(self.features).sum(axis=1) - 2.0 * features @ self.features.T
        squares += np.square(features).sum(axis=1, keepdims=True)
        if own is not None:
            moment, reach = own
            there = (moment[:, None, :2] == self.moment[:, :2]).all(axis=2)
            near = np.abs(moment[:, None, 2] - self.moment[:, 2]) <= reach
            squares[there & near] = np.inf
        least = squares.min(axis=1, keepdims=True)
        nearest = np.where(np.isfinite(least), least, 0.0)
        weight: Floats = np.exp(-(squares - nearest) / (2.0 * self.width**2)).astype(np.float32)
        return weight


def fit_recall(lessons: list[tuple[int, ReadyFrames, Split]]) -> Recall:
    """From the training frames of one embodiment: (dataset's number, frames with the labels to
    learn, split)."""
    rows = [np.flatnonzero(s.train & r.action_mask.any(axis=(1, 2))) for _, r, s in lessons]
    likeness = Likeness.fit([(r, k) for (_, r, _), k in zip(lessons, rows, strict=True)])
    pairs = [(n, r, k) for (n, r, _), k in zip(lessons, rows, strict=True)]
    moment = np.concatenate([moments(r, n)[k] for n, r, k in pairs])
    kept = spread(np.arange(len(moment)), KEPT)
    memory = Recall(
        likeness=likeness,
        features=np.concatenate([likeness.features(r, k) for _, r, k in pairs])[kept],
        change=np.concatenate([(r.actions - r.prior)[k] for _, r, k in pairs])[kept],
        mask=np.concatenate([r.action_mask[k] for _, r, k in pairs])[kept],
        moment=moment[kept],
        width=WIDTHS[0],
        trust=np.zeros(lessons[0][1].actions.shape[2], np.float32),
    )
    own = (memory.moment, reach_of(lessons[0][1]))
    tries = [_measured(replace(memory, width=width), own) for width in WIDTHS]
    return min(tries, key=lambda one: one[0])[1]


def _measured(memory: Recall, own: Own) -> tuple[float, Recall]:
    """The error on the remembered frames themselves, and the memory with the trust it deserves."""
    recalled = memory.changes(memory.features, own) * memory.mask
    true = memory.change * memory.mask
    square = np.square(recalled).sum(axis=(0, 1))
    trust = np.clip((recalled * true).sum(axis=(0, 1)) / np.maximum(square, 1e-6), 0.0, 1.0)
    error = np.square(true - trust * recalled).sum() / max(int(memory.mask.sum()), 1)
    return float(error), replace(memory, trust=trust.astype(np.float32))


def with_recall(ready: ReadyFrames, memory: Recall, own: Own | None = None) -> ReadyFrames:
    """The same frames, their priors moved by what is remembered."""
    features = memory.likeness.features(ready, np.arange(len(ready.table)))
    change = memory.trust * memory.changes(features, own)
    return replace(ready, prior=ready.prior + np.where(ready.owned[:, None], change, 0.0))


def own_moments(ready: ReadyFrames, split: Split, number: int) -> Own:
    """What keeps a training frame from recalling itself; held-out frames are in no memory."""
    moment = moments(ready, number)
    moment[~split.train] = -1
    return moment, reach_of(ready)


def moments(ready: ReadyFrames, number: int) -> NDArray[np.int64]:
    """Dataset, episode and tick of every frame, ``(N, 3)``."""
    table = ready.table
    return np.stack([np.full(len(table), number), table.episode, table.tick], axis=1)


def reach_of(ready: ReadyFrames) -> float:
    """Ticks from a frame to the end of its chunk."""
    return float(ready.table.step_ticks[-1])


def save_recall(memory: Recall, path: Path) -> None:
    """Write one embodiment's memory as ``.npz``."""
    buffer = io.BytesIO()
    spreads = np.array([memory.likeness.state_spread, memory.likeness.picture_spread])
    np.savez_compressed(
        buffer,
        spreads=spreads,
        features=memory.features,
        change=memory.change,
        mask=memory.mask,
        moment=memory.moment,
        width=memory.width,
        trust=memory.trust,
    )
    write_atomically(path, buffer.getvalue())


def load_recall(path: Path) -> Recall:
    """Back from `save_recall`."""
    with np.load(path, allow_pickle=False) as arrays:
        state_spread, picture_spread = arrays["spreads"].tolist()
        return Recall(
            likeness=Likeness(state_spread=state_spread, picture_spread=picture_spread),
            features=arrays["features"],
            change=arrays["change"],
            mask=arrays["mask"],
            moment=arrays["moment"],
            width=float(arrays["width"]),
            trust=arrays["trust"],
        )
