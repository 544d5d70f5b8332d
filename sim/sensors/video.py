"""Writing videos with real presentation times, as a camera's recorder does.

Pictures are H.264 in mp4 without B-frames, as encoders in cameras write it; depth is FFV1 in
Matroska, 16 bits without loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

GOP = 30
SOUND_BITS_PER_S = 96_000


@dataclass(frozen=True)
class Format:
    """How one kind of stream is stored."""

    container: str
    codec: str
    ticks_per_s: int
    pixels: str
    given: str
    options: dict[str, str]


H264 = Format(
    "mp4", "libx264", 90_000, "yuv420p", "rgb24",
    {"preset": "veryfast", "bf": "0", "g": str(GOP), "threads": "1"},
)  # fmt: skip
FFV1 = Format("matroska", "ffv1", 1000, "gray16le", "gray16le", {})
FORMATS = {"mp4": H264, "mkv": FFV1}


class VideoWriter:
    """One file of the kind its format says. Frames go in with their time; a context manager.

    crf: H.264's quality.  sound_hz: samples a second of a sound track beside the pictures, if any.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        *,
        kind: Format,
        fps: float,
        crf: int = 20,
        sound_hz: int = 0,
    ) -> None:
        self._kind = kind
        self._container = av.open(str(path), "w", format=kind.container)
        rate = Fraction(fps).limit_denominator(1001)
        stream = self._container.add_stream(kind.codec, rate=rate)
        stream.width, stream.height = size_wh
        stream.pix_fmt = kind.pixels
        stream.time_base = Fraction(1, kind.ticks_per_s)
        stream.codec_context.time_base = Fraction(1, kind.ticks_per_s)
        stream.options = kind.options | ({"crf": str(crf)} if kind is H264 else {})
        self._stream = stream
        self._sound: Any = None
        if sound_hz:
            self._sound = self._container.add_stream("aac", rate=sound_hz, layout="mono")
            self._sound.bit_rate = SOUND_BITS_PER_S
        self.heard = 0

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Append sound (N,) of full scale to the file's track."""
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = self._sound.rate
        frame.pts, frame.time_base = self.heard, Fraction(1, self._sound.rate)
        self.heard += len(samples)
        self._container.mux(self._sound.encode(frame))

    def add(self, image: NDArray[np.uint8] | NDArray[np.uint16], seconds: float) -> None:
        """Append a frame, RGB (H, W, 3) or depth levels (H, W), ``seconds`` after the start."""
        frame = av.VideoFrame.from_ndarray(image, format=self._kind.given)
        frame.pts = round(seconds * self._kind.ticks_per_s)
        frame.time_base = Fraction(1, self._kind.ticks_per_s)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Flush and finish the file."""
        self._container.mux(self._stream.encode())
        if self._sound is not None:
            self._container.mux(self._sound.encode())
        self._container.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
