"""Running the stages of one session, in this process, in order.

A stage that stands is skipped. One that does not takes back its own mark and those of all stages
after it, runs, and leaves its mark last; so a kill at any point leaves "not done", never a wrong
"done".
"""

import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from core.errors import HandoffError, StorageError
from core.session.hashes import cache_folder
from core.session.info import SessionInfo
from core.session.layout import failure_path
from core.session.marks import (
    Mark,
    config_document,
    hashes_of,
    plain_counts,
    remove_mark,
    write_mark,
)
from core.session.stage import NO_PROGRESS, Progress, Stage, StageOutcome
from core.session.storage import SessionFolder
from pipeline.lock import locked
from pipeline.look import Finding, awaited, examine
from pipeline.results import SessionResult, StageResult
from pipeline.stages import after, readers

LONGEST_MESSAGE = 240  # characters of an unexpected error in the table


class Listener(Protocol):
    """Who wants to know how a session gets on."""

    def started(self, stage: str) -> Progress:
        """A stage begins; gives where it reports its progress."""

    def ended(self, result: StageResult) -> None:
        """A stage has ended, or was skipped."""


class Silent:
    """Listens to nothing."""

    def started(self, stage: str) -> Progress:
        """Progress goes nowhere."""
        return NO_PROGRESS

    def ended(self, result: StageResult) -> None:
        """Ignored."""


def run_session(
    folder: SessionFolder,
    *,
    stages: Sequence[Stage],
    chosen: Sequence[Stage],
    configs: Mapping[str, Any],
    listener: Listener | None = None,
) -> SessionResult:
    """Bring the chosen stages of a session up to date. Failures are results, never exceptions.

    stages: all there are, in order (core of what "after" means).   chosen: those to run.
    """
    heard = listener or Silent()
    try:
        with locked(folder):
            results = _Run(folder, stages, configs=configs, listener=heard).of(chosen)
    except HandoffError as error:  # the session itself is unusable: its first stage says why
        results = [StageResult(stage.name, "blocked") for stage in chosen]
        results[:1] = [StageResult(chosen[0].name, "failed", message=str(error))]
        for result in results:
            heard.ended(result)
    return SessionResult(folder.name, folder.url, tuple(results))


