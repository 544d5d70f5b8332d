"""Hands of every head frame to ``hands/detections.parquet``."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.session.frames import open_frames
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Detections, Ticks
from hands.config import HandsDetectConfig
from hands.detect_worker import FoundHands, Job, run_in_child

WRIST_STREAMS = ("left_wrist", "right_wrist")
WORTH_A_START = 120  # frames: less is done before another process is up


def chunks(count: int, config: HandsDetectConfig) -> Iterator[tuple[int, int, int]]:
    """``(warm_from, start, stop)`` rows of each worker's run: equal parts, an even number of them
    where that is worth a start, so that two workers end together. The same whatever the workers.
    """
    parts = -(-count // config.chunk_frames)
    if parts % 2 and count > WORTH_A_START * parts:
        parts += 1
    edges = [count * part // parts for part in range(parts)] + [count]
    for start, stop in pairwise(edges):
        yield max(0, start - config.warm_up_frames), start, stop


def detect_stream(
    folder: SessionFolder,
    stream: str,
    *,
    model: Path,
    config: HandsDetectConfig,
    progress: Progress,
) -> tuple[FoundHands, int]:
    """All hands of one stream, rows as in its frame reader, and how many frames there were."""
    with open_frames(folder, stream, redact=False) as frames:
        count = len(frames)
    progress.total(count, "frame")
    progress.note(f"hands in {stream}")
    worn = stream in WRIST_STREAMS
    jobs = [Job(folder.url, stream, str(model), *rows, worn) for rows in chunks(count, config)]
    lock = Lock()

    def advance(count: int) -> None:
        with lock:
            progress.advance(count)

    with ThreadPoolExecutor(max_workers=config.workers) as pool:
        futures = [pool.submit(run_in_child, job, config, advance) for job in jobs]
        try:
            parts = [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return FoundHands.concat(parts), count


def tick_of_rows(folder: SessionFolder, stream: str, ticks: Ticks) -> NDArray[np.int64]:
    """The tick that each frame row of a stream belongs to; -1 for frames without one."""
    with open_frames(folder, stream, redact=False) as frames:
        stamps, index = frames.timestamps_ns, frames.frame_index
    if stream == "head":
        place = np.searchsorted(ticks.timestamp_ns, stamps).clip(0, max(len(ticks) - 1, 0))
        found = ticks.timestamp_ns[place] == stamps if len(ticks) else np.zeros(len(stamps), bool)
        return np.where(found, ticks.tick[place] if len(ticks) else -1, -1).astype(np.int64)
    wanted = getattr(ticks, f"{stream}_frame")
    tick_of_frame = dict(zip(wanted.tolist(), ticks.tick.tolist(), strict=True))
    return np.array([tick_of_frame.get(int(i), -1) for i in index], dtype=np.int64)


def detections_table(stream: str, found: FoundHands, tick_of_row: NDArray[np.int64]) -> Detections:
    """The table of one stream; hands of frames that belong to no tick are left out."""
    tick = tick_of_row[found.row] if len(found.row) else np.zeros(0, dtype=np.int64)
    kept = np.flatnonzero(tick >= 0)
    kept = kept[np.argsort(tick[kept], kind="stable")]
    px = found.raw21_px[kept]
    sides = np.where(found.is_left[kept], "left", "right")
    box = (
        np.concatenate([px.min(axis=1), px.max(axis=1)], axis=1) if len(kept) else np.zeros((0, 4))
    )
    return Detections(
        stream=np.full(len(kept), stream, dtype=object),
        tick=tick[kept],
        side=sides.astype(object),
        score=found.score[kept].astype(np.float32),
        box_xyxy_px=box.astype(np.float32),
        raw21_px=px.reshape(-1, 42).astype(np.float32),
        raw21_in_hand=found.raw21_in_hand[kept].reshape(-1, 63).astype(np.float32),
        raw21_in_hand_valid=np.ones(len(kept), dtype=bool),
    )
