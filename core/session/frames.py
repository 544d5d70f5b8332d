"""Pixels by timestamp: the only way they leave the raw folder, upright and, by default, redacted.

``open_frames(folder, "head")`` for the stages' sessions, ``open_video(path)`` before a session
exists. Iterating decodes once, in order, and holds one picture; ``read`` and ``near`` jump to a
keyframe when that is shorter.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.calibration import Calibration
from core.session.info import SessionInfo
from core.session.layout import CALIBRATION, REDACTIONS
from core.session.storage import SessionFolder
from core.session.tables import Frames, Redactions
from core.session.video import VideoInfo, decode_at, opened_video, probe_video

__all__ = ["Frame", "FrameReader", "VideoInfo", "open_frames", "open_video", "probe_video"]

NEAR_FRAMES = 24  # decoding so many pictures on costs less than a jump to a keyframe


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture. image_rgb: (H,W,3) uint8, upright.   timestamp_ns: session clock."""

    frame_index: int
    timestamp_ns: int
    image_rgb: NDArray[np.uint8]


class FrameReader:
    """Pictures of one stream. A context manager; not for use by two threads at once.

    frame_index, pts, timestamps_ns: (N,) for every picture in the file, in display order.
    rotate_deg: clockwise turn applied.   boxes: frame_index -> (K,4) xyxy in upright pixels to
    paint over.
    size_wh: expected upright size, checked at the first picture.
    """

    def __init__(
        self,
        path: Path,
        *,
        frame_index: NDArray[np.int32],
        pts: NDArray[np.int64],
        timestamps_ns: NDArray[np.int64],
        rotate_deg: int = 0,
        boxes: dict[int, NDArray[np.float32]] | None = None,
        size_wh: tuple[int, int] | None = None,
    ) -> None:
        self.path = path
        self.frame_index = frame_index
        self.pts = pts
        self.timestamps_ns = timestamps_ns
        self.rotate_deg = rotate_deg
        self._boxes = boxes or {}
        self._size_wh = size_wh
        self._row_of_index = {int(index): row for row, index in enumerate(frame_index)}
        self._row_of_pts = {int(stamp): row for row, stamp in enumerate(pts)}
        self._open = ExitStack()
        self._container: Any = None
        self._stream: Any = None
        self._into_rgb = VideoReformatter()  # kept: what it sets up costs more than a picture
        self._walk: Iterator[tuple[int, Any]] | None = None  # decoding in progress, after _row
        self._row = -1
        self._last: Frame | None = None

    def __enter__(self) -> Self:
        self._container, self._stream = self._open.enter_context(opened_video(self.path))
        self._stream.thread_type = "AUTO"
        return self

    def __exit__(self, *error: object) -> None:
        self._walk = None
        self._open.close()

    def __len__(self) -> int:
        return len(self.frame_index)

    def __iter__(self) -> Iterator[Frame]:
        return self.iterate()

    def iterate(self, *, step: int = 1, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Every step-th picture of rows start … stop, decoded in one pass. BadInputError when cut
        off.
        """
        last = len(self) if stop is None else min(stop, len(self))
        for row in range(start, last, step):
            yield self._frame(row)

    def read(self, frame_index: int) -> Frame:
        """The picture with this frame_index."""
        if frame_index not in self._row_of_index:
            raise BadInputError(f"{self.path}: no frame {frame_index}; it has {len(self)} frames")
        return self._frame(self._row_of_index[frame_index])

    def near(self, timestamp_ns: int) -> Frame:
        """The picture whose time is nearest (the earlier of two equally near)."""
        return self._frame(self.row_near(timestamp_ns))

    def row_near(self, timestamp_ns: int) -> int:
        """Row of the picture whose time is nearest."""
        if len(self) == 0:
            raise BadInputError(f"{self.path}: holds no frames")
        return int(np.argmin(np.abs(self.timestamps_ns - np.int64(timestamp_ns))))

    def _frame(self, row: int) -> Frame:
        if self._last is not None and self._row == row:
            return self._last
        picture = self._into_rgb.reformat(self._picture(row), format="rgb24", threads=1)
        image = upright(np.asarray(picture.to_ndarray(), dtype=np.uint8), self.rotate_deg)
        self._check_size(image)
        index = int(self.frame_index[row])
        if index in self._boxes:
            image = painted(image, self._boxes[index])
        self._row = row
        self._last = Frame(index, int(self.timestamps_ns[row]), image)
        return self._last

    def _picture(self, row: int) -> Any:
        """Decode on from where we are when the row is a little ahead, else from a keyframe before
        it.
        """
        if self._container is None:
            raise RuntimeError("use the reader as a context manager: with open_frames(…) as frames")
        ahead = row - self._row
        if self._walk is None or not 0 < ahead <= NEAR_FRAMES:
            self._jump(row)
        assert self._walk is not None
        for found, picture in self._walk:
            if found == row:
                return picture
            if found > row:
                break
        self._walk = None
        stamp = int(self.pts[row])
        return decode_at(self.path, self._container, self._stream, pts=stamp)

    def _jump(self, row: int) -> None:
        if not (self._row == -1 and row == 0):
            self._container.seek(int(self.pts[row]), stream=self._stream, backward=True)
        self._walk = self._decoded()

    def _decoded(self) -> Iterator[tuple[int, Any]]:
        try:
            for picture in self._container.decode(self._stream):
                row = self._row_of_pts.get(picture.pts)
                if row is not None:
                    yield row, picture
        except av.FFmpegError as error:
            raise BadInputError(
                f"{self.path}: does not decode after frame {self._row} ({error.strerror}); "
                "the file is damaged: copy it from the camera again"
            ) from error

    def _check_size(self, image: NDArray[np.uint8]) -> None:
        found = (image.shape[1], image.shape[0])
        if self._size_wh is not None and found != self._size_wh:
            wide, high = self._size_wh
            raise BadInputError(
                f"{self.path}: pictures are {found[0]}x{found[1]} upright, the calibration is for "
                f"{wide}x{high}; give the calibration of this resolution"
            )


def upright(image: NDArray[np.uint8], rotate_deg: int) -> NDArray[np.uint8]:
    """Turn an image (H,W,C) clockwise by 0, 90, 180 or 270 degrees."""
    if rotate_deg == 0:
        return image
    return np.ascontiguousarray(np.rot90(image, k=-(rotate_deg // 90)))


def painted(image_rgb: NDArray[np.uint8], boxes_xyxy_px: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A copy with every box (K,4) black; a pixel that a box touches at all is painted."""
    image = image_rgb.copy()
    height, width = image.shape[:2]
    for x0, y0, x1, y1 in boxes_xyxy_px.tolist():
        left, right = max(0, int(np.floor(x0))), min(width, int(np.ceil(x1)) + 1)
        top, bottom = max(0, int(np.floor(y0))), min(height, int(np.ceil(y1)) + 1)
        if left < right and top < bottom:
            image[top:bottom, left:right] = 0
    return image


def open_frames(folder: SessionFolder, stream: str, redact: bool = True) -> FrameReader:
    """The pictures of one stream of a session whose capture stage has run.

    redact: paint the boxes of capture/redactions.parquet; only the redactor and the estimating
    stages may ask for False. Times and indices come from capture/frames.parquet.
    """
    path = folder.local_path(SessionInfo.read(folder).stream(stream).path)
    frames = Frames.read(folder)
    mine = frames.take(
        np.array([name == stream for name in frames.stream], dtype=bool) & (frames.frame_index >= 0)
    )
    if len(mine) == 0:
        raise BadInputError(f"{folder.place(frames.path)}: no frames of stream {stream!r}")
    rotate_deg, size_wh = 0, None
    if folder.exists(CALIBRATION):
        known = Calibration.read(folder).streams.get(stream)
        if known is not None:
            rotate_deg = known.rotate_deg
            size_wh = (int(known.camera.size_wh[0]), int(known.camera.size_wh[1]))
    return FrameReader(
        path,
        frame_index=mine.frame_index,
        pts=mine.pts,
        timestamps_ns=mine.timestamp_ns,
        rotate_deg=rotate_deg,
        boxes=_boxes(folder, stream) if redact else None,
        size_wh=size_wh,
    )


def _boxes(folder: SessionFolder, stream: str) -> dict[int, NDArray[np.float32]]:
    if not folder.exists(REDACTIONS):
        return {}
    table = Redactions.read(folder)
    rows: dict[int, list[int]] = {}
    for row, (name, index) in enumerate(zip(table.stream, table.frame_index, strict=True)):
        if name == stream:
            rows.setdefault(int(index), []).append(row)
    return {index: table.box_xyxy_px[found] for index, found in rows.items()}


def open_video(path: Path, rotate_deg: int | None = None) -> FrameReader:
    """The pictures of any video file by its own stamps; turned as the file asks unless told
    otherwise.
    """
    info = probe_video(path)
    return FrameReader(
        path,
        frame_index=np.arange(info.n, dtype=np.int32),
        pts=info.pts,
        timestamps_ns=info.timestamps_ns,
        rotate_deg=info.rotate_deg if rotate_deg is None else rotate_deg,
    )
