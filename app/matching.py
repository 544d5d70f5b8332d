"""Rows of two tables that belong to the same moment."""

import numpy as np
from numpy.typing import NDArray

from core.geometry.clock import nearest_index

Rows = NDArray[np.intp]
NS = 1e9


def match_times(times_ns: NDArray[np.int64], truth_ns: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Rows of both (rising) time lists that belong together: nearest, within a quarter period."""
    if not len(times_ns) or not len(truth_ns):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    rows = nearest_index(truth_ns, times_ns)
    period = float(np.median(np.diff(times_ns))) if len(times_ns) > 1 else NS / 30
    close = np.abs(truth_ns[rows] - times_ns) <= period / 4
    return np.flatnonzero(close), rows[close]
