"""Hands of every head frame to ``hands/detections.parquet``."""

from collections.abc import Sequence
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
from hands.detection.detect_worker import DetectingChild, FoundHands, Job

WRIST_STREAMS = ("left_wrist", "right_wrist")
WORTH_A_START = 120  # frames: less is done before another process is up


def chunks(count: int, config: HandsDetectConfig) -> list[tuple[int, int, int]]:
    """``(warm_from, start, stop)`` rows of each worker's run: equal parts, an even number of them
    where that is worth a start, so that two workers end together. The same whatever the workers.
    """
    parts = -(-count // config.chunk_frames)
    if parts % 2 and count > WORTH_A_START * parts:
        parts += 1
    edges = [count * part // parts for part in range(parts)] + [count]
    return [(max(0, start - config.warm_up_frames), start, stop) for start, stop in pairwise(edges)]


def detect_streams(
    folder: SessionFolder,
    streams: Sequence[str],
    *,
    model: Path,
    config: HandsDetectConfig,
    progress: Progress,
) -> tuple[dict[str, FoundHands], int]:
    """All hands of each stream, rows as in its frame reader, and how many frames there were."""
    jobs = []
    for stream in streams:
        with open_frames(folder, stream, redact=False) as frames:
            parts = chunks(len(frames), config)
        worn = stream in WRIST_STREAMS
        jobs += [Job(folder.url, stream, str(model), *rows, worn) for rows in parts]
    count = sum(job.stop - job.start for job in jobs)
    progress.total(count, "frame")
    progress.note(f"hands in {', '.join(streams)}")
    found = _all_done(jobs, config, progress)
    hands = {
        stream: FoundHands.concat([
            FoundHands.of([], []),
            *(part for job, part in found if job.stream == stream),
        ])
        for stream in streams
    }
    return hands, count


def _all_done(
    jobs: list[Job], config: HandsDetectConfig, progress: Progress
) -> list[tuple[Job, FoundHands]]:
    """Every job with its hands, in order. Each worker takes the next job that is left."""
    lock, left = Lock(), list(enumerate(jobs))[::-1]
    done: dict[int, FoundHands] = {}

    def advance(count: int) -> None:
        with lock:
            progress.advance(count)

    def work() -> None:
        with DetectingChild(config) as child:
            while left:
                try:
                    number, job = left.pop()
                    done[number] = child.run(job, advance)
                except BaseException:
                    left.clear()
                    raise

    workers = min(config.workers, len(jobs))
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        for future in [pool.submit(work) for _ in range(workers)]:
            future.result()
    return [(job, done[number]) for number, job in enumerate(jobs)]


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
