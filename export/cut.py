"""Where episodes begin and end, and what is being done at any time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.dataset.episode import BoolArray
from core.dataset.subtasks import SubtaskTable, training_text
from core.session.tables import Segments

TRUST = {"reviewed": 3, "accepted": 2, "proposed": 1}  # disputed labels are not exported


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One episode, half-open [start_ns, end_ns).   labelled: False where the whole session is
    one.
    """

    start_ns: int
    end_ns: int
    task: str
    success: bool | None = None
    labelled: bool = True


def cut_session(segments: Segments, *, start_ns: int, end_ns: int, task: str) -> list[Cut]:
    """Episodes in time order: labelled ones, else proposed ones, else the whole session as one.

    start_ns, end_ns: the recording's span.   task: the session's own, used where a label has none.
    """
    rows = [row for row in range(len(segments)) if segments.track[row] == "episode"]
    rows = [row for row in rows if segments.state[row] in TRUST]
    sure = [row for row in rows if TRUST[segments.state[row]] > 1]
    cuts = [
        Cut(
            start_ns=max(int(segments.start_ns[row]), start_ns),
            end_ns=min(int(segments.end_ns[row]), end_ns),
            task=segments.task[row] or segments.text[row] or task,
            success=segments.success[row],
        )
        for row in sure or rows
    ]
    cuts = sorted((cut for cut in cuts if cut.end_ns > cut.start_ns), key=lambda cut: cut.start_ns)
    return cuts or [Cut(start_ns=start_ns, end_ns=end_ns, task=task, labelled=False)]


def used_stretches(seen: BoolArray, *, max_empty: int, trim: bool) -> list[tuple[int, int]]:
    """Runs of frames to keep, half-open: ends without a hand trimmed, long holes cut out.

    seen: ``(T,)`` whether either hand is valid.   max_empty: frames of a hole that may stay.
    """
    if not trim:
        return [(0, len(seen))]
    where = np.flatnonzero(seen)
    if len(where) == 0:
        return []
    breaks = np.flatnonzero(np.diff(where) - 1 > max_empty)
    starts = [where[0], *where[breaks + 1]]
    ends = [*where[breaks], where[-1]]
    return [(int(a), int(b) + 1) for a, b in zip(starts, ends, strict=True)]


@dataclass(frozen=True, eq=False, kw_only=True)
class SubtaskTracks:
    """Rows of ``texts`` per frame, ``(T,)`` int64 each; row 0 is unlabelled."""

    texts: tuple[str, ...]
    subtask: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]


def subtasks_at(segments: Segments, times_ns: NDArray[np.int64]) -> SubtaskTracks:
    """What each arm does at these times; of overlapping labels the more trusted one counts."""
    table = SubtaskTable()
    tracks = {track: _texts_at(segments, track, times_ns) for track in ("left", "right", "both")}
    whole = [
        training_text(left, right, both=both)
        for left, right, both in zip(*(tracks[t] for t in ("left", "right", "both")), strict=True)
    ]
    rows = [
        np.array([table.row(text) for text in texts], dtype=np.int64)
        for texts in (whole, tracks["left"], tracks["right"])
    ]
    return SubtaskTracks(texts=tuple(table.texts), subtask=rows[0], left=rows[1], right=rows[2])


def _texts_at(segments: Segments, track: str, times_ns: NDArray[np.int64]) -> list[str]:
    texts = np.full(len(times_ns), "", dtype=object)
    rows = [
        row
        for row in range(len(segments))
        if segments.track[row] == track and segments.text[row] and segments.state[row] in TRUST
    ]
    for row in sorted(rows, key=lambda row: TRUST[str(segments.state[row])]):
        inside = (times_ns >= segments.start_ns[row]) & (times_ns < segments.end_ns[row])
        texts[inside] = segments.text[row]
    return [str(text) for text in texts]
