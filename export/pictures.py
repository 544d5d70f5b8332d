"""Pictures for an episode: the nearest real frame, redacted, fitted into the dataset's size."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.dataset.episode import BoolArray, IntArray
from core.dataset.video import Image
from core.session.frames import FrameReader, open_frames
from core.session.storage import SessionFolder

NEAR = 0.75  # of a period, source's or dataset's: a picture farther away is not of that time


@dataclass(frozen=True)
class Fit:
    """How a picture is placed: shrunk to ``inner_wh``, then padded to ``size_wh`` from
    ``offset``.
    """

    size_wh: tuple[int, int]
    inner_wh: tuple[int, int]

    @property
    def offset_px(self) -> tuple[int, int]:
        """Left and top padding in pixels."""
        return (self.size_wh[0] - self.inner_wh[0]) // 2, (self.size_wh[1] - self.inner_wh[1]) // 2

    def apply(self, image: Image) -> Image:
        """RGB ``(H, W, 3)`` in, ``(size_wh[1], size_wh[0], 3)`` out."""
        if (image.shape[1], image.shape[0]) != self.inner_wh:
            image = cv2.resize(image, self.inner_wh, interpolation=cv2.INTER_AREA)
        if self.inner_wh == self.size_wh:
            return image
        canvas = np.zeros((self.size_wh[1], self.size_wh[0], 3), dtype=np.uint8)
        left, top = self.offset_px
        canvas[top : top + self.inner_wh[1], left : left + self.inner_wh[0]] = image
        return canvas


def fitted_size(source_wh: tuple[int, int], limit_wh: tuple[int, int]) -> tuple[int, int]:
    """The largest even size of the same shape within a limit; pictures are never enlarged."""
    scale = min(limit_wh[0] / source_wh[0], limit_wh[1] / source_wh[1], 1.0)
    width, height = (max(2, round(side * scale / 2) * 2) for side in source_wh)
    return min(width, limit_wh[0] // 2 * 2), min(height, limit_wh[1] // 2 * 2)


def fit_into(source_wh: tuple[int, int], size_wh: tuple[int, int]) -> Fit:
    """Place pictures of one size into another without changing their shape."""
    return Fit(size_wh, fitted_size(source_wh, size_wh))


def picture_size(folder: SessionFolder, camera: str) -> tuple[int, int]:
    """Width and height of a stream's upright pictures."""
    with open_frames(folder, camera, redact=True) as reader:
        height, width = next(reader.iterate(stop=1)).image_rgb.shape[:2]
    return width, height


def near_enough(stamps_ns: IntArray, times_ns: IntArray, *, fps: int) -> BoolArray:
    """Which times ``(T,)`` have a picture of their own; stamps may be in any order."""
    stamps = np.sort(stamps_ns)
    period = float(np.median(np.diff(stamps))) if len(stamps) > 1 else 0.0
    after = np.clip(np.searchsorted(stamps, times_ns), 0, len(stamps) - 1)
    before = np.clip(after - 1, 0, None)
    away = np.minimum(np.abs(stamps[after] - times_ns), np.abs(times_ns - stamps[before]))
    result: BoolArray = away <= NEAR * max(period, 1e9 / fps)
    return result


def pictures_at(reader: FrameReader, times_ns: NDArray[np.int64], fit: Fit) -> Iterator[Image]:
    """One fitted picture per time, decoded in order."""
    for time_ns in times_ns:
        yield fit.apply(reader.near(int(time_ns)).image_rgb)


def open_pictures(folder: SessionFolder, camera: str) -> AbstractContextManager[FrameReader]:
    """Redacted pictures of one stream."""
    return open_frames(folder, camera, redact=True)
