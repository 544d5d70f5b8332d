"""GPMF, the telemetry of action cameras: keys, lengths and values inside an mp4's ``gpmd`` track.

The format is GoPro's (github.com/gopro/gpmf-parser): a four-letter key, a type letter, the size of
one sample, how many there are, big-endian values, padded to 32 bits; type 0 nests. Costs one pass
over the telemetry (before PyAV 18: over the file); no picture is decoded.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.video import ns_from_pts, opened_video

TYPES = {"b": "i1", "B": "u1", "s": ">i2", "S": ">u2", "l": ">i4", "L": ">u4", "j": ">i8"}
TYPES |= {"J": ">u8", "f": ">f4", "d": ">f8"}
LARGEST_BOX = 1 << 24  # of settings: a few kilobytes in every file seen
NESTED = "\0"


@dataclass(frozen=True)
class Entry:
    """One key of a stream. kind: type letter.   size: bytes of a sample.   data: all samples."""

    key: str
    kind: str
    size: int
    data: bytes

    def numbers(self) -> NDArray[np.float64]:
        """``(samples, values)``; BadInputError for a type that holds no numbers."""
        if self.kind not in TYPES or self.size % np.dtype(TYPES[self.kind]).itemsize:
            raise BadInputError(f"{self.key} of type {self.kind!r} and {self.size} bytes")
        values = np.frombuffer(self.data, dtype=TYPES[self.kind]).astype(np.float64)
        return values.reshape(-1, self.size // np.dtype(TYPES[self.kind]).itemsize)

    def integer(self) -> int:
        """The first value, exact."""
        if self.kind not in TYPES or not self.data:
            raise BadInputError(f"{self.key} of type {self.kind!r} holds no number")
        return int(np.frombuffer(self.data, dtype=TYPES[self.kind])[0])

    def text(self) -> str:
        """Its letters; SI units use Latin-1."""
        return self.data.decode("latin-1").rstrip("\0 ").strip()


Stream = dict[str, Entry]


@dataclass(frozen=True)
class Packet:
    """Telemetry of about a second. start_ns: on the container's clock.   streams: by their keys."""

    start_ns: int
    streams: tuple[Stream, ...]

    def stream(self, key: str) -> Stream | None:
        """The first stream that holds this key."""
        return next((s for s in self.streams if key in s), None)


def read_packets(path: Path) -> list[Packet]:
    """All packets of a video's telemetry track; none where there is no such track.

    Raises BadInputError where a packet is cut off or times do not rise.
    """
    packets: list[Packet] = []
    for start_ns, data in _track(path):
        place = f"telemetry packet {len(packets)} (at {start_ns / 1e9:.3f} s)"
        if packets and start_ns <= packets[-1].start_ns:
            raise BadInputError(f"{place} is not after the one before it")
        packets.append(Packet(start_ns, tuple(_streams(data, place))))
    return packets


def read_settings(path: Path) -> Stream:
    """The recording's settings: the keys of the mp4's ``moov/udta/GPMF`` box, {} where absent."""
    with path.open("rb") as file:
        data = _box(file, path.stat().st_size, names=(b"moov", b"udta", b"GPMF"))
    merged: Stream = {}
    for stream in _streams(data, "the settings (GPMF box)"):
        merged = {**stream, **merged}
    return merged


def text_of(stream: Stream, key: str) -> str:
    """The letters of a key, "" where the stream does not have it."""
    return stream[key].text() if key in stream else ""


def _track(path: Path) -> list[tuple[int, bytes]]:
    """Start and bytes of every packet of the first data track that begins as GPMF does."""
    found: dict[int, list[tuple[int, bytes]]] = {}
    with opened_video(path) as (container, _):
        tracks = list(container.streams.data)
        if not tracks:
            return []
        discard = getattr(av.stream, "Discard", None)  # PyAV 18: others are not even read
        for other in container.streams:
            if discard is not None and other not in tracks:
                other.discard = discard.all
        try:
            for packet in container.demux(tracks):
                if packet.size and packet.pts is not None:
                    pts = np.array([packet.pts])
                    start = int(ns_from_pts(pts, packet.time_base)[0])
                    found.setdefault(packet.stream_index, []).append((start, bytes(packet)))
        except av.FFmpegError as error:
            raise BadInputError(f"the telemetry track is damaged ({error.strerror})") from error
    return next((p for p in found.values() if p[0][1][:4] == b"DEVC"), [])


def _streams(data: bytes, place: str) -> Iterator[Stream]:
    """What each device's streams hold; a key that repeats keeps its last value."""
    for device in _entries(data, place):
        if device.key != "DEVC":
            continue
        common: Stream = {}
        for entry in _entries(device.data, place):
            if entry.key != "STRM":
                common[entry.key] = entry
                continue
            yield {**common, **{e.key: e for e in _entries(entry.data, place)}}


def _entries(data: bytes, place: str) -> Iterator[Entry]:
    at = 0
    while at + 8 <= len(data) and data[at : at + 4] != b"\0\0\0\0":
        key, kind, size, count = struct.unpack_from(">4sBBH", data, at)
        length, at = size * count, at + 8
        if at + length > len(data):
            raise BadInputError(f"{place} is cut off in {key.decode('latin-1')!r}")
        yield Entry(key.decode("latin-1"), chr(kind), size, data[at : at + length])
        at += (length + 3) // 4 * 4


def _box(file: BinaryIO, end: int, *, names: tuple[bytes, ...]) -> bytes:
    """The bytes of a nested mp4 box, b"" where it is not there."""
    at = file.tell()
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            size, header = struct.unpack(">Q", file.read(8))[0], 16
        size = end - at if size == 0 else size
        if size < header:
            return b""
        if name == names[0] and len(names) == 1:
            return file.read(min(size - header, end - at - header, LARGEST_BOX))
        if name == names[0] and (found := _box(file, min(at + size, end), names=names[1:])):
            return found
        at += size
    return b""
