"""One measured number with its unit, and how it is shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


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
