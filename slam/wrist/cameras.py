"""The wrist cameras of a recording, each in a process of its own, begun before the head's path is
known: what they can be asked without it is done meanwhile.

Threads would not do: following a camera is thousands of short calls that hold Python's lock. A
child is told what to do and answers in pickles; a start costs two thirds of a second of CPU, so
cameras of short recordings take turns.
"""

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from typing import IO, Any

from core.errors import HandoffError
from core.geometry.landmarks import SIDES
from core.session.calibration import Calibration
from core.session.layout import CALIBRATION
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from slam.config import SlamConfig
from slam.recording import Recording
from slam.result import Estimate
from slam.wrist.locate import followed, located
from slam.wrist.ticks import WristPath

WORTH_A_START = 120  # frames: less is done before another process is up
NICE = 5  # the head's path comes first
Place = Callable[[Recording, Estimate], dict[str, WristPath]]


def wrist_streams(folder: SessionFolder, config: SlamConfig) -> list[str]:
    """Calibrated cameras on the wrists that are to be located."""
    if not config.locate_wrists or not folder.exists(CALIBRATION):
        return []
    known = Calibration.read(folder).streams
    return [name for name in (f"{side}_wrist" for side in SIDES) if name in known]


def locate_wrists(recording: Recording, result: Estimate) -> dict[str, WristPath]:
    """By stream: where its camera was at every tick. Only in maps whose lengths are metres."""
    with wrists_beside(recording) as place:
        return place(recording, result)


@contextmanager
def wrists_beside(recording: Recording) -> Iterator[Place]:
    """Begins with their own pictures; what is given back does as `locate_wrists`, once the head's
    path is known."""
    folder, config = recording.folder, recording.config
    streams = wrist_streams(folder, config)
    with ExitStack() as stack:
        beside: dict[str, _Child] = {}
        if len(streams) > 1 and len(recording.ticks) >= WORTH_A_START:
            beside = {name: stack.enter_context(_child(folder, config, name)) for name in streams}

        def place(recording: Recording, result: Estimate) -> dict[str, WristPath]:
            if streams:
                recording.progress.note("placing " + ", ".join(streams))
            for child in beside.values():
                child.tell(replace(recording, progress=NO_PROGRESS), result)
            if beside:
                return {name: child.path() for name, child in beside.items()}
            return {
                name: located(recording, result, name, corners=followed(folder, config, name))
                for name in streams
            }

        yield place


@dataclass(frozen=True, eq=False)
class _Child:
    """A process that places one camera."""

    process: Popen[bytes]
    answer: IO[bytes]
    work: str

    def tell(self, *known: Any) -> None:
        """Goes on with what is known now; a child that ended says why in `path`."""
        stdin = self.process.stdin
        assert stdin is not None
        if stdin.closed:
            return
        try:
            pickle.dump(known, stdin)
            stdin.flush()
        except BrokenPipeError:
            with suppress(BrokenPipeError):
                stdin.close()

    def path(self) -> WristPath:
        """Waits for it."""
        if self.process.wait():
            raise HandoffError(
                f"{self.work} failed in its child process (exit code {self.process.returncode}); "
                "slam.locate_wrists=false leaves it out"
            )
        self.answer.seek(0)
        found = pickle.load(self.answer)
        if isinstance(found, HandoffError):
            raise found
        assert isinstance(found, WristPath)
        return found


@contextmanager
def _child(folder: SessionFolder, config: SlamConfig, stream: str) -> Iterator[_Child]:
    command = [sys.executable, "-P", "-m", "slam.wrist.cameras"]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (
        TemporaryFile() as answer,
        Popen(command, stdin=PIPE, stdout=answer, env=os.environ | paths) as process,
    ):
        child = _Child(process, answer, f"{folder.url}: placing {stream}")
        try:
            child.tell(folder, config, stream)
            yield child
        except BaseException:
            process.kill()
            raise


def main() -> None:
    """The child: work from stdin, its outcome to stdout, on which nobody else writes."""
    os.nice(NICE)
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        pickle.dump(_outcome(sys.stdin.buffer), answer)


def _outcome(told: IO[bytes]) -> WristPath | HandoffError:
    folder, config, stream = pickle.load(told)
    try:
        corners = followed(folder, config, stream)
        recording, result = pickle.load(told)
        return located(recording, result, stream, corners=corners)
    except HandoffError as error:
        return error


if __name__ == "__main__":
    main()
