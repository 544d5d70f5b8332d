"""What a policy has to beat: staying still, and repeating the most similar training frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_train.batches import ReadyFrames
from vla_train.holdout import Split
from vla_train.likeness import Likeness
from vla_train.still import stay_still

Chunks = NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class NearestNeighbour:
    """Repeats the chunk of the training frame nearest in state and picture.

    Only training frames whose labels are complete are candidates, if there are any. What a
    neighbour does not know stays still.
    """

    likeness: Likeness
    features: NDArray[np.float32]
    chunk: Chunks
    mask: NDArray[np.bool_]

    @staticmethod
    def fit(training: list[tuple[ReadyFrames, Split]]) -> "NearestNeighbour":
        """From the training frames of one embodiment."""
        rows = [candidates(ready, split) for ready, split in training]
        pairs = [(ready, r) for (ready, _), r in zip(training, rows, strict=True)]
        likeness = Likeness.fit(pairs)
        labels = [
            ready.action_mask[r] & split.label_mask[r, :, None]
            for (ready, split), r in zip(training, rows, strict=True)
        ]
        return NearestNeighbour(
            likeness=likeness,
            features=np.concatenate([likeness.features(ready, r) for ready, r in pairs]),
            chunk=np.concatenate([ready.table.chunk[r] for ready, r in pairs]),
            mask=np.concatenate(labels),
        )

    def predict(self, ready: ReadyFrames, rows: NDArray[np.int64]) -> Chunks:
        """Chunks ``(N, H, 32)`` in metres and radians."""
        query = self.likeness.features(ready, rows)
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
