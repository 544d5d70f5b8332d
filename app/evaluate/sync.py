"""Times of the streams against the moments at which their pictures and readings were really taken.

The truth names these moments row by row (``truth/sim``); the estimate is what capture wrote after
everything it knows of offsets and drift. The head camera's clock is the session's.
"""

from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.evaluate.figures import Figure, median, p95
from core.session.documents import read_document
from core.session.layout import FRAMES, IMU, TRUTH
from core.session.marks import finished
from core.session.storage import SessionFolder
from core.session.tables import Frames, Imu

Times = NDArray[np.int64]
Floats = NDArray[np.float64]

MS_NS = 1e6
HEAD = "head"
CLOCKS = f"{TRUTH}/sim/sync.json"


def sync_figures(folder: SessionFolder) -> list[Figure]:
    """Per stream beside the head camera: offset, what is left without it, and drift."""
    if not finished(folder, FRAMES):
        return []
    frames = Frames.read(folder)
    head = _frame_pair(folder, frames, HEAD)
    if head is None:
        return []
    others = {
        name: _frame_pair(folder, frames, name)
        for name in sorted(set(frames.stream) - {HEAD})
        if folder.exists(_truth_path(f"camera_{name}"))
    }
    if finished(folder, IMU) and folder.exists(_truth_path("imu_bias")):
        others["imu"] = _imu_pair(folder)
    clocks = read_document(folder, CLOCKS).get("streams", {}) if folder.exists(CLOCKS) else {}
    figures = []
    for name, pair in others.items():
        figures += _recorded(name, clocks.get(name))
        figures += _figures(name.replace("_", " "), pair, head)
    return figures


def _recorded(name: str, clock: dict[str, Any] | None) -> list[Figure]:
    """What the truth says of a stream's own clock, before anybody corrects it."""
    if clock is None:
        return []
    words = f"{name.replace('_', ' ')}: clock as recorded"
    drift = f"at the first picture, running off by {clock['drift_ppm']:g} ppm"
    return [Figure("capture", words, clock["offset_ns"] / MS_NS, "ms", drift)]


def offset_ns(pair: tuple[Times, Times], head: tuple[Times, Times]) -> Floats:
    """``(N,)`` how much too late each row of a stream (estimate, truth) is stamped, measured on the
    head camera's (estimate, truth).
    """
    found, exact = pair
    head_found, head_exact = head
    late_head = np.interp(exact, head_exact, (head_found - head_exact).astype(np.float64))
    return (found - exact).astype(np.float64) - late_head


def _figures(
    name: str, pair: tuple[Times, Times] | None, head: tuple[Times, Times]
) -> list[Figure]:
    if pair is None:
        note = "rows of the stream and of its truth do not correspond"
        return [Figure("capture", f"{name}: time offset", float("nan"), "ms", note)]
    late = offset_ns(pair, head)
    seconds = (pair[1] - pair[1][0]) / 1e9
    drift = float("nan")
    if len(late) > 2:
        drift = float(np.polyfit(seconds, late / 1e3, 1)[0])  # microseconds per second
    offset = median(late)
    note = f"median of {len(late)} stamps, after ingest, against the head camera"
    return [
        Figure("capture", f"{name}: time offset", offset / MS_NS, "ms", note),
        Figure("capture", f"{name}: spread about it", p95(np.abs(late - offset)) / MS_NS, "ms",
               "95 % are nearer"),
        Figure("capture", f"{name}: drift", drift, "ppm", "straight line through the offsets"),
    ]  # fmt: skip


def _frame_pair(folder: SessionFolder, frames: Frames, stream: str) -> tuple[Times, Times] | None:
    """(stamps, true moments) of the pictures that can be decoded."""
    path = _truth_path(f"camera_{stream}")
    if not folder.exists(path):
        return None
    exact = _times(folder, path)
    rows = np.flatnonzero((frames.stream == stream) & (frames.frame_index >= 0))
    index = frames.frame_index[rows]
    if not len(rows) or int(index.max()) >= len(exact):
        return None
    return frames.timestamp_ns[rows], exact[index]


def _imu_pair(folder: SessionFolder) -> tuple[Times, Times] | None:
    found, exact = Imu.read(folder).timestamp_ns, _times(folder, _truth_path("imu_bias"))
    return (found, exact) if len(found) == len(exact) and len(found) else None


def _times(folder: SessionFolder, path: str) -> Times:
    with folder.open(path) as file:
        table = pq.read_table(file, columns=["timestamp_ns"])
    return np.asarray(table["timestamp_ns"], dtype=np.int64)


def _truth_path(name: str) -> str:
    return f"{TRUTH}/sim/{name}.parquet"
