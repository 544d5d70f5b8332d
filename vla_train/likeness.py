"""How alike two moments are, by state and picture: for the neighbour baseline and the recall."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_train.batches import ReadyFrames

THUMBNAIL_PX = 8
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Distance in the normalised state and in 8 x 8 pixel thumbnails of every camera, each of the
    two divided by its own spread over the training frames, so that both count alike."""

    state_spread: float
    picture_spread: float

    @staticmethod
    def fit(training: list[tuple[ReadyFrames, NDArray[np.int64]]]) -> "Likeness":
        """From datasets of one embodiment and their training rows."""
        states = np.concatenate([ready.state[rows] for ready, rows in training])
        pictures = np.concatenate([thumbnails(ready, rows) for ready, rows in training])
        return Likeness(state_spread=_spread(states), picture_spread=_spread(pictures))

    def features(self, ready: ReadyFrames, rows: NDArray[np.int64]) -> Floats:
        """Vectors ``(N, W + 576)`` whose distance is the unlikeness."""
        state = ready.state[rows] / self.state_spread
        return np.concatenate(
            [state, thumbnails(ready, rows) / self.picture_spread], axis=1, dtype=np.float32
        )


def thumbnails(ready: ReadyFrames, rows: NDArray[np.int64]) -> Floats:
    """Block means of every camera's image, ``(N, 576)`` in 0 ... 1; an absent one is 0."""
    images = ready.table.images[rows]
    block = images.shape[2] // THUMBNAIL_PX
    shape = (len(rows), 3, THUMBNAIL_PX, block, THUMBNAIL_PX, block, 3)
    small = images.reshape(shape).mean(axis=(3, 5), dtype=np.float32)
    return small.reshape(len(rows), -1) / np.float32(255.0)


def _spread(values: Floats) -> float:
    """Root of the summed variance; 1 where nothing varies."""
    total = float(np.sqrt(values.var(axis=0).sum()))
    return total if total > 1e-6 else 1.0
