"""The path as one picture: from above, its height and its uncertainty over time, lost stretches."""

import io
from typing import Any

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.session.tables import Trajectory

LOST = "#e0b0a0"
BREAK_S = 0.5  # a line is not drawn over a longer hole in the frames themselves


def path_png(path: Trajectory, *, unit: str, level: bool = True) -> bytes:
    """PNG of a trajectory; the same table gives the same bytes. unit: what its lengths are in.

    level: z is known to point up; without it the picture says that it does not.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 2, width_ratios=(1.1, 1))
    seconds = (path.timestamp_ns - path.timestamp_ns[0]) * 1e-9
    _top_view(figure.add_subplot(grid[:, 0]), path, unit=unit, level=level)
    height = f"height in {unit}" if level else "z, up not known"
    _height(figure.add_subplot(grid[0, 1]), path, seconds=seconds, label=height)
    for row, (name, sigma) in enumerate(
        (("mm", 1e3 * path.sigma_m), ("degrees", np.rad2deg(path.sigma_rad))), start=1
    ):
        axes = figure.add_subplot(grid[row, 1])
        _sigma(axes, path, sigma, seconds=seconds, label=f"sigma in {name}")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100, metadata={"Software": None})
    return picture.getvalue()


def _top_view(axes: Any, path: Trajectory, *, unit: str, level: bool) -> None:
    position = np.where(path.tracked[:, None], path.world_from_head[:, :3], np.nan)
    for map_id in np.unique(path.map_id[path.tracked]):
        mine = np.where((path.map_id == map_id)[:, None], position, np.nan)
        axes.plot(mine[:, 0], mine[:, 1], color=f"C{map_id % 10}", lw=1, label=f"map {map_id}")
        first = int(np.flatnonzero(np.isfinite(mine[:, 0]))[0])
        axes.plot(mine[first, 0], mine[first, 1], "o", color=f"C{map_id % 10}", ms=5)
    share = float(path.tracked.mean())
    side = "from above" if level else "the first picture taken as upright"
    axes.set(
        xlabel=f"x in {unit}", ylabel=f"y in {unit}", aspect="equal",
        title=f"{side}; the dot is the start; {100 * share:.1f} % tracked",
    )  # fmt: skip
    axes.set_adjustable("datalim")
    if len(axes.lines):
        axes.legend(loc="best", fontsize="small")


def _height(axes: Any, path: Trajectory, *, seconds: Floats, label: str) -> None:
    height = np.where(path.tracked, path.world_from_head[:, 2], np.nan)
    rows = _breaks(seconds, path.map_id)
    axes.plot(np.insert(seconds, rows, np.nan), np.insert(height, rows, np.nan), color="C0", lw=1)
    axes.set(ylabel=label)
    _shade_lost(axes, path.tracked, seconds)


def _sigma(axes: Any, path: Trajectory, sigma: Floats, *, seconds: Floats, label: str) -> None:
    """One line per world axis; says so where nothing is known."""
    sigma = np.where(path.tracked[:, None] & np.isfinite(sigma), sigma, np.nan)
    rows = _breaks(seconds, path.map_id)
    if np.isfinite(sigma).any():
        for axis, name in enumerate("xyz"):
            line = np.insert(sigma[:, axis].astype(np.float64), rows, np.nan)
            axes.plot(np.insert(seconds, rows, np.nan), line, lw=1, label=name)
        axes.legend(loc="upper right", fontsize="small", ncols=3)
        axes.set_ylim(bottom=0)
    else:
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center", va="center")
        axes.set_yticks([])
    axes.set(ylabel=label, xlabel="s")
    _shade_lost(axes, path.tracked, seconds)


def _shade_lost(axes: Any, tracked: Bools, seconds: Floats) -> None:
    """Shade every stretch without tracking, from its first frame to the next tracked one."""
    for start, end in lost_stretches(tracked):
        axes.axvspan(seconds[start], seconds[min(end, len(seconds) - 1)], color=LOST, lw=0)
    if len(seconds) > 1:
        axes.set_xlim(seconds[0], seconds[-1])


def lost_stretches(tracked: Bools) -> list[tuple[int, int]]:
    """Half-open ranges of frames that are not tracked."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], tracked, [True]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _breaks(seconds: Floats, map_id: Ints) -> Ints:
    """Rows before which a line must not be drawn: another map begins, or frames are missing."""
    return np.flatnonzero((np.diff(seconds) > BREAK_S) | (np.diff(map_id) != 0)) + 1
