"""Frames by their real times: which are missing, repeated or late, and which wrist image is whose.

Frame rates vary (phones slow down in the dark), so a step is judged against the median step around
it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from capture.config import CaptureConfig
from core.geometry.clock import median_period_ns, resample_indices
from core.session.tables import Frames, Ticks

MOST_FILLED = 1000  # a hole of more periods than this is a pause: 2 s at 500 pictures a second
LATE_BEFORE, LATE_AFTER = 1.5, 0.5  # a long step then a short one: the picture came late


def index_frames(
    name: str, pts: NDArray[np.int64], *, times_ns: NDArray[np.int64], config: CaptureConfig
) -> Frames:
    """One row per picture, and one per dropped picture with an estimated time.

    pts, times_ns: ``(N,)`` of the pictures in display order; times never fall. A repeated time is a
    ``duplicate``; a picture that came more than half a period late, with the next one on time
    again, is ``late``.
    """
    reason = np.full(len(pts), None, dtype=object)
    fresh = np.diff(times_ns, prepend=times_ns[:1] - 1) > 0
    reason[~fresh] = "duplicate"
    kept = np.flatnonzero(fresh)
    periods = local_periods(times_ns[kept], config.local_steps)
    late = late_pictures(times_ns[kept], periods)
    reason[kept[late]] = "late"
    lost = dropped_times(times_ns[kept], periods, late=late, config=config)
    count = len(lost)
    times = np.concatenate([times_ns, lost])
    order = np.argsort(times, kind="stable")
    return Frames(
        stream=np.full(len(times), name, dtype=object),
        frame_index=np.concatenate([np.arange(len(pts)), np.full(count, -1)]).astype(np.int32)[
            order
        ],
        pts=np.concatenate([pts, np.full(count, -1)]).astype(np.int64)[order],
        timestamp_ns=times[order],
        reason=np.concatenate([reason, np.full(count, "dropped", dtype=object)])[order],
    )


def local_periods(times_ns: NDArray[np.int64], window: int) -> NDArray[np.float64]:
    """``(N-1,)`` the median of the steps around each step, in nanoseconds."""
    steps = np.diff(times_ns).astype(np.float64)
    if len(steps) == 0:
        return steps
    return np.asarray(median_filter(steps, size=min(window, len(steps)), mode="mirror"))


def late_pictures(times_ns: NDArray[np.int64], periods: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``(N,)``: pictures after a long step and before a short one, so that none is missing."""
    late = np.zeros(len(times_ns), dtype=bool)
    steps = np.diff(times_ns)
    if len(steps) > 1:
        long_before = steps[:-1] > LATE_BEFORE * periods[:-1]
        together = steps[:-1] + steps[1:] < (LATE_BEFORE + 1) * periods[:-1]
        late[1:-1] = long_before & together & (steps[1:] < LATE_AFTER * periods[1:])
    return late


def dropped_times(
    times_ns: NDArray[np.int64],
    periods: NDArray[np.float64],
    *,
    late: NDArray[np.bool_],
    config: CaptureConfig,
) -> NDArray[np.int64]:
    """Estimated times of the pictures missing between neighbours; none inside a pause."""
    nominal = times_ns.copy()
    nominal[late] = (times_ns[np.flatnonzero(late) - 1] + periods[np.flatnonzero(late) - 1]).astype(
        np.int64
    )
    steps = np.diff(nominal)
    wide = (steps > config.gap_factor * periods) & (steps <= config.pause_s * 1e9)
    wide &= steps < MOST_FILLED * periods
    at = np.flatnonzero(wide)
    missing = np.maximum(np.rint(steps[at] / periods[at]).astype(np.int64) - 1, 1)
    owner = np.repeat(np.arange(len(at)), missing)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(missing) - missing, missing) + 1
    part = steps[at][owner] * rank // (missing[owner] + 1)
    return np.asarray(nominal[at][owner] + part, dtype=np.int64)


def good(frames: Frames) -> Frames:
    """The rows without a reason."""
    return frames.take(~frames.valid_of("reason"))


def make_ticks(frames: dict[str, Frames]) -> Ticks:
    """One tick per good head frame, with the nearest good wrist image within half a period.

    The period is the slower stream's, so that a slower wrist camera still serves every tick.
    """
    head = good(frames["head"])
    columns: dict[str, Any] = {}
    for wrist in ("left_wrist", "right_wrist"):
        index = np.full(len(head), -1, dtype=np.int32)
        near = np.zeros(len(head), dtype=bool)
        if wrist in frames:
            mine = good(frames[wrist])
            period = max(median_period_ns(f.timestamp_ns) for f in (head, mine))
            row, near = resample_indices(
                mine.timestamp_ns, head.timestamp_ns, max_distance_ns=period // 2 + 1
            )
            index[near] = mine.frame_index[row[near]]
        columns[f"{wrist}_frame"] = index
        columns[f"{wrist}_frame_valid"] = near
    return Ticks(
        tick=np.arange(len(head), dtype=np.int64), timestamp_ns=head.timestamp_ns, **columns
    )
