"""How far a session's results are from the truth beside it. Everything is computed when asked."""

from dataclasses import dataclass
from typing import TypeVar

from app.evaluate.figures import Figure
from app.evaluate.hands import HandComparison, compare_hands
from app.evaluate.labels import compare_labels
from app.evaluate.trajectory import TrajectoryComparison, compare_trajectories
from app.scene import finished
from core.errors import BadInputError
from core.session.layout import END_EFFECTORS, HANDS, SEGMENTS, TRAJECTORY, TRUTH, under
from core.session.storage import SessionFolder
from core.session.table import Table
from core.session.tables import EndEffectors, Hands, Segments, Trajectory

T = TypeVar("T", bound=Table)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What could be compared; None where the session or its truth lacks the table."""

    trajectory: TrajectoryComparison | None
    hands: HandComparison | None
    figures: list[Figure]


def has_truth(folder: SessionFolder) -> bool:
    """Does the session carry exact tables beside its own?"""
    return any(folder.exists(under(TRUTH, path)) for path in (TRAJECTORY, HANDS, SEGMENTS))


def evaluate(folder: SessionFolder) -> Evaluation:
    """Compare every stage that has run with the truth. Raises BadInputError without truth."""
    if not has_truth(folder):
        raise BadInputError(
            f"{folder.url}: no {TRUTH}/ beside the session, so nothing to compare with; "
            "synthetic sessions (handoff sim record) have one"
        )
    trajectory = hands = None
    figures: list[Figure] = []
    if _both(folder, TRAJECTORY):
        trajectory = compare_trajectories(*_pair(folder, Trajectory))
        figures += trajectory.figures()
    if _both(folder, HANDS) and _both(folder, END_EFFECTORS):
        hands = compare_hands(_pair(folder, Hands), _pair(folder, EndEffectors))
        figures += hands.figures()
    if finished(folder, END_EFFECTORS) and folder.exists(under(TRUTH, SEGMENTS)):
        figures += compare_labels(folder, Segments.read(folder, TRUTH))
    if not figures:
        raise BadInputError(f"{folder.url}: no stage has run yet; run: handoff run {folder.url}")
    return Evaluation(trajectory, hands, figures)


def _both(folder: SessionFolder, path: str) -> bool:
    return folder.exists(under(TRUTH, path)) and finished(folder, path)


def _pair(folder: SessionFolder, kind: type[T]) -> tuple[T, T]:
    return kind.read(folder), kind.read(folder, TRUTH)
