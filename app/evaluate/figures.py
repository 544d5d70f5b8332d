"""One measured number with its unit, and how it is shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.clock import nearest_index

Rows = NDArray[np.intp]
NS = 1e9


@dataclass(frozen=True)
class Figure:
    """stage: whose output was measured.   value: NaN when there was nothing to measure.

    unit: "mm", "deg", "share" (0 … 1), "" (a count or ratio).   note: over what, and how.
    """

    stage: str
    name: str
    value: float
    unit: str
    note: str = ""

    def shown(self) -> str:
        """The value as people read it."""
        if math.isnan(self.value):
            return "none"
        if self.unit == "share":
            return f"{100 * self.value:.1f} %"
        if self.unit == "":
            return f"{self.value:.3f}".rstrip("0").rstrip(".")
        return f"{self.value:.1f} {'°' if self.unit == 'deg' else self.unit}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; what could not be measured is null."""
        value = None if math.isnan(self.value) else self.value
        return {**vars(self), "value": value}


def mean(values: Any) -> float:
    """Mean, NaN over nothing."""
    return float(np.mean(values)) if np.size(values) else float("nan")


def median(values: Any) -> float:
    """Median, NaN over nothing."""
    return float(np.median(values)) if np.size(values) else float("nan")


def match_times(times_ns: NDArray[np.int64], truth_ns: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Rows of both (rising) time lists that belong together: nearest, within a quarter period."""
    if not len(times_ns) or not len(truth_ns):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    rows = nearest_index(truth_ns, times_ns)
    period = float(np.median(np.diff(times_ns))) if len(times_ns) > 1 else NS / 30
    close = np.abs(truth_ns[rows] - times_ns) <= period / 4
    return np.flatnonzero(close), rows[close]


def as_text(figures: Sequence[Figure]) -> str:
    """A table: stage, name, value, note."""
    width = max((len(figure.name) for figure in figures), default=0)
    lines, stage = [], ""
    for figure in figures:
        if figure.stage != stage:
            stage = figure.stage
            lines.append(f"{stage}")
        lines.append(f"  {figure.name:<{width}}  {figure.shown():>10}   {figure.note}".rstrip())
    return "\n".join(lines)
