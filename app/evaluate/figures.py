"""One measured number with its unit, and how it is shown."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

_SIGNS = {"deg": "°", "": ""}


@dataclass(frozen=True)
class Figure:
    """stage: whose output was measured.   value: NaN when there was nothing to measure.

    unit: "mm", "deg", "ms", "px", "ppm", "share" (0 … 1), "" (a count or ratio).   note: over what,
    and how.
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
        digits = 2 if abs(self.value) < 1 else 1
        return f"{self.value:.{digits}f} {_SIGNS.get(self.unit, self.unit)}"

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


def p95(values: Any) -> float:
    """95th percentile, NaN over nothing."""
    return float(np.percentile(values, 95)) if np.size(values) else float("nan")


def rmse(values: Any) -> float:
    """Root of the mean square, NaN over nothing."""
    return float(np.sqrt(mean(np.square(values))))


def share(part: float, whole: float) -> float:
    """Part of a whole, NaN of nothing."""
    return float(part) / float(whole) if whole else float("nan")


def by_stage(figures: Iterable[Figure]) -> list[tuple[str, list[Figure]]]:
    """Runs of figures of one stage, in order."""
    return [(stage, list(part)) for stage, part in groupby(figures, lambda one: one.stage)]


def as_text(figures: Sequence[Figure]) -> str:
    """A table: stage, name, value, note."""
    width = max((len(figure.name) for figure in figures), default=0)
    lines = []
    for stage, part in by_stage(figures):
        lines.append(stage)
        lines += [f"  {f.name:<{width}}  {f.shown():>10}   {f.note}".rstrip() for f in part]
    return "\n".join(lines)
