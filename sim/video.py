"""Writing H.264 with real presentation times, as a camera's recorder does."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from numpy.typing import NDArray

TICKS_PER_S = 90_000


class VideoWriter:
    """One mp4. Frames go in with their time; use as a context manager."""

    def __init__(
        self, path: Path, size_wh: tuple[int, int], *, fps: float, crf: int, gop: int = 30
    ) -> None:
        self._container = av.open(str(path), "w", format="mp4")
        stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, TICKS_PER_S)
        stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        stream.options = {"crf": str(crf), "preset": "veryfast", "g": str(gop), "threads": "2"}
        self._stream = stream
        self.count = 0

    def add(self, image_rgb: NDArray[np.uint8], seconds: float) -> None:
        """Append a frame shown ``seconds`` after the stream's start."""
        frame = av.VideoFrame.from_ndarray(image_rgb, format="rgb24")
        frame.pts = round(seconds * TICKS_PER_S)
        frame.time_base = Fraction(1, TICKS_PER_S)
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def close(self) -> None:
        """Flush and finish the file."""
        self._container.mux(self._stream.encode())
        self._container.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
