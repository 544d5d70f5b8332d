"""Video files of a dataset: H.264 with a key frame every second frame, constant rate, exact frames.

Encoding costs about 4 ms of CPU per 640x480 frame and single-frame random access about 2 ms.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError

Image = NDArray[np.uint8]
KEY_EVERY = 2  # frames: random access decodes at most two
CRF = 23  # about 40 dB on real footage
THREADS = 2  # fixed, since the bytes x264 makes depend on it
PIXEL_STRIDE = 4  # of the pixels that enter the image statistics


@dataclass(frozen=True, eq=False)
class EncodedVideo:
    """frames: how many were written.   histogram: ``(3, 256)`` of sampled pixels, R, G, B."""

    frames: int
    histogram: NDArray[np.int64]


def encode_video(
    path: Path, frames: Iterable[Image], *, fps: int, size_hw: tuple[int, int], count: int
) -> EncodedVideo:
    """Write exactly ``count`` RGB frames ``(H, W, 3)`` uint8. Pixels of two frames a second are
    counted.
    """
    import av

    height, width = size_hw
    if height % 2 or width % 2:
        raise BadInputError(f"{path.name}: image size {width}x{height} must be even for H.264")
    histogram = np.zeros((3, 256), dtype=np.int64)
    written = 0
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream: Any = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        stream.codec_context.thread_count = THREADS
        stream.options = {"crf": str(CRF), "preset": "veryfast", "g": str(KEY_EVERY), "bf": "0"}
        for image in frames:
            if image.shape != (height, width, 3) or image.dtype != np.uint8:
                raise BadInputError(
                    f"{path.name}: frame {written} is {image.dtype} {image.shape}, "
                    f"expected uint8 {(height, width, 3)}"
                )
            if written % max(fps // 2, 1) == 0:
                histogram += _histogram(image)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            # left to encode(), this conversion is now and then not the same on a busy machine
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = written, Fraction(1, fps)
            container.mux(stream.encode(frame))
            written += 1
        container.mux(stream.encode())
    if written != count:
        raise BadInputError(f"{path.name}: {written} frames for an episode of {count}")
    return EncodedVideo(written, histogram)


def _histogram(image: Image) -> NDArray[np.int64]:
    sampled = image[::PIXEL_STRIDE, ::PIXEL_STRIDE]
    return np.stack([np.bincount(sampled[..., c].ravel(), minlength=256) for c in range(3)])


class VideoReader:
    """Random and sequential access by frame number in one constant-rate file."""

    def __init__(self, path: Path, *, fps: int) -> None:
        import av

        self.path = path
        self.fps = fps
        try:
            self._container: Any = av.open(str(path))
            self._stream = self._container.streams.video[0]
        except (OSError, IndexError) as error:  # PyAV's errors are OSErrors
            raise BadInputError(f"{path}: not a readable video: {error}") from error
        self._stream.codec_context.thread_count = 1
        self._stream.thread_type = "NONE"
        self._decoded: Iterator[Any] = iter(())
        self._next = -KEY_EVERY - 1  # nothing decoded yet: no frame is near
        self._last: tuple[int, Image] | None = None

    def close(self) -> None:
        """Release the file."""
        self._container.close()

    def read(self, index: int) -> Image:
        """Frame ``index`` as RGB ``(H, W, 3)`` uint8."""
        if self._last is not None and self._last[0] == index:
            return self._last[1]
        if not 0 <= index - self._next <= KEY_EVERY:
            self._seek(index)
        for frame in self._decoded:
            number = round(float(frame.pts * self._stream.time_base) * self.fps)
            self._next = number + 1
            if number == index:
                image: Image = frame.to_ndarray(format="rgb24")
                self._last = (index, image)
                return image
            if number > index:
                break
        raise BadInputError(f"{self.path}: holds no frame {index}")

    def _seek(self, index: int) -> None:
        target = round(index / self.fps / self._stream.time_base)
        self._container.seek(target, stream=self._stream, backward=True)
        self._decoded = self._container.decode(self._stream)


def count_frames(path: Path) -> tuple[int, float, tuple[int, int]]:
    """Packets, largest distance of a frame from a constant rate (s), and size (width, height)."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise BadInputError(f"{path}: not a readable video: its codec is unknown")
            base = float(stream.time_base or 0)
            times = sorted(
                packet.pts * base for packet in container.demux(stream) if packet.pts is not None
            )
            rate = float(stream.average_rate or 0)
            size = (stream.width, stream.height)
    except (OSError, IndexError) as error:
        raise BadInputError(f"{path}: not a readable video: {error}") from error
    off = max((abs(t - i / rate) for i, t in enumerate(times)), default=0.0) if rate else 0.0
    return len(times), off, size
