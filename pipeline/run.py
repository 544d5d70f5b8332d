"""Running stages over sessions: ``run_sessions(["sessions/anna-0001", …])``."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from core.session.stage import Stage
from core.session.storage import SessionFolder
from pipeline.pool import run_tasks
from pipeline.results import SessionResult
from pipeline.show import Show, show_for
from pipeline.stages import all_stages, configs_for, in_order, selected
from pipeline.worker import Task, run_task


def run_sessions(
    folders: Sequence[str | os.PathLike[str] | SessionFolder],
    *,
    configs: Mapping[str, Any] | None = None,
    until: str | None = None,
    only: Sequence[str] | str | None = None,
    jobs: int | None = None,
    stages: Sequence[Stage] | None = None,
    catalogue_url: str | None = None,
    quiet: bool = False,
    show: Show | None = None,
) -> list[SessionResult]:
    """Bring sessions up to date; one result per folder, in the given order (repeats once).

    configs: stage name -> config; the stage's defaults where none is given.
    until: stop after this stage.   only: just these stages, where what they need stands already.
    jobs: sessions at a time, by default one per core; 0 runs in this process, without crash
    protection.
    stages: other stages than the product's own; picklable, as they travel to other processes.
    catalogue_url: SQL catalogue that is told how each stage stands.   quiet: no progress bars.
    A failing session never stops the others: look at ``result.failed``. Raises BadInputError for an
    unknown stage name, before anything runs.
    """
    ordered = in_order(all_stages() if stages is None else stages)
    only = (only,) if isinstance(only, str) else only
    chosen = tuple(stage.name for stage in selected(ordered, until=until, only=only))
    full = configs_for(ordered, configs)
    opened = [f if isinstance(f, SessionFolder) else SessionFolder(f) for f in folders]
    own = None if stages is None else ordered
    tasks = [Task(folder.url, own, chosen, full) for folder in dict.fromkeys(opened)]
    with _recorder(catalogue_url) as ended:
        if jobs == 0:
            return [_run_here(task, ended) for task in tasks]
        at_once = max(1, min(len(tasks), jobs or os.cpu_count() or 1))
        with show or show_for(len(tasks), quiet=quiet) as shown:
            return run_tasks(tasks, jobs=at_once, show=shown, ended=ended)


def _run_here(task: Task, ended: Callable[[SessionResult], None]) -> SessionResult:
    result = run_task(task)
    ended(result)
    return result


@contextmanager
def _recorder(catalogue_url: str | None) -> Iterator[Callable[[SessionResult], None]]:
    """Who is told of each result: the catalogue, if one is named."""
    if catalogue_url is None:
        yield lambda result: None
        return
    from pipeline.record import Recorder  # SQL libraries load only where a catalogue is used

    recorder = Recorder(catalogue_url)
    try:
        yield recorder.record
    finally:
        recorder.close()
