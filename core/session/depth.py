"""Depth pictures of a session: 16-bit grey levels, stored without loss, in a video of their own.

A level is a distance along the optical axis; the lowest and the highest are no reading.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.calibration import Calibration
from core.session.info import SessionInfo
from core.session.storage import SessionFolder
from core.session.tables import Frames
from core.session.video import opened_video

DEPTH_FORMATS = ("gray16le", "gray16be")
NO_READING = 65535  # what a Kinect writes, and what no scale of metres reaches


@dataclass(frozen=True, eq=False)
class DepthPicture:
    """depth_m: ``(H,W)`` float32 metres along the optical axis, upright, NaN where there is no
    reading.   timestamp_ns: session clock.
    """

    timestamp_ns: int
    depth_m: NDArray[np.float32]


def depth_streams(folder: SessionFolder) -> list[str]:
    """Names of the session's depth streams, in the order of session.json."""
    return [s.name for s in SessionInfo.read(folder).streams if s.kind == "depth"]


def depth_pictures(folder: SessionFolder, stream: str) -> Iterator[DepthPicture]:
    """Every good depth picture in order, decoded in one pass; the capture stage has run.

    Raises BadInputError for a stream that is no depth or does not decode.
    """
    known = Calibration.read(folder).stream(stream)
    if known.depth_unit_m is None:
        raise BadInputError(f"{folder.url}: stream {stream!r} is no depth; give it depth_unit_m")
    frames = Frames.read(folder)
    good = (frames.stream == stream) & (frames.frame_index >= 0) & ~frames.valid_of("reason")
    times_ns = dict(zip(frames.pts[good].tolist(), frames.timestamp_ns[good].tolist(), strict=True))
    path = folder.local_path(SessionInfo.read(folder).stream(stream).path)
    with opened_video(path) as (container, video):
        try:
            for picture in container.decode(video):
                if picture.pts in times_ns:
                    levels = picture.to_ndarray(format="gray16le")
                    turned = np.rot90(levels, k=-(known.rotate_deg // 90))
                    depth = turned.astype(np.float32) * np.float32(known.depth_unit_m)
                    read = (turned > 0) & (turned < NO_READING)
                    yield DepthPicture(times_ns[picture.pts], np.where(read, depth, np.nan))
        except av.FFmpegError as error:
            raise BadInputError(
                f"{path}: does not decode ({error.strerror}); copy it from the camera again"
            ) from error
