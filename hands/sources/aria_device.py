"""The hands that Aria Gen 2 tracks itself while it records: a stream of the VRS file.

Read with projectaria-tools. The head camera's place in the device is the file's own calibration of
its RGB camera, unless the settings give it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.cameras import turn_rotation
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.cameras.vrs import camera_of, open_vrs
from hands.config import HandsConfig
from hands.quiet import quiet_library
from hands.sources import aria
from hands.sources.protocol import LocatedHands
from hands.sources.settings import body_from_head, path_of

Floats = NDArray[np.float64]

HANDS_LABEL, HEAD_LABEL = "handtracking", "camera-rgb"


class AriaDevice:
    """Rows of the stream `handtracking`, in the head frame."""

    name = "aria_device"

    def inputs(self, config: HandsConfig) -> list[str]:
        """The VRS file. BadInputError where none is named."""
        example = "raw/recording.vrs"
        return [path_of(config, what="a Gen 2 recording in the session", example=example)]

    def outside(self, config: HandsConfig) -> dict[str, str]:
        """Nothing."""
        return {}

    def read(
        self, folder: SessionFolder, ticks: Ticks, *, config: HandsConfig, progress: Progress
    ) -> LocatedHands:
        """Raises BadInputError for a file without the stream."""
        path = folder.local_path(self.inputs(config)[0])
        provider = open_vrs(path)
        with quiet_library():
            device_ns, points, confidence = device_hands(provider, path)
            if config.source_body_from_head:
                head_from_device = body_from_head(config.source_body_from_head).inverse()
            else:
                turn = Calibration.read(folder).stream("head").rotate_deg
                head_from_device = head_from_device_of(provider, rotate_deg=turn)
        return aria.located(
            device_ns,
            points,
            confidence,
            head_from_device=head_from_device,
            config=config,
            sigma_m=np.inf,
        )


ARIA_DEVICE = AriaDevice()


def device_hands(provider: Any, path: Path) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Times ``(N,)`` ns, points ``(N,2,21,3)`` in the device, confidence ``(N,2)``, -1 for none."""
    stream = provider.get_stream_id_from_label(HANDS_LABEL)
    count = provider.get_num_data(stream) if stream is not None else 0
    if not count:
        raise BadInputError(
            f"{path}: no stream {HANDS_LABEL!r}: it was recorded without on-device hand tracking "
            "(Gen 1 has none); use hands.source=mediapipe or aria_mps"
        )
    times = np.zeros(count, dtype=np.int64)
    points = np.full((count, 2, 21, 3), np.nan)
    confidence = np.full((count, 2), -1.0)
    for row in range(count):
        data = provider.get_hand_pose_data_by_index(stream, row)
        times[row] = round(data.tracking_timestamp.total_seconds() * 1e6) * 1000
        for side, hand in enumerate((data.left_hand, data.right_hand)):
            if hand is not None:
                points[row, side] = np.asarray(hand.landmark_positions_device).reshape(21, 3)
                confidence[row, side] = hand.confidence
    return times, points, confidence


def head_from_device_of(provider: Any, *, rotate_deg: int) -> SE3:
    """From the file's calibration of the RGB camera, whose picture is turned by ``rotate_deg``."""
    _, device_from_camera = camera_of(provider, HEAD_LABEL)
    head_from_camera = SE3(turn_rotation(rotate_deg), np.zeros(3))
    return head_from_camera @ device_from_camera.inverse()
