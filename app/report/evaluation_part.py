"""One page about how far sessions are from their truth: tables and plots, in a single file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.evaluate import Evaluation
from app.evaluate.figures import Figure, by_stage
from app.evaluate.summary import COLUMNS, rows_of
from app.report import render
from app.report.comparison import hands_over_time, joint_bars, sigma_curves, trajectory_errors
from app.report.motion import path_plot
from app.scene import Scene
from app.whole_file import whole_file
from core.session.layout import CALIBRATION, TICKS
from core.session.marks import finished
from core.session.storage import SessionFolder


@dataclass(frozen=True)
class EvaluationPart:
    """The values of one session's card. plots: (what it shows, picture)."""

    name: str
    stages: list[tuple[str, list[Figure]]]
    plots: list[tuple[str, str]]


def write_evaluation(
    folders: Sequence[SessionFolder], evaluations: Sequence[Evaluation], out: Path
) -> Path:
    """Write the page. Raises StorageError where it cannot be written."""
    pairs = zip(folders, evaluations, strict=True)
    page = render(
        "evaluation.html",
        title="Against the truth",
        parts=[evaluation_part(folder, one) for folder, one in pairs],
        heads=list(COLUMNS.values()),
        rows=rows_of(evaluations) if len(evaluations) > 1 else [],
    )
    with whole_file(out, option="--html") as partial:
        partial.write_text(page, encoding="utf-8")
    return out


def evaluation_part(folder: SessionFolder, measured: Evaluation) -> EvaluationPart:
    """The card of one session; plots of what was not measured are left out."""
    plots: dict[str, str | None] = {}
    if measured.trajectory is not None:
        if finished(folder, TICKS) and finished(folder, CALIBRATION):
            scene = Scene.read(folder)
            plots["head and palms from above"] = path_plot(scene, measured.trajectory)
        plots["head over time"] = trajectory_errors(measured.trajectory)
    if measured.hands is not None and measured.palms is not None:
        plots["hands over time"] = hands_over_time(measured.hands, measured.palms)
        plots["error of each landmark"] = joint_bars(measured.hands)
    plots["stated and real uncertainty"] = sigma_curves(measured.sigmas)
    return EvaluationPart(
        name=measured.name,
        stages=by_stage(measured.figures),
        plots=[(name, plot) for name, plot in plots.items() if plot is not None],
    )
