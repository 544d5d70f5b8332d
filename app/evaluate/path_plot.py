"""Trajectories over their truth: seen from above, and the error over time."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from app.evaluate.path_errors import PathErrors
from core.errors import StorageError

BREAK_S = 0.5  # longer gaps are not drawn over


def plot_paths(found: Mapping[str, PathErrors], path: str) -> None:
    """Write a PNG of every estimate beside the truth it was laid on."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(figure)
    above, over_time = figure.subplots(1, 2)
    for number, (name, errors) in enumerate(found.items()):
        rows = _broken(errors.seconds)
        colour = f"C{number + 1}"
        truth = _with_breaks(errors.truth.translation, rows)
        laid = _with_breaks(errors.aligned.translation, rows)
        above.plot(truth[:, 0], truth[:, 1], "--", color="0.6", linewidth=1)
        above.plot(laid[:, 0], laid[:, 1], color=colour, linewidth=1, label=_short(name))
        seconds = _with_breaks(errors.seconds[:, None], rows)[:, 0]
        millimetres = 1e3 * _with_breaks(errors.errors_m[:, None], rows)[:, 0]
        over_time.plot(seconds, millimetres, color=colour, linewidth=1, label=_short(name))
    above.plot([], [], "--", color="0.6", label="truth")
    above.set(xlabel="x in m", ylabel="y in m", title="from above", aspect="equal")
    above.set_adjustable("datalim")
    over_time.set(xlabel="s", ylabel="position error in mm", title="error over time")
    over_time.set_ylim(bottom=0)
    above.legend()
    try:
        with Path(path).open("wb") as file:
            figure.savefig(file, format="png", dpi=110)
    except OSError as error:
        raise StorageError(f"{path}: cannot write: {error.strerror}; check the folder") from error


def _short(name: str) -> str:
    return Path(name).name or name


def _broken(seconds: np.ndarray) -> np.ndarray:
    """Rows before which a line must not be drawn."""
    steps = np.diff(seconds)
    usual = max(BREAK_S, 3 * float(np.median(steps))) if len(steps) else BREAK_S
    return np.flatnonzero(steps > usual) + 1


def _with_breaks(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.insert(values, rows, np.nan, axis=0)
