"""What a video file holds, read without decoding it: every picture's presentation stamp, size,
codec.

Costs one pass over the file's packets, plus decoding the first and the last pictures to prove that
they do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, StorageError

LATEST_S = 1 << 32  # later stamps, in seconds, would not fit int64 nanoseconds
# a recording names no other files: nothing but this file may be opened
_ONLY_FILES = {"protocol_whitelist": "file"}


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """One video track. n: pictures.   pts: (n,) int64, rising, in units of time_base seconds.

    size_wh: pixels as stored, before any turn.   rotate_deg: clockwise turn the file asks players
    for.
    average_rate_hz: as the container states it, 0 where it does not.   pixel_format: FFmpeg's name.
    pixel_aspect: width of a pixel over its height.   tracks: of pictures that the file holds.
    """

    size_wh: tuple[int, int]
    pts: NDArray[np.int64]
    time_base: Fraction
    n: int
    codec: str
    rotate_deg: int
    average_rate_hz: float
    pixel_format: str = ""
    pixel_aspect: float = 1.0
    tracks: int = 1

    @property
    def timestamps_ns(self) -> NDArray[np.int64]:
        """(n,) the stamps as nanoseconds, rounded to the nearest."""
        return ns_from_pts(self.pts, self.time_base)


def ns_from_pts(pts: NDArray[np.int64], time_base: Fraction) -> NDArray[np.int64]:
    """Exact integer arithmetic: floats would lose nanoseconds after a few days."""
    top, bottom = time_base.numerator * 1_000_000_000, time_base.denominator
    return np.array([(2 * int(p) * top + bottom) // (2 * bottom) for p in pts], dtype=np.int64)


@contextmanager
def opened_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first video track. BadInputError when the file is no video."""
    if not path.is_file():
        raise StorageError(f"{path}: cannot read: no such file; check the path")
    try:
        container = av.open(str(path), options=_ONLY_FILES)
    except (av.FFmpegError, ValueError) as error:
        raise BadInputError(f"{path}: not a readable video: {_why(path, error)}") from error
    with container:
        tracks = _tracks(container)
        if not tracks:
            raise BadInputError(f"{path}: holds no video track; give a file with pictures")
        yield container, tracks[0]


def _tracks(container: Any) -> list[Any]:
    """The video streams of a container, its cover picture left out."""
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def probe_video(path: Path) -> VideoInfo:
    """Stamps of all pictures of a video. BadInputError when there are none or the file is cut
    off.
    """
    with opened_video(path) as (container, stream):
        pts, skipped = _packet_stamps(path, container, stream)
        stated = int(stream.frames)
        if len(pts) == 0:
            raise BadInputError(f"{path}: holds no pictures (zero frames); record it again")
        if stated > len(pts) + skipped:
            raise BadInputError(
                f"{path}: cut off: its index names {stated} pictures, {len(pts) + skipped} are in "
                "the file; copy it from the camera again"
            )
        if abs(int(pts[-1])) * stream.time_base > LATEST_S:
            raise BadInputError(
                f"{path}: the last picture's stamp is {pts[-1]} x {stream.time_base} s, past "
                "every clock; the file is damaged: copy it from the camera again"
            )
        first = decode_at(path, container, stream, pts=int(pts[0]))
        decode_at(path, container, stream, pts=int(pts[-1]))
        return VideoInfo(
            size_wh=(int(first.width), int(first.height)),
            pts=pts,
            time_base=stream.time_base,
            n=len(pts),
            codec=str(stream.codec_context.name),
            rotate_deg=-int(first.rotation) % 360,
            average_rate_hz=float(stream.average_rate or 0),
            pixel_format=str(stream.codec_context.pix_fmt or ""),
            pixel_aspect=float(stream.sample_aspect_ratio or 1),
            tracks=len(_tracks(container)),
        )


def _packet_stamps(path: Path, container: Any, stream: Any) -> tuple[NDArray[np.int64], int]:
    """Stamps of the shown pictures, and how many more an edit list keeps for decoding only."""
    stamps: list[int] = []
    skipped = 0
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.is_discard:
                skipped += 1
                continue
            if packet.pts is None:
                raise BadInputError(
                    f"{path}: picture {len(stamps)} has no time stamp; "
                    "give an mp4, or a timestamps file in rig.toml"
                )
            stamps.append(int(packet.pts))
    except av.FFmpegError as error:
        raise BadInputError(
            f"{path}: damaged after {len(stamps)} pictures ({_reason(error)}); "
            "copy it from the camera again"
        ) from error
    return np.array(sorted(stamps), dtype=np.int64), skipped


def decode_at(path: Path, container: Any, stream: Any, *, pts: int) -> Any:
    """The decoded picture with this stamp, found from the keyframe before it."""
    for attempt in (pts, None):  # None: the index misled us, walk from the start
        try:
            if attempt is None:
                container.seek(0)
            else:
                container.seek(attempt, stream=stream, backward=True, any_frame=False)
            for picture in container.decode(stream):
                if picture.pts == pts:
                    return picture
                if picture.pts is not None and picture.pts > pts:
                    break
        except av.FFmpegError as error:
            raise BadInputError(
                f"{path}: the picture at stamp {pts} does not decode ({_reason(error)}); "
                "the file is damaged: copy it from the camera again"
            ) from error
    raise BadInputError(
        f"{path}: the picture at stamp {pts} is in the index but not in the file; "
        "the file is cut off: copy it from the camera again"
    )


def _why(path: Path, error: Exception) -> str:
    """What an unreadable file shows of itself, and the cure."""
    with path.open("rb") as file:
        start = file.read(12)
    if not start:
        return "the file is empty; copy it from the camera again"
    if start.startswith(b"VisionRe"):
        return "a VRS recording; write its camera as a video into a rig folder (docs/rig-folder.md)"
    if start[4:8] == b"ftyp":
        return (
            "cut off, for the index that cameras write last is missing; copy it from the camera "
            "again, or let the camera repair it"
        )
    return f"damaged or of another type ({_reason(error)}); copy it from the camera again"


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return str(strerror or error).splitlines()[0]