class _Run:
    """One pass over one session.

    standing: marks known to be true of the files as they are now.   tried: stages this pass came
    to.
    """

    def __init__(
        self,
        folder: SessionFolder,
        stages: Sequence[Stage],
        *,
        configs: Mapping[str, Any],
        listener: Listener,
    ) -> None:
        self.folder = folder
        self.info = SessionInfo.read(folder)
        self.stages = stages
        self.configs = configs
        self.listener = listener
        self.standing: dict[str, Mark] = {}
        self.tried: set[str] = set()

    def of(self, chosen: Sequence[Stage]) -> list[StageResult]:
        """The results of the chosen stages, each run or skipped in order."""
        names = {stage.name for stage in chosen}
        results = []
        for stage in self.stages:
            if stage.name in names:
                result = self._one(stage)
                self.tried.add(stage.name)
                self.listener.ended(result)
                results.append(result)
            else:
                self._note_if_standing(stage)
        return results

    def _note_if_standing(self, stage: Stage) -> None:
        """A stage outside the choice counts as a need only while its mark stands."""
        if self._awaited(stage):
            return
        try:
            finding = self._examine(stage)
        except HandoffError:
            return
        if finding.stands and finding.mark is not None:
            self.standing[stage.name] = finding.mark

    def _awaited(self, stage: Stage) -> list[str]:
        return awaited(self.folder, stage, standing=self.standing, stages=self.stages)

    def _examine(self, stage: Stage) -> Finding:
        config = self.configs[stage.name]
        needed = self.standing
        return examine(self.folder, stage, config=config, needed=needed, info=self.info)

    def _one(self, stage: Stage) -> StageResult:
        missing = self._awaited(stage)
        if missing:
            tried = all(name in self.tried for name in missing)
            why = "which did not finish" if tried else "which is not up to date: run it first"
            words = f"needs {', '.join(missing)}, {why}"
            return StageResult(stage.name, "blocked", message=words)
        begun = time.monotonic()
        try:
            finding = self._examine(stage)
            if finding.stands and finding.mark is not None:
                self.standing[stage.name] = finding.mark
                return StageResult.of_mark(finding.mark, "current")
            mark = self._execute(stage, finding)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - here failures become results
            return failure(self.folder, stage, error, seconds=time.monotonic() - begun)
        self.standing[stage.name] = mark
        return StageResult.of_mark(mark, "done")

    def _execute(self, stage: Stage, finding: Finding) -> Mark:
        folder, config = self.folder, self.configs[stage.name]
        assert finding.inputs is not None
        self._take_back(stage, after(self.stages, stage.name))
        begun = time.monotonic()
        outcome = stage.run(folder, config, self.listener.started(stage.name))
        _check_outputs(folder, stage, outcome)
        mark = Mark(
            stage=stage.name,
            version=stage.version,
            config=config_document(config),
            inputs=finding.inputs,
            outputs=hashes_of(folder, outcome.outputs),
            counts=plain_counts(outcome.counts),
            warnings=list(outcome.warnings),
            seconds=round(time.monotonic() - begun, 3),
        )
        for path in set(finding.mark.outputs if finding.mark else ()) - set(mark.outputs):
            folder.remove(path)  # the last run made it, this one did not
        self._take_back(stage, readers(self.stages, stage.name))  # those that went without it too
        write_mark(folder, stage.room, mark)
        return mark

    def _take_back(self, stage: Stage, following: Sequence[Stage]) -> None:
        """Nothing from here on counts as done any more; the last stage first."""
        for later in reversed(following):
            remove_mark(self.folder, later.room, later.name)
            self.folder.remove(failure_path(later.room, later.name))
            self.standing.pop(later.name, None)
        remove_mark(self.folder, stage.room, stage.name)
        self.folder.remove(failure_path(stage.room, stage.name))
        self.folder.remove_unfinished(stage.room)


def _check_outputs(folder: SessionFolder, stage: Stage, outcome: StageOutcome) -> None:
    """A stage writes into its room's folder alone, and what it names is there."""
    for path in outcome.outputs:
        if not path.startswith(f"{stage.room}/"):
            raise RuntimeError(f"stage {stage.name} names {path}, outside its room {stage.room}/")
        if not folder.exists(path):
            raise RuntimeError(f"stage {stage.name} names {path}, but did not write it")


def failure(
    folder: SessionFolder,
    stage: Stage,
    error: BaseException,
    *,
    seconds: float = 0.0,
    trace: str | None = None,
) -> StageResult:
    """The result of a failed stage, kept beside its outputs so that `status` can show it.

    HandoffErrors are their own line. Anything else is unexpected: type, message and a file with the
    traceback, in the room's folder or, where that cannot be written, in the user's cache.
    """
    expected = isinstance(error, HandoffError)
    message = str(error) if expected else f"{type(error).__name__}: {error}"
    message = " ".join(message.split()) or type(error).__name__
    if not expected and len(message) > LONGEST_MESSAGE:  # libraries write pages; the file has all
        message = f"{message[:LONGEST_MESSAGE].rsplit(' ', 1)[0]} …"
    if trace is None:
        trace = "" if expected else "".join(traceback.format_exception(error))
    details = _keep_failure(folder, stage, message=message, trace=trace)
    return StageResult(
        stage.name,
        "failed",
        seconds=round(seconds, 3),
        message=message,
        details=details if trace else "",
        traceback=trace,
    )


def _keep_failure(folder: SessionFolder, stage: Stage, *, message: str, trace: str) -> str:
    text = f"{message}\n\n{trace}" if trace else f"{message}\n"
    path = failure_path(stage.room, stage.name)
    try:
        folder.write_bytes(path, text.encode())
    except StorageError:
        fallback = cache_folder() / "errors" / folder.name / Path(path).name
        try:
            fallback.parent.mkdir(parents=True, exist_ok=True)
            fallback.write_text(text, encoding="utf-8")
        except OSError:  # no place left at all: the result itself carries the traceback
            return ""
        return str(fallback)
    return folder.place(path)
