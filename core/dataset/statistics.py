"""Exact statistics of many columns in bounded memory.

Valid entries are spilled to one file per column and read back one column at a time, so the peak is
four bytes per value of a single column.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.quantiles import QUANTILE_NAMES, QUANTILES
from core.dataset.slots import BoolArray

FLUSH_BYTES = 64 << 20


class StatisticsStore:
    """Collects named blocks of columns; `summary` of a block describes its valid entries only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._waiting: dict[tuple[str, int], list[NDArray[Any]]] = {}
        self._waiting_bytes = 0
        self._placeholder: dict[str, NDArray[np.float64]] = {}

    def add(self, name: str, values: NDArray[Any], mask: BoolArray | None = None) -> None:
        """Add rows ``(N, D)`` (or ``(N,)``); mask ``(N, D)`` says which entries count."""
        rows = values.reshape(len(values), -1)
        self._placeholder.setdefault(name, rows[0].astype(np.float64))
        for column in range(rows.shape[1]):
            kept = rows[:, column] if mask is None else rows[mask[:, column], column]
            if len(kept):
                self._waiting.setdefault((name, column), []).append(_compact(kept))
                self._waiting_bytes += kept.nbytes
        if self._waiting_bytes > FLUSH_BYTES:
            self._flush()

    def _path(self, name: str, column: int, dtype: str) -> Path:
        return self._folder / f"{name}.{column}.{dtype}"

    def _flush(self) -> None:
        for (name, column), parts in self._waiting.items():
            values = np.concatenate(parts)
            with self._path(name, column, values.dtype.name).open("ab") as file:
                values.tofile(file)
        self._waiting, self._waiting_bytes = {}, 0

    def names(self) -> list[str]:
        """Blocks seen, in order."""
        return list(self._placeholder)

    def summary(self, name: str) -> dict[str, list[float]]:
        """min, max, mean, std, count and quantiles, a list of D each.

        A column without a valid entry has count 0, the stored placeholder for every location and a
        std of 1, so that a reader that ignores the count still divides by something.
        """
        self._flush()
        per_column = [
            self._column(name, column, placeholder=float(value))
            for column, value in enumerate(self._placeholder[name])
        ]
        return {key: [column[key] for column in per_column] for key in per_column[0]}

    def _column(self, name: str, column: int, *, placeholder: float) -> dict[str, float]:
        parts = [
            np.fromfile(path, dtype=dtype)
            for dtype in ("float32", "int64")
            if (path := self._path(name, column, dtype)).exists()
        ]
        if not parts:
            located = dict.fromkeys(("min", "max", "mean", *QUANTILE_NAMES), placeholder)
            return {**located, "std": 1.0, "count": 0}
        values = parts[0]
        found = np.quantile(values, QUANTILES)
        return {
            "min": float(values.min()),
            "max": float(values.max()),
            "mean": float(values.mean(dtype=np.float64)),
            "std": float(values.std(dtype=np.float64)),
            "count": len(values),
            **{key: float(q) for key, q in zip(QUANTILE_NAMES, found, strict=True)},
        }


def _compact(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.int64 if values.dtype.kind == "i" else np.float32)


def histogram_summary(histogram: NDArray[np.int64]) -> dict[str, Any]:
    """Image statistics, ``(3, 1, 1)`` lists on the 0 ... 1 scale, from 8-bit counts ``(3,
    256)``.
    """
    levels = np.arange(256) / 255
    columns = [_of_counts(counts, levels) for counts in histogram]
    summary: dict[str, Any] = {key: [[[c[key]]] for c in columns] for key in columns[0]}
    summary["count"] = [int(histogram[0].sum())]
    return summary


def _of_counts(counts: NDArray[np.int64], levels: NDArray[np.float64]) -> dict[str, float]:
    total = int(counts.sum())
    if total == 0:
        located = dict.fromkeys(("min", "max", "mean", *QUANTILE_NAMES), 0.0)
        return {**located, "std": 1.0}
    mean = float((counts * levels).sum() / total)
    seen = levels[counts > 0]
    cumulative = np.cumsum(counts)
    found = [
        float(levels[np.searchsorted(cumulative, q * (total - 1), side="right")]) for q in QUANTILES
    ]
    return {
        "min": float(seen[0]),
        "max": float(seen[-1]),
        "mean": mean,
        "std": float(np.sqrt((counts * (levels - mean) ** 2).sum() / total)),
        **dict(zip(QUANTILE_NAMES, found, strict=True)),
    }
