"""What a source of hands gives: hands in images, or hands that are already in metres.

Hands in images (`SourceHands`) go through association and fit like MediaPipe's. Located hands
(`LocatedHands`) keep their positions; they are read at the ticks, masked and described the same
way.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.config import HandsConfig

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


@dataclass(frozen=True, eq=False)
class LocatedHands:
    """Both hands of the wearer at N times of the source's own, metres, head frame of that time.

    timestamps_ns: ``(N,)`` session clock, rising.   joints: ``(N,2,21,3)``, left and right in
    MediaPipe's order; a hand that is not there is NaN, and so is a joint the source does not know.
    raw: ``(N,2,21,3)`` the source's points in its own order.   reason: ``(N,2)`` None, or why there
    is no hand.   sigma_m: error per axis that is published for the source; +inf where none is.
    """

    timestamps_ns: NDArray[np.int64]
    joints: Floats
    raw: Floats
    reason: NDArray[np.object_]
    sigma_m: float

    def __len__(self) -> int:
        return len(self.timestamps_ns)


class HandSource(Protocol):
    """Reads hands of one kind from a session. Holds no state."""

    @property
    def name(self) -> str:
        """What `hands.source` calls it; every row of hands.parquet names it."""
        ...

    def inputs(self, config: HandsConfig) -> list[str]:
        """Files of the session it reads besides the detections."""
        ...

    def outside(self, config: HandsConfig) -> dict[str, str]:
        """Files outside the session by name -> SHA-256 (`core.session.stage.ReadsOutside`)."""
        ...

    def read(
        self, folder: SessionFolder, ticks: Ticks, *, config: HandsConfig, progress: Progress
    ) -> SourceHands | LocatedHands:
        """All hands of the head stream. Raises HandoffError where the session has none to read."""
        ...
