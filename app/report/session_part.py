"""What the page says about one session: every number read or computed when the page is made."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.evaluate import Evaluation, evaluate, has_truth
from app.evaluate.figures import Figure
from app.hand_figures import HandFigures, hand_figures
from app.report.comparison import joint_bars, trajectory_errors
from app.report.motion import path_plot, timeline
from app.report.sheet import Picture, contact_sheet
from app.scene import Scene
from core.errors import BadInputError
from core.geometry.landmarks import SIDES
from core.session.documents import read_document
from core.session.layout import HANDS_REPORT, QUALITY, SLAM_REPORT
from core.session.marks import finished, read_mark
from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder
from pipeline.look import status
from pipeline.results import StageResult
from pipeline.stages import all_stages

LIGHTS = {"green": "good", "amber": "usable, with losses", "red": "not usable as it is"}
RANK = tuple(LIGHTS)
# what is worth a line here, by stage; `handoff evaluate` shows every figure
HEADLINES = {
    "slam": {
        "tracked", "maps", "ATE RMSE", "ATE RMSE, scale fitted", "rotation error", "scale error",
        "gravity error", "RPE over 1 s", "RPE over 1 s, turn",
    },
    "hands": {
        "found", "invented", "swapped", "MPJPE", "MPJPE wrist-relative", "MPJPE Procrustes",
        "palm position", "palm rotation", "jitter at rest",
    },
    "chunks": {"position after 1 s", "rotation after 1 s", "true motion after 1 s"},
    "annotate": {"proposed boundary F1 at 0.5 s", "proposed segment F1 at IoU 0.5"},
}  # fmt: skip


@dataclass(frozen=True)
class Share:
    """One bar: how much of the session is measured and filled in (0 … 1); the rest is missing."""

    name: str
    measured: float
    interpolated: float
    note: str


@dataclass(frozen=True)
class SessionPart:
    """The values of templates/session.html."""

    name: str
    facts: list[tuple[str, str]]
    light: str
    light_word: str
    findings: list[dict[str, str]]
    notes: list[str]
    streams: list[dict[str, Any]]
    shares: list[Share]
    sources: list[tuple[str, str]]
    sheet: list[Picture]
    hands: HandFigures | None
    path: str | None
    metric: bool
    timeline: str
    stages: list[StageResult]
    figures: list[Figure]
    truth_plots: list[str]
    labels: list[dict[str, Any]]

    @property
    def stream_figures(self) -> list[str]:
        """Names of what was measured of any stream, in order."""
        names = [name for stream in self.streams for name in stream if name != "name"]
        return list(dict.fromkeys(names))


def session_part(folder: SessionFolder, progress: Progress = NO_PROGRESS) -> SessionPart:
    """Everything about one session. Raises BadInputError before capture has run."""
    scene = Scene.read(folder)
    progress.note(scene.info.id)
    quality = read_document(folder, QUALITY) if finished(folder, QUALITY) else {}
    measured = _evaluation(folder)
    stages = list(status([folder])[0].stages)
    findings = _findings(folder, quality, stages)
    light = max((finding["light"] for finding in findings), key=RANK.index, default="green")
    return SessionPart(
        name=scene.info.id,
        facts=_facts(scene),
        light=light,
        light_word=LIGHTS[light],
        findings=findings,
        notes=[str(note) for note in quality.get("notes", [])],
        streams=_streams(quality),
        shares=_shares(scene),
        sources=_sources(folder),
        sheet=contact_sheet(scene, progress=progress),
        hands=_hands(folder),
        path=path_plot(scene, measured.trajectory if measured else None),
        metric=scene.metric,
        timeline=timeline(scene),
        stages=stages,
        figures=_headlines(measured.figures) if measured else [],
        truth_plots=_truth_plots(measured),
        labels=_labels(scene),
    )


def _findings(
    folder: SessionFolder, quality: dict[str, Any], stages: list[StageResult]
) -> list[dict[str, str]]:
    """What is wrong, the worst first: of the take, what later stages warn of, and what failed."""
    found = [{"light": f["light"], "text": f["text"]} for f in quality.get("findings", [])]
    found += [
        {"light": "red", "text": f"{stage.stage} failed: {stage.message}"}
        for stage in stages
        if stage.state == "failed"
    ]
    for stage in all_stages():
        mark = read_mark(folder, stage.room, stage.name)
        if mark is not None and stage.name != "capture":  # quality.json speaks for capture
            found += [{"light": "amber", "text": f"{stage.name}: {w}"} for w in mark.warnings]
    return sorted(found, key=lambda finding: -RANK.index(finding["light"]))


def _evaluation(folder: SessionFolder) -> Evaluation | None:
    return evaluate(folder) if has_truth(folder) and folder.exists(SLAM_REPORT) else None


def _headlines(figures: list[Figure]) -> list[Figure]:
    return [figure for figure in figures if figure.name in HEADLINES.get(figure.stage, ())]


def _facts(scene: Scene) -> list[tuple[str, str]]:
    info = scene.info
    seconds = float(scene.seconds[-1] - scene.seconds[0])
    length = info.operator.hand_length_mm
    hand = "" if length is None else f" (hand {length:g} mm)"
    pairs = [
        ("task", info.task),
        ("operator", f"{info.operator.name}{hand}"),
        ("scene", info.scene),
        ("device", info.device),
        ("consent", info.consent),
        ("length", f"{seconds:.1f} s, {len(scene.ticks)} head frames"),
    ]
    return [(name, value) for name, value in pairs if value]


def _streams(quality: dict[str, Any]) -> list[dict[str, Any]]:
    """Per stream what quality.json measured; the inertial sensor counts as one."""
    rows = [{"name": name, **figures} for name, figures in quality.get("streams", {}).items()]
    if "imu" in quality:
        rows.append({"name": "imu", **quality["imu"]})
    return rows


def _shares(scene: Scene) -> list[Share]:
    _, known = scene.world_from_head
    shares = []
    if scene.trajectory is not None:
        maps = len(np.unique(scene.trajectory.map_id[scene.trajectory.tracked]))
        word = f"{maps} map{'' if maps == 1 else 's'}"
        shares.append(Share("head tracked", float(known.mean()), 0.0, word))
    if scene.hands is not None:
        for side in SIDES:
            states = scene.states(side)
            seen, filled = (states.count(s) / len(states) for s in ("measured", "interpolated"))
            shares.append(Share(f"{side} hand", seen, filled, _reasons(scene, side)))
    return shares


def _reasons(scene: Scene, side: str) -> str:
    """The commonest reason why a hand is missing."""
    reasons = [reason for reason in scene.reasons(side) if reason]
    return max(set(reasons), key=reasons.count) if reasons else ""


def _sources(folder: SessionFolder) -> list[tuple[str, str]]:
    """Where metres and up came from, in the stages' own words."""
    pairs = []
    for path, room in ((SLAM_REPORT, "head path"), (HANDS_REPORT, "hands")):
        if finished(folder, path):
            report = read_document(folder, path)
            keys = [key for key in ("scale_source", "gravity_source") if key in report]
            pairs += [(f"{room}: {key.partition('_')[0]}", str(report[key])) for key in keys]
    return pairs


