"""Many sessions at once: one process per session, so that a crash in one costs only that one.

Processes are spawned, not forked: the rooms' libraries hold threads and locks that do not survive a
fork. A worker that dies by a signal is reported as such, with what faulthandler saw; the others go
on.
"""

import faulthandler
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from core.errors import HandoffError
from core.session.stage import Progress, Stage
from core.session.storage import SessionFolder
from pipeline.results import SessionResult, StageResult
from pipeline.session import Listener, failure, run_session
from pipeline.show import Show, Step
from pipeline.stages import all_stages, in_order

LAST_WORDS_S = 10.0  # a worker that has said all ends within this time, or is ended
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


@dataclass
class Worker:
    """A running process and what it has said so far."""

    task: Task
    process: BaseProcess
    connection: Connection
    crash_file: Path
    begun: float
    running: str = ""
    stage_begun: float = 0.0
    heard: list[StageResult] = field(default_factory=list)
    result: SessionResult | None = None
    gone: bool = False  # it had ended before its last messages were read


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


def run_tasks(
    tasks: Sequence[Task], *, jobs: int, show: Show, ended: Callable[[SessionResult], None]
) -> list[SessionResult]:
    """Do the tasks in at most `jobs` processes at a time; results in the order of the tasks.

    ended: called with each result as soon as it is known.
    """
    waiting = deque(tasks)
    running: list[Worker] = []
    results: dict[str, SessionResult] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_start(waiting.popleft(), share=jobs))
                if not running[-1].task.before:
                    show.session_started(running[-1].task.url)
            _listen(running, show)
            for worker in [w for w in running if _ended(w)]:
                running.remove(worker)
                result = _result_of(worker)
                if rest := _rest(worker.task, result):
                    waiting.appendleft(rest)
                    continue
                results[worker.task.url] = result
                show.session_ended(result)
                ended(result)
    finally:
        for worker in running:
            worker.process.terminate()
        for worker in running:
            worker.process.join()
            worker.crash_file.unlink(missing_ok=True)
    return [results[task.url] for task in tasks]


def _start(task: Task, *, share: int) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    handle, crash_file = tempfile.mkstemp(prefix="handoff-crash-", suffix=".txt")
    os.close(handle)
    process = context.Process(
        target=_work,
        args=(theirs, task),
        kwargs={"crash_file": crash_file, "share": share},
        name=f"handoff {task.url}",
    )
    process.start()
    theirs.close()
    return Worker(task, process, ours, Path(crash_file), begun=time.monotonic())


def _listen(running: list[Worker], show: Show) -> None:
    """Take what workers have sent, waiting until at least one has something or has ended."""
    sources: list[Any] = [worker.connection for worker in running if worker.result is None]
    sources += [worker.process.sentinel for worker in running]
    wait(sources, timeout=1.0)
    for worker in running:
        worker.gone = worker.process.exitcode is not None
        while _take_message(worker, show):
            pass


def _take_message(worker: Worker, show: Show) -> bool:
    try:
        if worker.connection.closed or not worker.connection.poll():
            return False
        kind, content = worker.connection.recv()
    except (EOFError, OSError):  # the worker has closed its end, or died
        worker.connection.close()
        return False
    if kind == "started":
        worker.running, worker.stage_begun = content, time.monotonic()
        show.stage_started(worker.task.url, content)
    elif kind == "progress":
        show.progress(worker.task.url, content)
    elif kind == "ended":
        worker.running = ""
        worker.heard.append(content)
        show.stage_ended(worker.task.url, content)
    else:
        worker.result = content
    return True


def _ended(worker: Worker) -> bool:
    if worker.result is None and not worker.connection.closed and not worker.gone:
        return False
    worker.process.join(timeout=LAST_WORDS_S)
    if worker.process.is_alive():  # a library's thread keeps it from ending; its work is done
        worker.process.kill()
        worker.process.join()
    return True


def _result_of(worker: Worker) -> SessionResult:
    trace = worker.crash_file.read_text(encoding="utf-8", errors="replace")
    worker.crash_file.unlink(missing_ok=True)
    if not worker.connection.closed:
        worker.connection.close()
    result = worker.result or _crashed(worker, trace)
    known = {stage.stage: stage for stage in (*worker.task.before, *result.stages)}
    ordered = [known[stage.name] for stage in stages_of(worker.task) if stage.name in known]
    return replace(result, stages=tuple(ordered))


def _rest(task: Task, result: SessionResult) -> Task | None:
    """Stages that a dead worker did not come to, and that do without the one it died in."""
    said = {stage.stage for stage in result.stages}
    left = tuple(name for name in task.chosen if name not in said)
    return replace(task, chosen=left, before=result.stages) if left else None


def _crashed(worker: Worker, trace: str) -> SessionResult:
    """What is known of a session whose process died: the stages that ended, the one it died in,
    and those that cannot do without it.
    """
    folder = SessionFolder(worker.task.url)
    stages = [stage for stage in stages_of(worker.task) if stage.name in worker.task.chosen]
    results = {result.stage: result for result in worker.heard}
    died = HandoffError(_cause_of_death(worker.process.exitcode))
    for stage in stages:
        if stage.name in results:
            continue
        if worker.running in {stage.name, ""}:  # "": between two stages
            seconds = time.monotonic() - (worker.stage_begun or worker.begun)
            text = f"{died}\n{trace}"
            results[stage.name] = failure(folder, stage, died, seconds=seconds, trace=text)
            break
    for stage in stages:
        if any(name in results and results[name].lost for name in stage.needs):
            blocked = StageResult(
                stage.name, "blocked", message="the process died before this stage"
            )
            results.setdefault(stage.name, blocked)
    return SessionResult(folder.name, folder.url, tuple(results.values()))


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        names = {int(known): known.name for known in signal.Signals}
        name = names.get(-exit_code, f"signal {-exit_code}")
        hint = "; out of memory is the usual reason" if name == "SIGKILL" else ""
        return f"the process was ended by {name}{hint}"
    return f"the process ended by itself with code {exit_code}"


# in the worker


def _work(connection: Connection, task: Task, *, crash_file: str, share: int) -> None:
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
    """Let the libraries loaded from here on take a fair part of the cores."""
    threads = str(max(1, (os.cpu_count() or 1) // share))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
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
