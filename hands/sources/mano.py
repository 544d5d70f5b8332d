"""Hands of a MANO regressor of the HaMeR or WiLoR kind: their networks or their results.

Their licences forbid shipping them. What is read is the user's own: a network exported once with
torch.export (``.pt2``, anywhere), run here on the hands that `hands_detect` found; or a results
file (``.npz``, in the session). Pickles are never opened. Formats: docs/hands.md.

Their joints are MANO's. They enter the fit as MediaPipe's landmarks would lie (`landmark_mixing`).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.hashes import HashCache
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Detections, Frames, Ticks
from hands.config import HandsConfig
from hands.model.evidence import landmark_mixing
from hands.sources.mano_network import regress
from hands.sources.mano_results import read_results
from hands.sources.mediapipe import hands_of
from hands.sources.protocol import SourceHands
from hands.sources.settings import path_of

Floats = NDArray[np.float64]

NETWORK, RESULTS = ".pt2", ".npz"


class Mano:
    """A regressor's joints instead of MediaPipe's landmarks."""

    name = "mano"

    def inputs(self, config: HandsConfig) -> list[str]:
        """The results file, where one is used. BadInputError for files that are neither."""
        return [config.source_path] if _kind(config) == RESULTS else []

    def outside(self, config: HandsConfig) -> dict[str, str]:
        """The network, where one is used."""
        if _kind(config) != NETWORK:
            return {}
        return {"MANO network": HashCache.of_user().sha256(_network(config))}

    def read(
        self, folder: SessionFolder, ticks: Ticks, *, config: HandsConfig, progress: Progress
    ) -> SourceHands:
        """Raises BadInputError for results of other pictures, MissingExtraError without torch."""
        if _kind(config) == NETWORK:
            found = hands_of(Detections.read(folder), ticks)
            hands = regress(folder, found, network=_network(config), progress=progress)
        else:
            path = folder.local_path(config.source_path)
            results = read_results(path)
            row, known = rows_of_frames(folder, ticks, results.frame, path=path)
            order = np.flatnonzero(known)[np.argsort(row[known], kind="stable")]
            hands = SourceHands(
                row[order],
                results.left[order],
                results.joints_px[order],
                results.joints[order],
            )
        mixing = landmark_mixing()
        return SourceHands(
            hands.row, hands.left_label, mixing @ hands.raw21_px, mixing @ hands.raw21_in_hand
        )


MANO = Mano()


def _kind(config: HandsConfig) -> str:
    path = path_of(
        config, what="an exported network or a results file", example="/models/hamer.pt2"
    )
    suffix = Path(path).suffix
    if suffix not in {NETWORK, RESULTS}:
        raise BadInputError(
            f"hands: source_path={path!r}; give a network exported to {NETWORK} or a results file "
            f"{RESULTS} (checkpoints are pickles and are not opened: docs/hands.md says how to "
            "export one)"
        )
    return suffix


def _network(config: HandsConfig) -> Path:
    path = Path(config.source_path).expanduser()
    if not path.is_file():
        raise BadInputError(
            f"{path}: no such file; give hands.source_path a network exported to {NETWORK}"
        )
    return path


def rows_of_frames(
    folder: SessionFolder, ticks: Ticks, frame: NDArray[np.int64], *, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Tick rows ``(M,)`` of head pictures and which have one; BadInputError for pictures that are
    not there.
    """
    frames = Frames.read(folder)
    head = np.array([name == "head" for name in frames.stream]) & (frames.frame_index >= 0)
    time_of = dict(
        zip(frames.frame_index[head].tolist(), frames.timestamp_ns[head].tolist(), strict=True)
    )
    strangers = sorted(set(frame.tolist()) - set(time_of))
    if strangers:
        raise BadInputError(
            f"{path}: names picture {strangers[0]}, but the head stream has {len(time_of)}; give "
            "the results of this video"
        )
    row_of = {int(t): row for row, t in enumerate(ticks.timestamp_ns)}
    row = np.array([row_of.get(time_of[k], -1) for k in frame.tolist()], dtype=np.int64)
    return row, row >= 0
