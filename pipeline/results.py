"""What a run or a look at sessions found: one StageResult per stage, one SessionResult per
session.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from core.session.marks import Mark

AFTER = "after "  # how the reason of a stage begins that only waits for those it needs

State = Literal["done", "current", "stale", "waiting", "failed", "blocked"]


@dataclass(frozen=True)
class StageResult:
    """How one stage of one session stands.

    state: done (it ran now), current (nothing to do), stale (something changed since it ran),
    waiting (it has not run), failed, blocked (a stage it needs did not finish).
    message: why, in one line.   details: file with the traceback of an unexpected error.
    traceback: the same text, so that it is not lost where no file could be written.
    """

    stage: str
    state: State
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    counts: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    details: str = ""
    traceback: str = ""

    @property
    def lost(self) -> bool:
        """Did it fail, or could not start because another failed?"""
        return self.state in {"failed", "blocked"}

    @classmethod
    def of_mark(cls, mark: Mark, state: State) -> "StageResult":
        """A stage whose mark stands: `done` just now, or `current` since before."""
        warnings = tuple(mark.warnings)
        return cls(mark.stage, state, mark.seconds, warnings=warnings, counts=mark.counts)


@dataclass(frozen=True)
class SessionResult:
    """How one session stands. session: its name.   url: its folder."""

    session: str
    url: str
    stages: tuple[StageResult, ...]

    @property
    def failed(self) -> bool:
        """Did any stage fail, or could not start because another failed?"""
        return any(stage.lost for stage in self.stages)

    @property
    def finished(self) -> bool:
        """Does every stage stand, now or from before?"""
        return all(stage.state in {"done", "current"} for stage in self.stages)

    def stage(self, name: str) -> StageResult:
        """The result of one stage. KeyError when it was not looked at."""
        for result in self.stages:
            if result.stage == name:
                return result
        raise KeyError(name)


def to_document(results: list[SessionResult]) -> list[dict[str, Any]]:
    """The results as plain JSON values, for ``--json``."""
    return [{**asdict(result), "finished": result.finished} for result in results]
