"""Exact quantiles under a mask, and the normalisation made from them. No result is ever NaN."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.slots import BoolArray
from core.errors import BadInputError

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
QUANTILE_NAMES = ("q01", "q10", "q50", "q90", "q99")
MIN_RANGE = 1e-4  # metres, radians or a fraction: a narrower span is noise and is not stretched


def exact_quantiles(
    values: NDArray[Any], mask: BoolArray, qs: tuple[float, ...] = QUANTILES
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Quantiles of the valid entries of each column, linear between order statistics.

    values: ``(N, D)``.  mask: ``(N, D)``.  Returns ``(len(qs), D)``, zero in a column with no valid
    entry, and the counts ``(D,)``.
    """
    if values.shape != mask.shape or values.ndim != 2:
        raise BadInputError(f"quantiles: values {values.shape} and mask {mask.shape} differ")
    result = np.zeros((len(qs), values.shape[1]))
    for column in range(values.shape[1]):
        kept = values[mask[:, column], column]
        if len(kept):
            result[:, column] = np.quantile(kept.astype(np.float64), qs)
    return result, mask.sum(axis=0).astype(np.int64)


@dataclass(frozen=True, eq=False)
class QuantileScale:
    """Maps q01 ... q99 of each column to -1 ... 1.

    low, high: ``(D,)``.  known: ``(D,)`` False where there was nothing to learn the scale from;
    such
    a column is passed through with its centre and span untouched (0 and 2).
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    known: BoolArray

    @property
    def centre(self) -> NDArray[np.float64]:
        """Middle of the span, ``(D,)``."""
        return np.where(self.known, (self.low + self.high) / 2, 0.0)

    @property
    def half_span(self) -> NDArray[np.float64]:
        """Half of the span, ``(D,)``; a span under MIN_RANGE counts as MIN_RANGE."""
        return np.where(self.known, np.maximum(self.high - self.low, MIN_RANGE) / 2, 1.0)


def scale_from_statistics(statistics: dict[str, Any]) -> QuantileScale:
    """From one block of `meta/handoff.json` (q01, q99 and count per column; null at count 0)."""
    known = np.asarray(statistics["count"]) > 0
    low, high = (np.array(statistics[name], dtype=np.float64) for name in ("q01", "q99"))
    low[~known] = high[~known] = 0.0
    return QuantileScale(low, high, known)


def normalise(
    values: NDArray[Any], scale: QuantileScale, *, clip: float | None = None
) -> NDArray[Any]:
    """``(..., D)`` to about -1 ... 1; optionally clipped at +-clip."""
    result = ((values - scale.centre) / scale.half_span).astype(np.asarray(values).dtype)
    return result if clip is None else np.clip(result, -clip, clip)


def unnormalise(values: NDArray[Any], scale: QuantileScale) -> NDArray[Any]:
    """Inverse of `normalise` without clipping."""
    return (values * scale.half_span + scale.centre).astype(np.asarray(values).dtype)
