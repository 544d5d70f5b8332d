"""Both wrist cameras of a recording, each in a process of its own: two of them use two cores.

Threads do not: following a camera is thousands of short calls that hold Python's lock. The second
camera goes to a child process, which is told what to do and answers in pickles of its own. Its
start costs a second of CPU, so it gets ready while the head is followed, and cameras of short
recordings take turns.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from typing import IO, Any

import cv2

from core.errors import HandoffError
from core.geometry.landmarks import SIDES
from core.session.calibration import Calibration
from core.session.layout import CALIBRATION
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from slam.config import SlamConfig
from slam.recording import Recording
from slam.result import Estimate
from slam.wrist.locate import located
from slam.wrist.ticks import WristPath

WORTH_A_START = 120  # frames: less is done before another process is up


def wrist_streams(folder: SessionFolder, config: SlamConfig) -> list[str]:
    """Calibrated cameras on the wrists that are to be located."""
    if not config.locate_wrists or not folder.exists(CALIBRATION):
        return []
    known = Calibration.read(folder).streams
    return [name for name in (f"{side}_wrist" for side in SIDES) if name in known]


@dataclass(eq=False)
class Helper:
    """A child process that places one camera. answer: what it writes."""

    process: Popen[bytes]
    answer: IO[bytes]
    doing: str = "nothing"

    def begin(self, recording: Recording, result: Estimate, stream: str) -> None:
        """Tell it what to do; once."""
        self.doing = f"{recording.folder.url}: placing {stream}"
        work = self.process.stdin
        assert work is not None
        with suppress(BrokenPipeError), work:  # `path` says that it has ended
            pickle.dump((replace(recording, progress=NO_PROGRESS), result, stream), work)

    def path(self) -> WristPath:
        """Wait for what it found. Raises what it raised, a HandoffError where it died."""
        if self.process.wait():
            raise HandoffError(
                f"{self.doing} failed in its child process (exit code {self.process.returncode}); "
                "slam.locate_wrists=false leaves it out"
            )
        self.answer.seek(0)
        found = pickle.load(self.answer)
        if isinstance(found, HandoffError):
            raise found
        assert isinstance(found, WristPath)
        return found


@contextmanager
def wrist_helper(recording: Recording) -> Iterator[Helper | None]:
    """Help for `locate_wrists`, which gets ready from now on; None where it is not worth that."""
    streams = wrist_streams(recording.folder, recording.config)
    if len(streams) < 2 or len(recording.ticks) < WORTH_A_START:
        yield None
        return
    with started_helper() as helper:
        yield helper


@contextmanager
def started_helper() -> Iterator[Helper]:
    """A child process, gone at the end."""
    command = [sys.executable, "-P", "-m", "slam.wrist.cameras"]
    known = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    with (
        TemporaryFile() as answer,
        Popen(command, stdin=PIPE, stdout=answer, env=os.environ | known) as process,
    ):
        try:
            yield Helper(process, answer)
        except BaseException:
            process.kill()
            raise


def locate_wrists(
    recording: Recording, result: Estimate, helper: Helper | None = None
) -> Callable[[], dict[str, WristPath]]:
    """By stream: where its camera was at every tick. Only in maps whose lengths are metres.

    What is given back waits for the helper; until then there is time for something else.
    """
    streams = wrist_streams(recording.folder, recording.config)
    if streams:
        recording.progress.note("placing " + ", ".join(streams))
    if helper is None:
        found = {stream: located(recording, result, stream) for stream in streams}
        return lambda: found
    first, second = streams
    helper.begin(recording, result, second)
    with _one_thread():
        path = located(recording, result, first)
    return lambda: {first: path, second: helper.path()}


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV without threads: beside a process that has the other core they wait for one another,
    for a fifth more CPU."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def main() -> None:
    """The child: work from stdin, its outcome to stdout, on which nobody else writes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        try:
            work = pickle.load(sys.stdin.buffer)
        except (EOFError, pickle.UnpicklingError):
            return  # there is none, or nobody is left who wants it done
        with _one_thread():
            pickle.dump(_outcome(*work), answer)


def _outcome(*work: Any) -> WristPath | HandoffError:
    try:
        return located(*work)
    except HandoffError as error:
        return error


if __name__ == "__main__":
    main()
