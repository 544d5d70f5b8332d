"""A session's head video with its hands drawn in: H.264 that browsers play, at its real times."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInputError, StorageError
from core.geometry.cameras import Camera
from core.session.calibration import Calibration
from core.session.frames import open_frames
from core.session.info import SessionInfo
from core.session.layout import DETECTIONS, END_EFFECTORS, HANDS
from core.session.marks import require_output
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Detections, EndEffectors, Hands, Ticks
from hands.pictures.overlays import (
    DrawnHands,
    Image,
    caption,
    draw_hands,
    drawn_hands,
    write_caption,
)

CLOCK_HZ = 90_000
CRF = 23
PARTIAL = ".part"


def overlay_images(
    folder: SessionFolder, *, width: int | None, progress: Progress
) -> Iterator[tuple[int, Image]]:
    """``(timestamp_ns, image (H,W,3))`` of every tick, redacted, even in size, at most ``width``
    wide. Raises StaleError where the stage `hands` has not finished.
    """
    ticks = Ticks.read(folder)
    camera = Calibration.refined(folder).stream("head").camera
    drawn = _finished_hands(folder, ticks)
    progress.total(len(ticks), "frame")
    with open_frames(folder, "head", redact=True) as frames:
        for row, stamp in enumerate(ticks.timestamp_ns.tolist()):
            image = frames.near(stamp).image_rgb
            yield stamp, _drawn_picture(image, drawn, row, camera=camera, width=width)
            progress.advance()


def _finished_hands(folder: SessionFolder, ticks: Ticks) -> DrawnHands:
    for path in (HANDS, END_EFFECTORS):
        require_output(folder, path)
    detections = Detections.read(folder) if folder.exists(DETECTIONS) else None
    return drawn_hands(
        Hands.read(folder),
        EndEffectors.read(folder),
        ticks=ticks,
        origin_ns=SessionInfo.read(folder).clock_origin,
        detections=detections,
    )


def _drawn_picture(
    image_rgb: Image, drawn: DrawnHands, row: int, *, camera: Camera, width: int | None
) -> Image:
    import cv2

    picture = np.ascontiguousarray(image_rgb).copy()
    draw_hands(picture, drawn, row, camera=camera)
    wide, high = camera.size_wh
    scale = min(1.0, (width or wide) / wide)
    size = (max(2, int(wide * scale) // 2 * 2), max(2, int(high * scale) // 2 * 2))
    if size != (wide, high):
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    write_caption(picture, caption(drawn, row))
    return picture


def write_overlay_video(
    folder: SessionFolder, path: Path, *, width: int | None, progress: Progress
) -> int:
    """Write the mp4; gives the number of frames. Nothing is left at ``path`` if it fails."""
    import av

    if path.suffix != ".mp4":
        raise BadInputError(f"{path}: the overlay is an mp4; give a name that ends in .mp4")
    partial = path.with_name(path.name + PARTIAL)
    images = overlay_images(folder, width=width, progress=progress)
    first = next(images, None)
    if first is None:
        raise BadInputError(f"{folder.url}: no head frame to draw on; run: handoff status")
    try:
        with av.open(str(partial), "w", format="mp4", options={"movflags": "faststart"}) as file:
            count = _encode(file, first, images)
        partial.replace(path)
    except OSError as error:  # PyAV's errors are OSErrors
        why = f"{path}: cannot write: {error.strerror}"
        raise StorageError(f"{why}; free some space or choose another folder") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _encode(file: Any, first: tuple[int, Image], rest: Iterator[tuple[int, Image]]) -> int:
    import av

    start_ns, image = first
    stream = file.add_stream("libx264", rate=30)  # nominal: every frame carries its own time
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {"crf": str(CRF), "preset": "veryfast"}
    stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
    count = 0
    for stamp_ns, picture in _chained(first, rest):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = round((stamp_ns - start_ns) * CLOCK_HZ / 1e9)
        frame.time_base = Fraction(1, CLOCK_HZ)
        file.mux(stream.encode(frame))
        count += 1
    file.mux(stream.encode())
    return count


def _chained(first: tuple[int, Image], rest: Iterator[tuple[int, Image]]) -> Iterator[Any]:
    yield first
    yield from rest
