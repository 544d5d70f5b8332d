"""Plots of errors against the truth of a synthetic session."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.evaluate.hands import HandComparison
from app.evaluate.landmarks import WAYS
from app.evaluate.palms import PalmComparison
from app.evaluate.sigmas import LEVELS, ONE_SIGMA, SigmaCheck
from app.evaluate.trajectory import TrajectoryComparison
from app.matching import NS
from app.report.pictures import FAINT, HEAD, SIDE_COLOR, Plot
from core.geometry.landmarks import LANDMARKS, SIDES

Floats = NDArray[np.float64]

WAY_COLOR = dict(zip(WAYS, ("#3b6fd4", "#7a5bbf", "#2e9e6b"), strict=True))
GAP_S = 0.25  # longer ones are not drawn over


def trajectory_errors(comparison: TrajectoryComparison) -> str | None:
    """Position and rotation error of the head over time; None when they cannot be said."""
    if not len(comparison.seconds) or not comparison.absolute:
        return None
    with Plot(9.2, 2.3, ncols=2) as plot:
        position, rotation = plot.axes
        position.plot(comparison.seconds, 1e3 * comparison.errors_m, color=HEAD)
        position.set(title="head position error", ylabel="mm", xlabel="seconds", ylim=(0, None))
        rotation.plot(comparison.seconds, comparison.rotation_errors_deg, color=HEAD)
        rotation.set(title="head rotation error", ylabel="°", xlabel="seconds", ylim=(0, None))
    return plot.image


def hands_over_time(hands: HandComparison, palms: PalmComparison) -> str | None:
    """Mean landmark error and palm rotation error over time; None when no hand matched."""
    if not len(hands.landmarks):
        return None
    start_ns = int(hands.timestamp_ns.min())
    landmarks_mm = 1e3 * hands.errors().absolute.mean(axis=1)
    with Plot(9.2, 2.3, ncols=2) as plot:
        place, turn = plot.axes
        for side in SIDES:
            rows = hands.side == side
            _line(place, (hands.timestamp_ns[rows] - start_ns) / NS, landmarks_mm[rows], side=side)
            rows = palms.side == side
            _line(turn, palms.seconds[rows], palms.errors_deg[rows], side=side)
        place.set(title="landmarks, mean error", ylabel="mm", xlabel="seconds", ylim=(0, None))
        turn.set(title="palm rotation error", ylabel="°", xlabel="seconds", ylim=(0, None))
        place.legend(loc="best", ncols=2)
    return plot.image


def _line(axis: Any, seconds: Floats, values: Floats, *, side: str) -> None:
    breaks = np.flatnonzero(np.diff(seconds) > GAP_S) + 1
    x, y = np.insert(seconds, breaks, np.nan), np.insert(values, breaks, np.nan)
    axis.plot(x, y, color=SIDE_COLOR[side], linewidth=1.1, label=side)


def joint_bars(comparison: HandComparison) -> str | None:
    """Mean error of each landmark, measured three ways; None when no hand matched."""
    if not len(comparison.landmarks):
        return None
    table = comparison.errors().by_joint_mm()
    places = np.arange(len(LANDMARKS))
    with Plot(9.2, 2.9) as plot:
        axis = plot.axes[0]
        for number, (way, words) in enumerate(WAYS.items()):
            heights = [table[name][way] or 0.0 for name in LANDMARKS]
            style = {"width": 0.26, "color": WAY_COLOR[way], "label": words}
            axis.bar(places + 0.27 * (number - 1), heights, **style)
        names = [name.replace("_", " ") for name in LANDMARKS]
        axis.set_xticks(places, names, rotation=40, ha="right")
        axis.grid(visible=False, axis="x")
        axis.set(title="mean error of each landmark, both hands", ylabel="mm")
        axis.set_ylim(0, 1.25 * axis.get_ylim()[1])
        axis.legend(loc="upper left", ncols=3)
    return plot.image


def sigma_curves(checks: Sequence[SigmaCheck]) -> str | None:
    """Share of errors inside intervals that should hold a given share; None without sigmas."""
    known = [check for check in checks if np.isfinite(check.within(ONE_SIGMA))]
    if not known:
        return None
    parts = [[c for c in known if c.stage == stage] for stage in ("slam", "hands")]
    with Plot(9.2, 3.4, ncols=2, sharey=True) as plot:
        for axis, title, part in zip(plot.axes, ("head", "hands"), parts, strict=True):
            axis.plot([0, 1], [0, 1], color=FAINT, linewidth=4)
            axis.axvline(ONE_SIGMA, color=FAINT, linewidth=1)
            for check in part:
                axis.plot([0, *LEVELS], [0, *check.curve()], label=check.name)
            axis.set(title=f"{title}: sigmas", xlabel="share that should be inside")
            axis.set(xlim=(0, 1), ylim=(0, 1))
            if part:
                axis.legend(loc="upper left")
        plot.axes[0].set(ylabel="share that is inside")
    return plot.image
