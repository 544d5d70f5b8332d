"""Rows of a track that lie a given time apart. T: rows."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]

SLACK = 0.1  # of the span: how far a pair's distance may be off


def pairs_after(
    seconds: NDArray[np.float64], span_s: float, *, group: NDArray[np.int32]
) -> tuple[Rows, Rows]:
    """(first, second): every row and the one nearest to ``span_s`` later, of the same group.

    seconds ``(T,)`` rising.   group ``(T,)``: pairs never join two of them (maps, say). Rows whose
    partner would be off by more than a tenth of the span have none.
    """
    if len(seconds) < 2:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    wanted = seconds + span_s
    second = np.clip(np.searchsorted(seconds, wanted), 1, len(seconds) - 1)
    second = second - (wanted - seconds[second - 1] < seconds[second] - wanted)
    first = np.arange(len(seconds))
    near = np.abs(seconds[second] - wanted) <= SLACK * span_s
    near &= wanted <= seconds[-1] + float(np.median(np.diff(seconds))) / 2
    near &= group[second] == group[first]
    return first[near], second[near]
