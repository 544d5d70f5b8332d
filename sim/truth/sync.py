"""The truth about time: which pictures were lost or late, and how far every clock is off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.session.documents import write_document
from core.session.layout import TRUTH
from core.session.storage import SessionFolder
from core.session.tables import Frames
from sim.sensors.clocks import Clock, Timing, clock_of
from sim.sensors.video import FORMATS
from sim.truth.parts import row_parts, table_parts

if TYPE_CHECKING:
    from sim.sensing import Sensing

SYNC_JSON = f"{TRUTH}/sim/sync.json"
RULE = "stamp_ns = true_ns + offset_ns + drift_ppm / 1e6 * (true_ns - origin_ns)"


def write_sync(folder: SessionFolder, show: Sensing) -> None:
    """`truth/capture/frames.parquet` with true times, and `truth/sim/sync.json`."""
    exposure_ns = round(show.preset.exposure_ms * 1e6)
    with table_parts(folder, Frames) as add:
        for stream, timing in show.timing.items():
            frames = _frames_table(stream, timing, show=show, exposure_ns=exposure_ns)
            for rows in row_parts(len(frames)):
                add(frames.take(rows))
    streams = {stream: _figures(timing) for stream, timing in show.timing.items()}
    streams["imu"] = {
        **_clock_figures(clock_of("imu", show.preset)),
        "rig_time_offset_ns": show.wrong.imu_time_ns,
        "samples": show.imu.count,
    }
    document = {
        "origin_ns": int(show.clock.ns(np.zeros(1))[0]),
        "reference": "head",
        "rule": RULE,
        "streams": streams,
    }
    write_document(folder, SYNC_JSON, document)


def _clock_figures(clock: Clock) -> dict[str, Any]:
    return {
        "offset_ns": round(clock.offset_s * 1e9),
        "drift_ppm": clock.drift * 1e6,
        "rig_time_offset_ns": 0,
    }


def _figures(timing: Timing) -> dict[str, Any]:
    steps = np.diff(timing.seconds)
    return {
        **_clock_figures(timing.clock),
        "pictures": len(timing.seconds),
        "dropped": len(timing.lost),
        "late": int(timing.late.sum()),
        "rate_hz": round(float(1 / np.median(steps)), 4),
        "longest_step_ns": round(float(steps.max()) * 1e9),
    }


def _frames_table(stream: str, timing: Timing, *, show: Sensing, exposure_ns: int) -> Frames:
    kept, lost = len(timing.seconds), len(timing.lost)
    seconds = np.concatenate([timing.seconds, timing.lost])
    order = np.argsort(seconds, kind="stable")
    reason = np.where(timing.late, "late", None).astype(object)
    ticks_per_s = FORMATS[show.rig.spec(stream).suffix].ticks_per_s
    ticks = np.round((timing.stamps - timing.stamps[0]) * ticks_per_s).astype(np.int64)
    count = kept + lost
    return Frames(
        stream=np.full(count, stream, object),
        frame_index=np.concatenate([np.arange(kept), np.full(lost, -1)]).astype(np.int32)[order],
        pts=np.concatenate([ticks, np.full(lost, -1)]).astype(np.int64)[order],
        timestamp_ns=show.clock.ns(seconds)[order],
        exposure_ns=np.full(count, exposure_ns, np.int64),
        exposure_ns_valid=np.full(count, exposure_ns > 0),
        reason=np.concatenate([reason, np.full(lost, "dropped", object)])[order],
    )