def _hands(folder: SessionFolder) -> HandFigures | None:
    """What the hands' report says; of one that an older version made, that it is."""
    if not finished(folder, HANDS_REPORT):
        return None
    try:
        return hand_figures(folder)
    except BadInputError as error:
        return HandFigures([str(error)], [])


def _truth_plots(measured: Evaluation | None) -> list[str]:
    if measured is None:
        return []
    plots = []
    if measured.trajectory is not None:
        plots.append(trajectory_errors(measured.trajectory))
    if measured.hands is not None:
        plots.append(joint_bars(measured.hands))
    return [plot for plot in plots if plot is not None]


def _labels(scene: Scene) -> list[dict[str, Any]]:
    """People's labels as rows; proposals are counted only."""
    if scene.segments is None:
        return []
    segments = scene.segments
    starts, ends = scene.seconds_of(segments.start_ns), scene.seconds_of(segments.end_ns)
    return [
        {
            "track": segments.track[row],
            "start": f"{starts[row]:.2f}",
            "end": f"{ends[row]:.2f}",
            "text": segments.text[row],
            "by": segments.author[row],
            "machine": segments.author_kind[row] == "machine",
            "success": {True: "succeeded", False: "failed"}.get(segments.success[row], ""),
        }
        for row in range(len(segments))
    ]
