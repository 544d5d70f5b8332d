"""Hands of every head frame to ``hands/detections.parquet``."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event, Lock

import numpy as np
from numpy.typing import NDArray

from core.session.frames import open_frames
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Detections, Ticks
from hands.config import HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.hindsight import hands_with_hindsight
from hands.detection.views import FoundHand

WRIST_STREAMS = ("left_wrist", "right_wrist")
WORTH_SPLITTING = 120  # frames: less is done before another worker has begun to follow


@dataclass(frozen=True)
class Run:
    """Rows start … stop of a stream; the detector sees those from ``begin`` to ``end``."""

    stream: str
    begin: int
    start: int
    stop: int
    end: int


@dataclass(frozen=True, eq=False)
class FoundHands:
    """M hands. row: ``(M,)`` frame row.   is_left: ``(M,)``.   score: ``(M,)``.   raw21_px:
    ``(M,21,2)``.   raw21_in_hand: ``(M,21,3)``.
    """

    row: NDArray[np.int64]
    is_left: NDArray[np.bool_]
    score: NDArray[np.float64]
    raw21_px: NDArray[np.float64]
    raw21_in_hand: NDArray[np.float64]

    @staticmethod
    def of(hands: Sequence[tuple[int, FoundHand]]) -> "FoundHands":
        """Of hands with the row that each was found in."""
        return FoundHands(
            np.array([row for row, _ in hands], dtype=np.int64),
            np.array([hand.side == "left" for _, hand in hands], dtype=bool),
            np.array([hand.score for _, hand in hands], dtype=np.float64),
            np.array([hand.raw21_px for _, hand in hands]).reshape(-1, 21, 2),
            np.array([hand.raw21_in_hand for _, hand in hands]).reshape(-1, 21, 3),
        )


def runs_of(stream: str, count: int, config: HandsDetectConfig) -> list[Run]:
    """Equal parts of ``count`` rows, an even number of them where that is worth it, so that two
    workers end together. The same whatever the workers.
    """
    parts = -(-count // config.chunk_frames)
    if parts % 2 and count > WORTH_SPLITTING * parts:
        parts += 1
    edges, more = [count * part // parts for part in range(parts)] + [count], config.overlap_frames
    return [Run(stream, max(0, a - more), a, b, min(count, b + more)) for a, b in pairwise(edges)]


def detect_streams(
    folder: SessionFolder,
    streams: Sequence[str],
    *,
    model: Path,
    config: HandsDetectConfig,
    progress: Progress,
) -> tuple[dict[str, FoundHands], int]:
    """All hands of each stream, rows as in its frame reader, and how many frames there were."""
    runs = []
    for stream in streams:
        with open_frames(folder, stream, redact=False) as frames:
            runs += runs_of(stream, len(frames), config)
    count = sum(run.stop - run.start for run in runs)
    progress.total(count, "frame")
    progress.note(f"hands in {', '.join(streams)}")
    over, one_at_a_time = Event(), Lock()

    def work(run: Run) -> list[tuple[int, FoundHand]]:
        detector = HandDetector(model, config, worn=run.stream in WRIST_STREAMS)
        found: list[tuple[int, FoundHand]] = []
        for row, hands in hands_of_run(folder, run, detector=detector, config=config):
            if over.is_set():
                break  # another run failed, or the user has seen enough
            found += [(row, hand) for hand in hands]
            with one_at_a_time:
                progress.advance()
        return found

    # threads use all cores: networks, decoder and OpenCV run outside of Python's lock
    with ThreadPoolExecutor(max_workers=config.workers) as pool:
        futures = [pool.submit(work, run) for run in runs]
        try:
            done = [
                (run.stream, future.result()) for run, future in zip(runs, futures, strict=True)
            ]
        finally:
            over.set()
    return {
        stream: FoundHands.of([hand for name, hands in done if name == stream for hand in hands])
        for stream in streams
    }, count


def hands_of_run(
    folder: SessionFolder, run: Run, *, detector: HandDetector, config: HandsDetectConfig
) -> Iterator[tuple[int, list[FoundHand]]]:
    """Decode the rows of a run in order and detect on each."""
    with open_frames(folder, run.stream, redact=False) as frames:
        pictures = (f.image_rgb for f in frames.iterate(start=run.begin, stop=run.end))
        every = enumerate(hands_with_hindsight(pictures, detector, config), start=run.begin)
        yield from ((row, hands) for row, hands in every if run.start <= row < run.stop)


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
