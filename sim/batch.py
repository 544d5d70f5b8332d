"""Many takes, one folder each, several at a time: what is done is kept, what failed is told.

Every take runs in a process of its own, so that one that dies takes no other with it. A take is
finished when its ``rig.toml`` is there, which is written last; anything less is made again.
"""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from core.errors import BadInputError, HandoffError
from core.session.documents import read_document, write_document
from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder
from sim.variation import AS_IT_COMES, Variation

SETTINGS = "truth/sim/settings.json"
RIG = "rig.toml"


@dataclass(frozen=True)
class BatchReport:
    """Names of takes: made now, kept from before, and those that failed with the reason."""

    folder: str
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def record_batch(
    out: str | Path,
    seeds: Sequence[int],
    *,
    workers: int = 1,
    variation: Variation = AS_IT_COMES,
    progress: Progress = NO_PROGRESS,
    **settings: Any,
) -> BatchReport:
    """A take per seed into ``out/seed-0007`` and so on.

    workers: takes at a time.  settings: those of `sim.record.record`.  BadInputError: a folder
    holds a take made with other settings, or something that is no take.
    """
    report = BatchReport(str(out))
    waiting: list[tuple[str, dict[str, Any]]] = []
    for seed in dict.fromkeys(seeds):
        name, wanted = (
            f"seed-{seed:04d}",
            {"seed": seed, **settings, "variation": asdict(variation)},
        )
        if _finished(Path(out) / name, wanted):
            report.kept.append(name)
        else:
            waiting.append((name, wanted))
    progress.total(len(waiting), "take")
    running: dict[Connection, tuple[str, BaseProcess]] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            name, wanted = waiting.pop(0)
            answer, process = _start(Path(out) / name, wanted)
            running[answer] = (name, process)
        for answer in wait(list(running)):
            name, process = running.pop(answer)  # type: ignore[arg-type]
            trouble = _trouble(answer, process)  # type: ignore[arg-type]
            if trouble is None:
                report.made.append(name)
            else:
                report.failed[name] = trouble
            progress.note(f"{name}{' failed' if trouble else ''}")
            progress.advance()
    return report


def _finished(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether the take is there; what is left of an unfinished one is removed."""
    if not folder.exists() or not any(folder.iterdir()):
        return False
    if not (folder / SETTINGS).is_file():
        raise BadInputError(
            f"{folder}: is not a take of a batch (no {SETTINGS}); give another folder"
        )
    held = read_document(SessionFolder(str(folder)), SETTINGS)
    other = sorted(k for k in {*held, *wanted} if held.get(k) != wanted.get(k))
    if other:
        raise BadInputError(
            f"{folder}: holds a take with another {', '.join(other)}; give another folder"
        )
    if (folder / RIG).is_file():
        return True
    shutil.rmtree(folder)
    return False


def _start(folder: Path, wanted: dict[str, Any]) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")  # a drawing context does not survive a fork
    answer, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_one, args=(str(folder), wanted, theirs), daemon=True)
    process.start()
    theirs.close()
    return answer, process


def _one(folder: str, wanted: dict[str, Any], answer: Connection) -> None:
    """In the take's own process: record, and send None or what went wrong."""
    from sim.record import record

    settings = dict(wanted)
    variation = Variation(**settings.pop("variation"))
    try:
        write_document(SessionFolder(folder), SETTINGS, wanted)
        record(folder, **settings, variation=variation)
        answer.send(None)
    except HandoffError as error:
        answer.send(str(error))
    finally:
        answer.close()


def _trouble(answer: Connection, process: BaseProcess) -> str | None:
    """None when the take was made, else why not."""
    try:
        trouble = answer.recv()
    except EOFError:
        trouble = "died"
    process.join()
    answer.close()
    if trouble == "died":
        return f"its process ended with code {process.exitcode}"
    return None if trouble is None else str(trouble)
