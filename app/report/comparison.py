"""Plots of errors against the truth of a synthetic session."""

import numpy as np

from app.evaluate.hands import HandComparison
from app.evaluate.trajectory import TrajectoryComparison
from app.report.pictures import HEAD, SIDE_COLOR, Plot
from core.geometry.landmarks import LANDMARKS, SIDES
from core.geometry.metrics import point_errors, procrustes, wrist_relative


def trajectory_errors(comparison: TrajectoryComparison) -> str | None:
    """Position and rotation error of the head over time; None when nothing matched."""
    if not len(comparison.seconds):
        return None
    with Plot(9.2, 2.3, ncols=2) as plot:
        position, rotation = plot.axes
        position.plot(comparison.seconds, 1e3 * comparison.errors_m, color=HEAD)
        position.set(title="head position error", ylabel="mm", xlabel="seconds", ylim=(0, None))
        rotation.plot(comparison.seconds, comparison.rotation_errors_deg, color=HEAD)
        rotation.set(title="head rotation error", ylabel="°", xlabel="seconds", ylim=(0, None))
    return plot.image


def hand_errors(comparison: HandComparison) -> str | None:
    """Mean error of each landmark, three ways of measuring it; None when no hand matched."""
    if not len(comparison.landmarks):
        return None
    found, exact = comparison.landmarks, comparison.truth
    ways = {
        "in the head frame": (point_errors(found, exact), "o"),
        "relative to the wrist": (
            point_errors(wrist_relative(found), wrist_relative(exact)),
            "s",
        ),
        "after Procrustes": (point_errors(procrustes(found, exact), exact), "^"),
    }
    places = np.arange(len(LANDMARKS))
    with Plot(9.2, 2.9) as plot:
        axis = plot.axes[0]
        for number, (name, (errors, mark)) in enumerate(ways.items()):
            for side in SIDES:
                rows = comparison.side == side
                if rows.any():
                    axis.plot(
                        places + 0.18 * (number - 1),
                        1e3 * errors[rows].mean(0),
                        mark,
                        color=SIDE_COLOR[side],
                        ms=5,
                        alpha=0.9 - 0.25 * number,
                        label=name if side == SIDES[0] else None,
                    )
        names = [name.replace("_", " ") for name in LANDMARKS]
        axis.set_xticks(places, names, rotation=40, ha="right")
        axis.set(title="mean error of each landmark (blue left, orange right)", ylabel="mm")
        axis.set_ylim(0, 1.2 * axis.get_ylim()[1])
        axis.legend(loc="upper left", ncols=3)
    return plot.image
