"""Which frames make up the batch of a step: a pure function of the seed and the step number.

Nothing has to be saved to resume. Shares are exact in expectation and every batch is within one
sample of them (systematic sampling); inside a dataset frames come in shuffled rounds, so none is
forgotten.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """shares: per dataset, summing to 1.   sizes: drawable frames per dataset."""

    shares: tuple[float, ...]
    sizes: tuple[int, ...]
    batch: int
    seed: int

    def draw(self, step: int) -> list[tuple[int, NDArray[np.int64]]]:
        """Per dataset with a place in this batch: its number and positions among its frames."""
        rng = np.random.default_rng((self.seed, step))
        points = (np.arange(self.batch) + rng.random()) / self.batch
        edges = np.cumsum(self.shares)[:-1]
        counts = np.bincount(
            np.searchsorted(edges, points, side="right"), minlength=len(self.sizes)
        )
        return [(k, self._positions(k, int(n), step)) for k, n in enumerate(counts) if n]

    def _positions(self, dataset: int, count: int, step: int) -> NDArray[np.int64]:
        """A fixed stretch of the endless shuffled rounds belongs to every step."""
        size, places = self.sizes[dataset], ceil(self.shares[dataset] * self.batch)
        places = max(places, count)
        turns = step * places + np.arange(count)
        orders = {r: self._round(dataset, r) for r in np.unique(turns // size).tolist()}
        return np.array(
            [orders[turn // size][turn % size] for turn in turns.tolist()], dtype=np.int64
        )

    def _round(self, dataset: int, number: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, 1, dataset, number)).permutation(
            self.sizes[dataset]
        )


def mixture_shares(kinds: list[str], sizes: list[int], human_fraction: float) -> tuple[float, ...]:
    """Half human, half robot (or as asked), whatever the sizes; in a kind by number of frames."""
    if any(size == 0 for size in sizes):
        raise BadInputError(f"a dataset has no training frames: sizes {sizes}")
    wanted = {"human": human_fraction, "robot": 1.0 - human_fraction}
    present = {kind: wanted[kind] for kind in set(kinds)}
    whole = sum(present.values())
    if whole == 0.0:
        raise BadInputError(f"human_fraction {human_fraction} leaves nothing of {sorted(present)}")
    totals = {
        kind: sum(n for k, n in zip(kinds, sizes, strict=True) if k == kind) for kind in present
    }
    return tuple(
        present[kind] / whole * size / totals[kind] for kind, size in zip(kinds, sizes, strict=True)
    )
