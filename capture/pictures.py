"""One pass over a video's pictures: does each decode, and are they sharp and well lit?

Costs one decode of the file; only the sampled pictures are converted to grey. Judged on the
recorded picture, scaled to 640 pixels wide so that figures compare across cameras.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.stage import Progress
from core.session.video import VideoInfo, opened_video

JUDGED_WIDTH = 640
LARGEST_PX = 8192 * 8192  # a header may claim any size: refuse before memory is asked for
DARK, BRIGHT = 8, 247  # grey levels that count as under- and overexposed


@dataclass(frozen=True, eq=False)
class PictureFacts:
    """decoded: pictures that came out.   damaged: how many of them the decoder had to patch up.

    sharpness: ``(S,)`` variance of the Laplacian.

    brightness: ``(S,)`` mean grey level 0-255.   dark, bright: ``(S,)`` shares of clipped pixels.
    """

    decoded: int
    damaged: int
    sharpness: NDArray[np.float64]
    brightness: NDArray[np.float64]
    dark: NDArray[np.float64]
    bright: NDArray[np.float64]


def refuse_giant(path: Path) -> None:
    """Refuse a picture size that no camera here makes, from the header alone."""
    with opened_video(path) as (_, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > LARGEST_PX:
        raise BadInputError(f"{path}: pictures of {width}x{height}; at most 8192x8192 are decoded")


def look_through(
    path: Path, info: VideoInfo, *, samples: int, decode_all: bool, progress: Progress
) -> PictureFacts:
    """Decode the file from start to end and judge ``samples`` evenly spread pictures.

    With ``decode_all`` a picture that does not decode is an error; without it only the sampled
    stretch of the first ``samples`` pictures is decoded.
    """
    last = info.n if decode_all else min(samples, info.n)
    chosen = set(np.linspace(0, last - 1, min(samples, last)).round().astype(int).tolist())
    judged: list[tuple[float, float, float, float]] = []
    decoded, damaged = 0, 0
    with opened_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        try:
            for picture in container.decode(stream):
                if decoded in chosen:
                    judged.append(_judge(picture))
                decoded += 1
                damaged += bool(picture.is_corrupt)
                progress.advance()
                if decoded == last:
                    break
        except av.FFmpegError as error:
            raise BadInputError(
                f"{path}: does not decode after picture {decoded} of {info.n} ({error.strerror}); "
                "the file is damaged: copy it from the camera again"
            ) from error
    if decoded < last:
        raise BadInputError(
            f"{path}: only {decoded} of the {info.n} pictures in its index decode; the file is cut "
            "off or damaged: copy it from the camera again"
        )
    columns = np.array(judged, dtype=np.float64).T
    return PictureFacts(decoded, damaged, *columns)


def _judge(picture: Any) -> tuple[float, float, float, float]:
    import cv2

    grey = picture.to_ndarray(format="gray")
    scale = JUDGED_WIDTH / grey.shape[1]
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    sharpness = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    dark, bright = float(np.mean(grey < DARK)), float(np.mean(grey > BRIGHT))
    return sharpness, float(grey.mean()), dark, bright
