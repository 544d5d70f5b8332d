"""The pictures that corners are followed in: grey, perhaps shrunk, one for every tick."""

from typing import Any

import cv2
import numpy as np

from core.errors import BadInputError
from core.geometry.cameras import Camera
from core.session.frames import Frame
from core.session.storage import SessionFolder
from core.session.tables import Frames, Ticks
from slam.config import SlamConfig


def tracked_camera(camera: Camera, config: SlamConfig) -> Camera:
    """The camera of the (perhaps shrunk) images that corners are followed in."""
    width, height = camera.size_wh
    shrink = config.tracked_side_px / max(width, height)
    if shrink >= 1:
        return camera
    return camera.scaled((round(width * shrink), round(height * shrink)))


def grey_of(frame: Frame, size_wh: tuple[int, int]) -> Any:
    """The picture ``(H,W)`` uint8 in grey, at this size."""
    grey = cv2.cvtColor(frame.image_rgb, cv2.COLOR_RGB2GRAY)
    if grey.shape[::-1] != size_wh:
        grey = cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA)
    return grey


def tick_of_frame(folder: SessionFolder, ticks: Ticks, stream: str) -> dict[int, int]:
    """Row of the tick that every good frame of the head's stream stands for."""
    frames = Frames.read(folder)
    good = [
        name == stream and reason is None and index >= 0
        for name, reason, index in zip(
            frames.stream, frames.reason, frames.frame_index, strict=True
        )
    ]
    index = frames.frame_index[np.array(good, bool)]
    if len(index) != len(ticks):
        raise BadInputError(
            f"{folder.place(Frames.path)}: {len(index)} good frames of {stream!r}, but "
            f"{len(ticks)} ticks; run the capture stage again"
        )
    return {int(frame): tick for tick, frame in enumerate(index)}
