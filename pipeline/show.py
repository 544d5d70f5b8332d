"""What a run shows while it works: one bar per session at work and one for all, or nothing."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from pipeline.results import SessionResult, StageResult

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


@dataclass(frozen=True)
class Step:
    """How far a stage is: done of total units ("frame"), and a word on what happens now."""

    done: int
    total: int
    unit: str
    text: str


class Show(Protocol):
    """Hears how sessions get on; sessions are named by their url."""

    def session_started(self, url: str) -> None: ...
    def stage_started(self, url: str, stage: str) -> None: ...
    def progress(self, url: str, step: Step) -> None: ...
    def stage_ended(self, url: str, result: StageResult) -> None: ...
    def session_ended(self, result: SessionResult) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...


class Quiet:
    """Shows nothing."""

    def session_started(self, url: str) -> None:
        """Nothing."""

    def stage_started(self, url: str, stage: str) -> None:
        """Nothing."""

    def progress(self, url: str, step: Step) -> None:
        """Nothing."""

    def stage_ended(self, url: str, result: StageResult) -> None:
        """Nothing."""

    def session_ended(self, result: SessionResult) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing."""


class Bars(Quiet):
    """Progress bars on a terminal (standard error)."""

    def __init__(self, sessions: int, console: "Console | None" = None) -> None:
        from rich.console import Console  # not needed by the workers that import this module
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._sessions = sessions
        self._ended = 0
        self._all: TaskID | None = None
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        if self._sessions > 1:
            count = f"0/{self._sessions} sessions"
            self._all = self._progress.add_task("all", total=self._sessions, count=count)
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def session_started(self, url: str) -> None:
        name = url.rsplit("/", 1)[-1]
        self._bars[url] = self._progress.add_task(name, total=None, count="", name=name)

    def stage_started(self, url: str, stage: str) -> None:
        name = url.rsplit("/", 1)[-1]
        bar = self._bars[url]
        self._progress.reset(bar, total=None, description=f"{name} {stage}", count="")

    def progress(self, url: str, step: Step) -> None:
        count = f"{step.done}/{step.total} {step.unit}s" if step.total else ""
        self._progress.update(
            self._bars[url],
            completed=step.done,
            total=step.total or None,
            count=f"{count} {step.text}".strip(),
        )

    def session_ended(self, result: SessionResult) -> None:
        self._progress.remove_task(self._bars.pop(result.url))
        self._ended += 1
        if self._all is not None:
            count = f"{self._ended}/{self._sessions} sessions"
            self._progress.update(self._all, completed=self._ended, count=count)


def show_for(sessions: int, *, quiet: bool) -> Show:
    """Bars on a terminal, nothing elsewhere or when quiet is asked for."""
    return Quiet() if quiet or not sys.stderr.isatty() else Bars(sessions)
