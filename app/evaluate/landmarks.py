"""Errors of the 17 landmarks, measured three ways. R: hands."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, mean
from core.geometry.landmarks import LANDMARKS
from core.geometry.metrics import point_errors, procrustes, wrist_relative

Floats = NDArray[np.float64]

MM = 1e3
WAYS = {
    "absolute": "in the head frame",
    "wrist_relative": "wrists laid on each other",
    "procrustes": "rotation, translation and scale fitted, hand by hand",
}


@dataclass(frozen=True, eq=False)
class LandmarkErrors:
    """Metres ``(R,17)`` of every landmark: in the head frame; with the wrists laid on each other
    (the wrist's own 0 included); after Procrustes alignment of each hand.
    """

    absolute: Floats
    wrist_relative: Floats
    procrustes: Floats

    @staticmethod
    def of(found: Floats, truth: Floats) -> "LandmarkErrors":
        """From landmarks ``(R,17,3)``."""
        if not len(found):
            nothing = np.zeros((0, len(LANDMARKS)))
            return LandmarkErrors(nothing, nothing, nothing)
        return LandmarkErrors(
            absolute=point_errors(found, truth),
            wrist_relative=point_errors(wrist_relative(found), wrist_relative(truth)),
            procrustes=point_errors(procrustes(found, truth), truth),
        )

    def by_joint_mm(self) -> dict[str, dict[str, float | None]]:
        """Landmark -> way -> mean in millimetres; None where there was no hand."""
        table: dict[str, dict[str, float | None]] = {name: {} for name in LANDMARKS}
        for way in WAYS:
            for k, name in enumerate(LANDMARKS):
                errors = getattr(self, way)[:, k]
                table[name][way] = MM * mean(errors) if len(errors) else None
        return table


def landmark_figures(errors: LandmarkErrors, visible: NDArray[np.bool_]) -> list[Figure]:
    """MPJPE the three ways, and of what the truth says is visible ``(R,17)`` and is not."""
    hands = f"{len(visible)} hands of 17 landmarks"
    figures = [
        Figure("hands", "MPJPE", MM * mean(errors.absolute), "mm", f"in the head frame, {hands}"),
        Figure("hands", "MPJPE wrist-relative", MM * mean(errors.wrist_relative), "mm", hands),
        Figure("hands", "MPJPE Procrustes", MM * mean(errors.procrustes), "mm", hands),
    ]
    for word, chosen in (("seen", visible), ("hidden", ~visible)):
        over = f"{int(chosen.sum())} landmarks that are {'in view' if word == 'seen' else 'not'}"
        for name, values in (
            ("MPJPE", errors.absolute),
            ("MPJPE wrist-relative", errors.wrist_relative),
        ):
            value = MM * mean(values[chosen])
            figures.append(Figure("hands", f"{name}, {word}", value, "mm", over))
    return figures


def joints_as_text(table: dict[str, dict[str, float | None]]) -> str:
    """Mean error of each landmark, one per line."""
    heads = "".join(f"{way.replace('_', '-'):>16}" for way in WAYS)
    lines = [f"{'landmarks, mean error in mm':<28}{heads}"]
    for name, row in table.items():
        shown = ("none" if row[way] is None else f"{row[way]:.1f}" for way in WAYS)
        lines.append(f"  {name:<26}" + "".join(f"{cell:>16}" for cell in shown))
    return "\n".join(lines)
