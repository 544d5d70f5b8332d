"""What the `hands_detect` stage found with MediaPipe's networks: the default."""

import numpy as np

from core.errors import BadInputError
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Detections, Ticks
from hands.config import HandsConfig
from hands.sources.protocol import SourceHands


class MediaPipe:
    """Hands of hands/detections.parquet."""

    name = "mediapipe"

    def inputs(self, config: HandsConfig) -> list[str]:
        """Nothing besides the detections."""
        return []

    def outside(self, config: HandsConfig) -> dict[str, str]:
        """Nothing: the model has done its work in `hands_detect`."""
        return {}

    def read(
        self, folder: SessionFolder, ticks: Ticks, *, config: HandsConfig, progress: Progress
    ) -> SourceHands:
        """Raises BadInputError for detections of other ticks."""
        return hands_of(Detections.read(folder), ticks)


MEDIAPIPE = MediaPipe()


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
