"""A contact sheet of a take: a few moments, every camera, for a look before uploading."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from core.session.storage import SessionFolder

Image = NDArray[np.uint8]

TILE_WH = (240, 180)
MOMENTS = 6
NAME = "preview.jpg"


def write_preview(folder: SessionFolder, streams: tuple[str, ...]) -> str:
    """One row per stream, `MOMENTS` columns; gives the file's name."""
    rows = [np.hstack(_moments(folder.local_path(f"{stream}.mp4"))) for stream in streams]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])
    folder.write_bytes(NAME, bytes(data))
    return NAME


def _moments(path: Path) -> list[Image]:
    """Pictures spread over a video, found by seeking: long takes cost no more than short ones."""
    tiles = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        length = stream.duration or 0
        for k in range(MOMENTS):
            container.seek(int(length * (k + 0.5) / MOMENTS), stream=stream)
            picture = next(container.decode(stream)).to_ndarray(format="rgb24")
            tiles.append(np.asarray(cv2.resize(picture, TILE_WH, interpolation=cv2.INTER_AREA)))
    return tiles
