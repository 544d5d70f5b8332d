"""A child process that finds the hands of a run of frames.

A process of its own for two reasons: two of them use two cores, and LiteRT writes its log straight
to the process's stderr, which here is a file nobody reads unless the child fails. The parent talks
to it in lines: one job as JSON on stdin, numbers of finished frames on stdout.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import HandoffError
from core.session.frames import open_frames
from core.session.storage import SessionFolder
from hands.config import HandsDetectConfig
from hands.detector import HandDetector
from hands.hindsight import hands_with_hindsight
from hands.views import FoundHand

REPORT_EVERY = 10  # frames
PACKAGE_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Job:
    """Rows start … stop of a stream; following begins at ``warm_from``. worn: by a hand."""

    url: str
    stream: str
    model: str
    warm_from: int
    start: int
    stop: int
    worn: bool = False


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
    def of(rows: list[int], hands: list[FoundHand]) -> "FoundHands":
        return FoundHands(
            np.array(rows, dtype=np.int64),
            np.array([hand.side == "left" for hand in hands], dtype=bool),
            np.array([hand.score for hand in hands], dtype=np.float64),
            np.array([hand.raw21_px for hand in hands]).reshape(-1, 21, 2),
            np.array([hand.raw21_in_hand for hand in hands]).reshape(-1, 21, 3),
        )

    @staticmethod
    def concat(parts: list["FoundHands"]) -> "FoundHands":
        names = ("row", "is_left", "score", "raw21_px", "raw21_in_hand")
        return FoundHands(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def run_in_child(job: Job, config: HandsDetectConfig, advance: Callable[[int], None]) -> FoundHands:
    """Do the job in a child process; ``advance`` is called with numbers of frames done."""
    with tempfile.TemporaryDirectory(prefix="handoff-hands-") as scratch:
        output, log = Path(scratch) / "found.npz", Path(scratch) / "log.txt"
        request = json.dumps({"job": asdict(job), "config": asdict(config), "output": str(output)})
        with log.open("wb") as stderr:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "hands.detect_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=_environment(),
                text=True,
            )
            _converse(child, request, advance)
        if child.returncode != 0 or not output.exists():
            raise HandoffError(_why(child.returncode, log, job))
        with np.load(output, allow_pickle=False) as arrays:
            return FoundHands(**{name: arrays[name] for name in arrays.files})


def _converse(child: "subprocess.Popen[str]", request: str, advance: Callable[[int], None]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with child.stdin, child.stdout:
            try:
                child.stdin.write(request)
                child.stdin.close()
            except BrokenPipeError:
                return  # it died at once; its log says why
            for line in child.stdout:
                advance(int(line))
    except BaseException:
        child.kill()
        raise
    finally:
        child.wait()


def _environment() -> dict[str, str]:
    paths = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _why(returncode: int, log: Path, job: Job) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    place = f"{job.url}: finding hands in stream {job.stream!r}"
    for line in reversed(lines):
        if line.startswith("HandoffError: "):
            return f"{place}: {line.removeprefix('HandoffError: ')}"
    last = lines[-1] if lines else "it said nothing"
    return f"{place} failed in its child process (exit code {returncode}): {last}"


def find_hands(job: Job, config: HandsDetectConfig, advance: Callable[[int], None]) -> FoundHands:
    """Decode the rows of the job in order and detect on each."""
    folder = SessionFolder(job.url)
    rows: list[int] = []
    hands: list[FoundHand] = []
    with (
        open_frames(folder, job.stream, redact=False) as frames,
        HandDetector(Path(job.model), config, worn=job.worn) as detector,
    ):
        pictures = (f.image_rgb for f in frames.iterate(start=job.warm_from, stop=job.stop))
        every = hands_with_hindsight(pictures, detector, config)
        for row, found in enumerate(every, start=job.warm_from):
            if row < job.start:
                continue
            rows += [row] * len(found)
            hands += found
            advance(1)
    return FoundHands.of(rows, hands)


def main() -> int:
    """Read a job, write its npz, tell progress."""
    request = json.load(sys.stdin)
    waiting = 0

    def advance(count: int) -> None:
        nonlocal waiting
        waiting += count
        if waiting >= REPORT_EVERY:
            sys.stdout.write(f"{waiting}\n")
            sys.stdout.flush()
            waiting = 0

    try:
        found = find_hands(Job(**request["job"]), HandsDetectConfig(**request["config"]), advance)
    except HandoffError as error:
        sys.stderr.write(f"HandoffError: {error}\n")
        return 1
    sys.stdout.write(f"{waiting}\n")
    np.savez(request["output"], **vars(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
