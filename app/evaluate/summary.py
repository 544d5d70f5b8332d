"""Several sessions beside each other: one row each, and the median and mean of all."""

import math
from collections.abc import Sequence
from typing import Any

from app.evaluate import Evaluation
from app.evaluate.figures import Figure, mean, median

# what fits on a line of a terminal: (stage, name) -> heading
COLUMNS = {
    ("slam", "ATE RMSE"): "head ATE",
    ("slam", "scale error"): "scale",
    ("slam", "tracked"): "tracked",
    ("hands_detect", "found"): "detected",
    ("hands", "MPJPE"): "MPJPE",
    ("hands", "MPJPE Procrustes"): "Procrustes",
    ("hands", "palm position"): "palm",
    ("hands", "palm rotation"): "palm turn",
    ("chunks", "position after 1 s"): "chunk 1 s",
    ("annotate", "proposed boundary F1 at 0.5 s"): "label F1",
}


def over_all(parts: Sequence[Sequence[Figure]]) -> list[tuple[Figure, Figure]]:
    """(median, mean) over sessions of every figure that any of them has, in their order.

    A session that could not measure a figure is left out of it; the note says how many could.
    """
    first: dict[tuple[str, str], Figure] = {}
    values: dict[tuple[str, str], list[float]] = {}
    for part in parts:
        for figure in part:
            key = figure.stage, figure.name
            first.setdefault(key, figure)
            values.setdefault(key, []).append(figure.value)
    pairs = []
    for key, figure in first.items():
        known = [value for value in values[key] if not math.isnan(value)]
        note = f"{len(known)} of {len(parts)} sessions"
        both = (Figure(*key, take(known), figure.unit, note) for take in (median, mean))
        pairs.append((next(both), next(both)))
    return pairs


def rows_of(evaluations: Sequence[Evaluation]) -> list[tuple[str, list[str]]]:
    """Name and cells of COLUMNS: a row per session, then the median and the mean."""
    rows = [(one.name, _cells(one.figures)) for one in evaluations]
    pairs = over_all([one.figures for one in evaluations])
    rows.append(("median", _cells([pair[0] for pair in pairs])))
    rows.append(("mean", _cells([pair[1] for pair in pairs])))
    return rows


def as_text(evaluations: Sequence[Evaluation]) -> str:
    """The table for a terminal."""
    rows = rows_of(evaluations)
    width = max(len("session"), *(len(name) for name, _ in rows))
    lines = [f"{'session':<{width}}" + "".join(f"{head:>12}" for head in COLUMNS.values())]
    for name, cells in rows:
        if name == "median":
            lines.append("-" * len(lines[0]))
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def to_document(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Plain JSON values: every session whole, and the median and mean of every figure."""
    summary = []
    for middle, average in over_all([one.figures for one in evaluations]):
        found = {"median": middle.to_dict()["value"], "mean": average.to_dict()["value"]}
        summary.append({**middle.to_dict(), **found})
        del summary[-1]["value"]
    return {"sessions": [one.to_dict() for one in evaluations], "summary": summary}


def _cells(figures: Sequence[Figure]) -> list[str]:
    known = {(figure.stage, figure.name): figure.shown() for figure in figures}
    return [known.get(key, "none") for key in COLUMNS]
