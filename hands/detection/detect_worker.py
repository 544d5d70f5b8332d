"""A child process that finds the hands of runs of frames.

A process of its own for two reasons: two of them use two cores, and LiteRT writes its log straight
to the process's stderr, which here is a file nobody reads unless the child fails. A start costs a
second of CPU, so a child does one job after another. The parent talks to it in lines: jobs as JSON
on stdin; on stdout numbers of finished frames, and a word when a job's file is written.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.errors import HandoffError
from core.session.frames import open_frames
from core.session.storage import SessionFolder
from hands.config import HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.hindsight import hands_with_hindsight
from hands.detection.views import FoundHand

REPORT_EVERY = 10  # frames
WRITTEN = "written"
PACKAGE_ROOT = Path(__file__).resolve().parents[2]


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


class DetectingChild:
    """The child process, as the parent sees it. A context manager."""

    def __init__(self, config: HandsDetectConfig) -> None:
        self._config = config
        self._open = ExitStack()

    def __enter__(self) -> Self:
        scratch = self._open.enter_context(tempfile.TemporaryDirectory(prefix="handoff-hands-"))
        self._output, self._log = Path(scratch) / "found.npz", Path(scratch) / "log.txt"
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "hands.detection.detect_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=_environment(),
                text=True,
                bufsize=1,
            )
        self._open.enter_context(self._process)  # closes its pipes and waits
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.kill()
        self._open.close()

    def run(self, job: Job, advance: Callable[[int], None]) -> FoundHands:
        """Do a job; ``advance`` is called with numbers of frames done."""
        if not self._done(job, advance):
            raise HandoffError(_why(self._process.wait(), self._log, job))
        with np.load(self._output, allow_pickle=False) as arrays:
            return FoundHands(**{name: arrays[name] for name in arrays.files})

    def _done(self, job: Job, advance: Callable[[int], None]) -> bool:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"job": asdict(job), "config": asdict(self._config), "output": str(self._output)}
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
        except BrokenPipeError:
            return False  # it died at once; its log says why
        for line in self._process.stdout:
            if line.strip() == WRITTEN:
                return True
            advance(int(line))
        return False


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
    detector = HandDetector(Path(job.model), config, worn=job.worn)
    with open_frames(folder, job.stream, redact=False) as frames:
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
    """Read jobs, write the npz of each, tell progress."""
    for line in sys.stdin:
        request = json.loads(line)
        waiting = 0

        def advance(count: int) -> None:
            nonlocal waiting
            waiting += count
            if waiting >= REPORT_EVERY:
                _say(str(waiting))
                waiting = 0

        try:
            job, config = Job(**request["job"]), HandsDetectConfig(**request["config"])
            found = find_hands(job, config, advance)
        except HandoffError as error:
            sys.stderr.write(f"HandoffError: {error}\n")
            return 1
        _say(str(waiting))
        np.savez(request["output"], **vars(found))
        _say(WRITTEN)
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
