"""Many sessions at once: one process per session, so that a crash in one costs only that one.

Processes are spawned, not forked: the rooms' libraries hold threads and locks that do not survive a
fork. A worker that dies by a signal is reported as such, with what faulthandler saw; the others go
on.
"""

import multiprocessing
import os
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from core.errors import HandoffError
from core.session.storage import SessionFolder
from pipeline.results import SessionResult, StageResult
from pipeline.session import failure
from pipeline.show import Show
from pipeline.worker import Task, stages_of, work

LAST_WORDS_S = 10.0  # a worker that has said all ends within this time, or is ended


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
        target=work,
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
