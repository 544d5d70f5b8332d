"""A contact sheet of a take: a few moments, every camera, for a look before uploading."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from core.session.storage import SessionFolder

Image = NDArray[np.uint8]

TILE_WH = (240, 180)
MOMENTS = 6
NAME = "preview.jpg"
DURATION_UNIT = Fraction(1, 1_000_000)  # of a container's own length
FARTHEST_LEVEL = 1500  # depth further away is drawn alike


def write_preview(folder: SessionFolder, videos: Sequence[str]) -> str:
    """One row per video, `MOMENTS` columns; gives the file's name."""
    rows = [np.hstack(_moments(folder.local_path(video))) for video in videos]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])
    folder.write_bytes(NAME, bytes(data))
    return NAME


def _moments(path: Path) -> list[Image]:
    """Pictures spread over a video, found by seeking: long takes cost no more than short ones."""
    tiles = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        length = stream.duration or container.duration * DURATION_UNIT / stream.time_base
        for k in range(MOMENTS):
            container.seek(int(length * (k + 0.5) / MOMENTS), stream=stream)
            picture = _colours(next(container.decode(stream)))
            tiles.append(np.asarray(cv2.resize(picture, TILE_WH, interpolation=cv2.INTER_AREA)))
    return tiles


def _colours(frame: Any) -> Image:
    """RGB (H, W, 3) of a picture, or of depth levels: near is light, no reading black."""
    if frame.format.name != "gray16le":
        return np.asarray(frame.to_ndarray(format="rgb24"))
    levels = frame.to_ndarray(format="gray16le").astype(np.float64)
    grey = np.where(levels > 0, 255 - 215 * np.minimum(levels / FARTHEST_LEVEL, 1.0), 0)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
