"""What a policy has to beat: staying still, and repeating the most similar training frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_train.batches import ReadyFrames
from vla_train.holdout import Split
from vla_train.still import stay_still

THUMBNAIL_PX = 8
Chunks = NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class NearestNeighbour:
    """Repeats the chunk of the training frame nearest in state and picture.

    Distance: the normalised state and 8 x 8 pixel thumbnails of every camera, each of the two
    divided by its own spread over the training frames, so that both count alike. Only training
    frames whose labels are complete are candidates, if there are any. What a neighbour does not
    know stays still.
    """

    state_spread: float
    picture_spread: float
    features: NDArray[np.float32]
    chunk: Chunks
    mask: NDArray[np.bool_]

    @staticmethod
    def fit(training: list[tuple[ReadyFrames, Split]]) -> "NearestNeighbour":
        """From the training frames of one embodiment."""
        rows = [candidates(ready, split) for ready, split in training]
        pairs = [(ready, r) for (ready, _), r in zip(training, rows, strict=True)]
        states = np.concatenate([ready.state[r] for ready, r in pairs])
        pictures = np.concatenate([thumbnails(ready, r) for ready, r in pairs])
        spreads = _spread(states), _spread(pictures)
        labels = [
            ready.action_mask[r] & split.label_mask[r, :, None]
            for (ready, split), r in zip(training, rows, strict=True)
        ]
        return NearestNeighbour(
            state_spread=spreads[0],
            picture_spread=spreads[1],
            features=np.concatenate([states / spreads[0], pictures / spreads[1]], axis=1),
            chunk=np.concatenate([ready.table.chunk[r] for ready, r in pairs]),
            mask=np.concatenate(labels),
        )

    def predict(self, ready: ReadyFrames, rows: NDArray[np.int64]) -> Chunks:
        """Chunks ``(N, H, 32)`` in metres and radians."""
        state = ready.state[rows] / self.state_spread
        query = np.concatenate([state, thumbnails(ready, rows) / self.picture_spread], axis=1)
        squares = np.square(self.features).sum(axis=1)
        nearest = (squares - 2.0 * query @ self.features.T).argmin(axis=1)
        still = stay_still(ready.table)[rows, None]
        return np.where(self.mask[nearest], self.chunk[nearest], still)


def candidates(ready: ReadyFrames, split: Split) -> NDArray[np.int64]:
    """Training rows with labels at every step of every slot they can be asked for."""
    labels = ready.action_mask & split.label_mask[:, :, None]
    complete = (labels | ~ready.owned[:, None]).all(axis=(1, 2)) & labels.any(axis=(1, 2))
    rows = np.flatnonzero(split.train & complete)
    return rows if len(rows) else np.flatnonzero(split.train)


def thumbnails(ready: ReadyFrames, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Block means of every camera's image, ``(N, 576)`` in 0 ... 1; an absent one is 0."""
    images = ready.table.images[rows]
    block = images.shape[2] // THUMBNAIL_PX
    shape = (len(rows), 3, THUMBNAIL_PX, block, THUMBNAIL_PX, block, 3)
    small = images.reshape(shape).mean(axis=(3, 5), dtype=np.float32)
    return small.reshape(len(rows), -1) / np.float32(255.0)


def _spread(values: NDArray[np.float32]) -> float:
    """Root of the summed variance; 1 where nothing varies."""
    total = float(np.sqrt(values.var(axis=0).sum()))
    return total if total > 1e-6 else 1.0
