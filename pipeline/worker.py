"""What a process does with one session: its stages in order, and word of them to the driver."""

import faulthandler
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from core.session.stage import Progress, Stage
from core.session.storage import SessionFolder
from pipeline.results import SessionResult, StageResult
from pipeline.session import Listener, run_session
from pipeline.show import Step
from pipeline.stages import all_stages, in_order

MESSAGE_EVERY_S = 0.1  # progress travels no more often than this


@dataclass(frozen=True)
class Task:
    """What a worker is told. stages: None for the product's own, else picklable stages in order.

    before: how stages ended that an earlier worker of this session came to, the last one's death.
    """

    url: str
    stages: tuple[Stage, ...] | None
    chosen: tuple[str, ...]
    configs: Mapping[str, Any]
    before: tuple[StageResult, ...] = ()


def stages_of(task: Task) -> tuple[Stage, ...]:
    """All stages the task knows of, in order."""
    return in_order(all_stages()) if task.stages is None else task.stages


def run_task(task: Task, listener: Listener | None = None) -> SessionResult:
    """Do a task in this process."""
    stages = stages_of(task)
    chosen = [stage for stage in stages if stage.name in task.chosen]
    return run_session(
        SessionFolder(task.url),
        stages=stages,
        chosen=chosen,
        configs=task.configs,
        listener=listener,
    )


def work(connection: Connection, task: Task, *, crash_file: str, share: int) -> None:
    """Do a task in this process, one of `share`; crashes leave their traces in the file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides
    _end_with_driver()
    _share_cores(share)
    with Path(crash_file).open("w", encoding="utf-8") as crashes:
        faulthandler.enable(crashes)
        result = run_task(task, _Reporter(connection))
        connection.send(("result", result))
        connection.close()
        faulthandler.disable()


def _end_with_driver() -> None:
    """A driver that is killed takes its workers along: nobody is left to hear them."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="driver watch").start()


def _share_cores(share: int) -> None:
    """Let the libraries loaded from here on take a fair part of the cores; OpenBLAS takes one, as
    on small matrices its threads mostly wait for each other, at full speed.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    threads = str(max(1, (os.cpu_count() or 1) // share))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, threads)


class _Reporter:
    """A Listener that tells the driver."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def started(self, stage: str) -> Progress:
        self._connection.send(("started", stage))
        return _SentProgress(self._connection)

    def ended(self, result: StageResult) -> None:
        self._connection.send(("ended", result))


class _SentProgress:
    """Progress that travels to the driver, a few times a second. Threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._total, self._done, self._unit, self._text = 0, 0, "", ""
        self._sent = 0.0
        self._lock = threading.RLock()

    def total(self, n: int, unit: str) -> None:
        with self._lock:
            self._total, self._done, self._unit = n, 0, unit
            self._send(now=True)

    def advance(self, k: int = 1) -> None:
        with self._lock:
            self._done += k
            self._send(now=self._done >= self._total)

    def note(self, text: str) -> None:
        with self._lock:
            self._text = text
            self._send(now=False)

    def _send(self, *, now: bool) -> None:
        clock = time.monotonic()
        if now or clock - self._sent >= MESSAGE_EVERY_S:
            self._sent = clock
            self._connection.send((
                "progress",
                Step(self._done, self._total, self._unit, self._text),
            ))
