"""Hands of Aria's Machine Perception Services: hand_tracking_results.csv.

Landmarks are columns ``tx_left_landmark_0_device`` …, metres, device frame; rows come at the SLAM
cameras' rate in device time. Later services write the same columns to wrist_and_palm_poses.csv;
files of that name that hold only wrist and palm positions have no fingers and are refused.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.landmarks import SIDES
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.config import HandsConfig
from hands.sources import aria
from hands.sources.protocol import LocatedHands
from hands.sources.settings import body_from_head, path_of

Floats = NDArray[np.float64]

TIME = "tracking_timestamp_us"
MEAN_ERROR_M = 0.0197  # published mean keypoint error of MPS 3.2.0
SIGMA_M = MEAN_ERROR_M / 1.596  # per axis, were it Gaussian and the same in all directions


class AriaMps:
    """Rows of the CSV file, in the head frame."""

    name = "aria_mps"

    def inputs(self, config: HandsConfig) -> list[str]:
        """The CSV file. BadInputError where none is named."""
        example = "raw/hand_tracking_results.csv"
        return [path_of(config, what="MPS' hand tracking CSV in the session", example=example)]

    def outside(self, config: HandsConfig) -> dict[str, str]:
        """Nothing."""
        return {}

    def read(
        self, folder: SessionFolder, ticks: Ticks, *, config: HandsConfig, progress: Progress
    ) -> LocatedHands:
        """Raises BadInputError for a file without landmarks or settings without the extrinsics."""
        path = folder.local_path(self.inputs(config)[0])
        if not config.source_body_from_head:
            raise BadInputError(
                f"{path}: holds hands in the device frame; give hands.source_body_from_head, the "
                "head camera in the device (x,y,z,qw,qx,qy,qz; docs/hands.md says where it is)"
            )
        head_from_device = body_from_head(config.source_body_from_head).inverse()
        device_ns, points, confidence = read_hand_tracking(path)
        return aria.located(
            device_ns,
            points,
            confidence,
            head_from_device=head_from_device,
            config=config,
            sigma_m=SIGMA_M,
        )


ARIA_MPS = AriaMps()


def read_hand_tracking(path: Path) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Times ``(N,)`` ns, points ``(N,2,21,3)`` in the device, confidence ``(N,2)``, -1 for none."""
    import pyarrow as pa
    from pyarrow import csv

    confidences = [f"{side}_tracking_confidence" for side in SIDES]
    points = [
        f"t{axis}_{side}_landmark_{k}_device" for side in SIDES for k in range(21) for axis in "xyz"
    ]
    kinds = dict.fromkeys([*confidences, *points], pa.float64()) | {TIME: pa.int64()}
    columns = [TIME, *confidences, *points]
    options = csv.ConvertOptions(include_columns=columns, column_types=kinds)
    try:
        table = csv.read_csv(path, convert_options=options)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise BadInputError(
            f"{path}: no hand landmarks of MPS: {str(error).splitlines()[0]}; give "
            "hand_tracking_results.csv"
        ) from error
    if table.num_rows == 0:
        raise BadInputError(f"{path}: holds no rows; run MPS hand tracking again")
    values = np.stack([table[c].to_numpy() for c in points], axis=1).reshape(-1, 2, 21, 3)
    confidence = np.stack([table[c].to_numpy() for c in confidences], axis=1)
    if table[TIME].null_count:
        raise BadInputError(f"{path}: {TIME} has holes; run MPS hand tracking again")
    return 1000 * table[TIME].to_numpy(), values, np.nan_to_num(confidence, nan=-1.0)
