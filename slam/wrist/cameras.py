"""Both wrist cameras of a recording, each in a process of its own: two of them use two cores.

Threads do not: following a camera is thousands of short calls that hold Python's lock. The second
camera goes to a child process, which is told what to do and answers in pickles of its own; a start
costs two thirds of a second of CPU, so cameras of short recordings take turns.
"""

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from subprocess import Popen
from tempfile import TemporaryFile

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


def locate_wrists(recording: Recording, result: Estimate) -> dict[str, WristPath]:
    """By stream: where its camera was at every tick. Only in maps whose lengths are metres."""
    streams = wrist_streams(recording.folder, recording.config)
    if not streams:
        return {}
    recording.progress.note("placing " + ", ".join(streams))
    if len(streams) < 2 or len(recording.ticks) < WORTH_A_START:
        return {stream: located(recording, result, stream) for stream in streams}
    first, second = streams
    with _located_beside(recording, result, second) as beside:
        return {first: located(recording, result, first), second: beside()}


@contextmanager
def _located_beside(
    recording: Recording, result: Estimate, stream: str
) -> Iterator[Callable[[], WristPath]]:
    """Begins in a child process; what is given back waits for it."""
    command = [sys.executable, "-P", "-m", "slam.wrist.cameras"]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with TemporaryFile() as work, TemporaryFile() as answer:
        pickle.dump((replace(recording, progress=NO_PROGRESS), result, stream), work)
        work.seek(0)
        with Popen(command, stdin=work, stdout=answer, env=os.environ | paths) as process:

            def path() -> WristPath:
                if process.wait():
                    raise HandoffError(
                        f"{recording.folder.url}: placing {stream} failed in its child process "
                        f"(exit code {process.returncode}); slam.locate_wrists=false leaves it out"
                    )
                answer.seek(0)
                found = pickle.load(answer)
                if isinstance(found, HandoffError):
                    raise found
                assert isinstance(found, WristPath)
                return found

            try:
                yield path
            except BaseException:
                process.kill()
                raise


def main() -> None:
    """The child: work from stdin, its outcome to stdout, on which nobody else writes."""
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        pickle.dump(_outcome(), answer)


def _outcome() -> WristPath | HandoffError:
    recording, result, stream = pickle.load(sys.stdin.buffer)
    try:
        return located(recording, result, stream)
    except HandoffError as error:
        return error


if __name__ == "__main__":
    main()
