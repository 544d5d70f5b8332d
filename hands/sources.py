"""Where hands come from, behind one door. Every source gives the same thing: hands per tick with
raw points.

To add one (Aria's own hands, ARKit joints, a MANO regressor): a class with ``name`` and ``read``,
and its entry in SOURCES.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.storage import SessionFolder
from core.session.tables import Detections, Ticks

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SourceHands:
    """M hands in head images, sorted by row.

    row: ``(M,)`` row of the tick table.   left_label: ``(M,)`` probability of "left".
    raw21_px: ``(M,21,2)``, MediaPipe's order, full resolution.   raw21_in_hand: ``(M,21,3)`` metres
    in the camera's axes, NaN where the source has none.
    """

    row: NDArray[np.int64]
    left_label: Floats
    raw21_px: Floats
    raw21_in_hand: Floats

    def __len__(self) -> int:
        return len(self.row)


class HandSource(Protocol):
    """Reads hands of one kind from a session."""

    @property
    def name(self) -> str: ...

    def read(self, folder: SessionFolder, ticks: Ticks) -> SourceHands:
        """All hands of the head stream. Raises HandoffError where the session has none to read."""
        ...


class MediaPipeSource:
    """What the `hands_detect` stage found."""

    name = "mediapipe"

    def read(self, folder: SessionFolder, ticks: Ticks) -> SourceHands:
        return hands_of(Detections.read(folder), ticks)


def hands_of(table: Detections, ticks: Ticks) -> SourceHands:
    """The head stream's detections, each with the row of its tick."""
    mine = table.take(np.array([name == "head" for name in table.stream], dtype=bool))
    row = np.searchsorted(ticks.tick, mine.tick)
    known = row < len(ticks)
    if not (known.all() and np.array_equal(ticks.tick[row], mine.tick)):
        raise BadInputError(
            f"{table.path}: holds ticks that {ticks.path} does not; run capture and hands_detect "
            "again"
        )
    order = np.argsort(row, kind="stable")
    left = np.array([side == "left" for side in mine.side], dtype=bool)
    guess = np.where(mine.raw21_in_hand_valid[:, None], mine.raw21_in_hand, np.nan)
    return SourceHands(
        row[order].astype(np.int64),
        np.where(left, mine.score, 1.0 - mine.score)[order].astype(np.float64),
        mine.raw21_px[order].reshape(-1, 21, 2).astype(np.float64),
        guess[order].reshape(-1, 21, 3).astype(np.float64),
    )


SOURCES: dict[str, HandSource] = {"mediapipe": MediaPipeSource()}


def source_named(name: str) -> HandSource:
    """The source; BadInputError lists the known ones."""
    if name not in SOURCES:
        raise BadInputError(f"hand source {name!r}: known are {', '.join(sorted(SOURCES))}")
    return SOURCES[name]
