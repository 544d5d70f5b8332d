"""The corners of every frame of a recording, kept on disk: 25 MiB a minute.

They are read a few frames at a time, so however long a recording is, only its map takes memory.
"""

import errno
import os
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.errors import StorageError
from core.geometry.arrays import Floats, Ints
from slam.sight.tracks import Change, Ranges, Tracks, ranging

# Of one frame's observations, in the order in which they are written: type and width.
COLUMNS = ((np.float64, 3), (np.float64, 1), (np.float32, 2), (np.int32, 1))
Seen = tuple[Ints, Floats, Floats, Floats]  # track, uv_px, rays and rad_per_px of one frame
BYTES = sum(np.dtype(kind).itemsize * width for kind, width in COLUMNS)


class Spool:
    """One frame's observations after another, in a temporary file that nobody else sees and that
    is gone with this object, or with the process, whatever ends it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, closed with this object
        weakref.finalize(self, self._file.close)
        self._starts = [0]
        self.n_tracks = 0

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def counts(self) -> Ints:
        """``(F,)`` how many observations every frame has."""
        return np.diff(self._starts)

    def append(self, seen: Seen) -> None:
        """The next frame, its tracks rising.

        Raises StorageError where the disk is full.
        """
        track, uv_px, rays, rad_per_px = seen
        columns = zip((rays, rad_per_px, uv_px, track), COLUMNS, strict=True)
        raw = b"".join(np.asarray(column, kind).tobytes() for column, (kind, _) in columns)
        try:
            self._file.seek(self._starts[-1] * BYTES)
            if self._file.write(raw) < len(raw):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise StorageError(
                f"{tempfile.gettempdir()}: {error.strerror}; following corners takes 25 MiB a "
                "minute there: make room, or name another folder in TMPDIR"
            ) from error
        self._starts.append(self._starts[-1] + len(track))
        self.n_tracks = max(self.n_tracks, int(track[-1]) + 1 if len(track) else 0)

    def read(self, frame: int) -> Seen:
        """One frame."""
        start, count = self._starts[frame], self._starts[frame + 1] - self._starts[frame]
        self._file.seek(start * BYTES)
        raw, at, found = self._file.read(count * BYTES), 0, []
        for kind, width in COLUMNS:
            column = np.frombuffer(raw, kind, count * width, at)
            found.append(column if width == 1 else column.reshape(count, width))
            at += column.nbytes
        rays, rad_per_px, uv_px, track = found
        return track.astype(np.int64), uv_px, rays, rad_per_px


@dataclass(frozen=True, eq=False)
class Followed:
    """All observations of F frames. n_tracks: one more than the largest id.

    timestamps_ns: ``(F,)`` strictly rising.   changes: made to whatever is read, in their order.
    """

    spool: Spool
    timestamps_ns: Ints
    n_tracks: int
    changes: tuple[Change, ...] = ()

    def of_frames(self, frames: Ints | Sequence[int]) -> Tracks:
        """Only these rising frames, renumbered 0 … in their order."""
        frames = np.asarray(frames, np.int64)
        read = [self.spool.read(frame) for frame in frames.tolist()]
        counts = np.array([len(track) for track, *_ in read], np.int64)
        none = np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros((0, 3)), np.zeros(0)
        track, uv_px, rays, rad_per_px = (
            np.concatenate(parts) for parts in zip(*(read or [none]), strict=True)
        )
        tracks = Tracks(
            np.repeat(np.arange(len(frames)), counts),
            track,
            uv_px,
            rays,
            rad_per_px,
            self.timestamps_ns[frames],
        )
        for change in self.changes:
            tracks = change(tracks)
        return tracks

    def changed(self, change: Change) -> "Followed":
        """With what ``change`` makes of the observations of any frames."""
        return replace(self, changes=(*self.changes, change))

    def beside(self, second: "Followed") -> "Followed":
        """With what a second camera saw at the same times, under ids of its own."""
        first_id = self.n_tracks

        def change(some: Tracks) -> Tracks:
            seen = second.of_frames(np.searchsorted(second.timestamps_ns, some.timestamps_ns))
            return some.merged(replace(seen, track=seen.track + first_id))

        return replace(self.changed(change), n_tracks=first_id + second.n_tracks)

    def ranged(self, told: Mapping[int, Ranges]) -> "Followed":
        """With ranges of all observations of these frames, told by one camera."""
        return self.changed(ranging(self.timestamps_ns, dict(told)))
