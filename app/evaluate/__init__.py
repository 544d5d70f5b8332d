"""How far a session's results are from the truth beside it. Everything is computed when asked."""

from dataclasses import dataclass
from typing import Any, TypeVar

from annotate.stage import metric_trajectory
from app.evaluate.chunks import chunk_figures
from app.evaluate.detections import detection_figures
from app.evaluate.figures import Figure
from app.evaluate.hands import HandComparison, compare_hands
from app.evaluate.labels import compare_labels
from app.evaluate.palms import PalmComparison, compare_palms
from app.evaluate.path_sources import known_of_world
from app.evaluate.rest import jitter_figures
from app.evaluate.sigmas import (
    LEVELS,
    SigmaCheck,
    hand_checks,
    head_checks,
    palm_checks,
    sigma_figures,
)
from app.evaluate.sync import sync_figures
from app.evaluate.trajectory import TrajectoryComparison, compare_trajectories
from app.evaluate.wrist_cameras import wrist_camera_figures
from core.errors import BadInputError
from core.session.calibration import Calibration
from core.session.info import SessionInfo
from core.session.layout import (
    CALIBRATION,
    END_EFFECTORS,
    HANDS,
    SEGMENTS,
    TRAJECTORY,
    TRUTH,
    under,
)
from core.session.marks import finished
from core.session.storage import SessionFolder
from core.session.table import Table
from core.session.tables import Detections, EndEffectors, Frames, Hands, Segments, Ticks, Trajectory

T = TypeVar("T", bound=Table)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What could be compared; None where the session or its truth lacks the table.

    figures: all numbers, in the order of the stages.   sigmas: errors beside what was claimed.
    """

    name: str
    trajectory: TrajectoryComparison | None
    hands: HandComparison | None
    palms: PalmComparison | None
    sigmas: list[SigmaCheck]
    figures: list[Figure]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: figures, errors joint by joint, and sigma curves over LEVELS."""
        joints = None if self.hands is None else self.hands.errors().by_joint_mm()
        return {
            "session": self.name,
            "figures": [figure.to_dict() for figure in self.figures],
            "landmarks_mm": joints,
            "sigmas": {
                "expected": list(LEVELS),
                **{f"{check.stage}: {check.name}": check.curve() for check in self.sigmas},
            },
        }


def has_truth(folder: SessionFolder) -> bool:
    """Does the session carry exact tables beside its own?"""
    return any(folder.exists(under(TRUTH, path)) for path in (TRAJECTORY, HANDS, SEGMENTS))


def can_be_evaluated(folder: SessionFolder) -> bool:
    """Is there truth, and has any stage run that it can be compared with?"""
    made = (Frames.path, Detections.path, TRAJECTORY, HANDS)
    return has_truth(folder) and any(finished(folder, path) for path in made)


def evaluate(folder: SessionFolder) -> Evaluation:
    """Compare every stage that has run with the truth. Raises BadInputError without truth."""
    if not has_truth(folder):
        raise BadInputError(
            f"{folder.url}: no {TRUTH}/ beside the session, so nothing to compare with; "
            "synthetic sessions (handoff sim record) have one"
        )
    figures = [*sync_figures(folder), *_detections(folder)]
    trajectory = hands = palms = None
    checks: list[SigmaCheck] = []
    if _both(folder, TRAJECTORY):
        found, exact = _pair(folder, Trajectory)
        level, metric = known_of_world(folder)
        trajectory = compare_trajectories(found, exact, level=level, metric=metric)
        checks += head_checks(trajectory, found) if trajectory.absolute else []
        figures += trajectory.figures()
        streams = {stream.name for stream in SessionInfo.read(folder).streams}
        if trajectory.absolute:
            figures += wrist_camera_figures(trajectory, found, exact, streams=streams)
        figures += sigma_figures(checks, "slam")
    if _both(folder, HANDS) and _both(folder, END_EFFECTORS):
        hands = compare_hands(*_pair(folder, Hands))
        palms = compare_palms(*_pair(folder, EndEffectors))
        checks += [*hand_checks(hands), *palm_checks(palms)]
        figures += [*hands.figures(), *palms.figures(), *sigma_figures(checks, "hands")]
        figures += _in_the_world(folder, palms)
    if finished(folder, END_EFFECTORS) and folder.exists(under(TRUTH, SEGMENTS)):
        figures += compare_labels(folder, Segments.read(folder, TRUTH))
    if not figures:
        raise BadInputError(f"{folder.url}: no stage has run yet; run: handoff run {folder.url}")
    return Evaluation(folder.name, trajectory, hands, palms, checks, figures)


def _in_the_world(folder: SessionFolder, palms: PalmComparison) -> list[Figure]:
    """What needs the true head as well."""
    if not folder.exists(under(TRUTH, TRAJECTORY)):
        return []
    exact = Trajectory.read(folder, TRUTH)
    placed = metric_trajectory(folder) if finished(folder, TRAJECTORY) else None
    jitter = jitter_figures(palms, EndEffectors.read(folder, TRUTH), exact)
    return [*jitter, *chunk_figures(palms, placed, exact)]


def _detections(folder: SessionFolder) -> list[Figure]:
    needs = (under(TRUTH, HANDS), under(TRUTH, CALIBRATION))
    if not finished(folder, Detections.path) or not all(folder.exists(path) for path in needs):
        return []
    return detection_figures(
        Detections.read(folder),
        Hands.read(folder) if finished(folder, HANDS) else None,
        ticks=Ticks.read(folder),
        truth=Hands.read(folder, TRUTH),
        camera=Calibration.read(folder, TRUTH).stream("head").camera,
    )


def _both(folder: SessionFolder, path: str) -> bool:
    return folder.exists(under(TRUTH, path)) and finished(folder, path)


def _pair(folder: SessionFolder, kind: type[T]) -> tuple[T, T]:
    return kind.read(folder), kind.read(folder, TRUTH)
