"""What a stage is: a named, versioned step that reads files of a session and writes files of its
room.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from core.session.storage import SessionFolder


class Progress(Protocol):
    """Where a stage says how far it is. Cheap to call for every frame."""

    def total(self, n: int, unit: str) -> None:
        """There will be n steps of this unit ("frame"); starts again from zero."""

    def advance(self, k: int = 1) -> None:
        """k more steps are done."""

    def note(self, text: str) -> None:
        """A short word on what is happening now."""


class NoProgress:
    """Says nothing to nobody."""

    def total(self, n: int, unit: str) -> None:
        """Ignored."""

    def advance(self, k: int = 1) -> None:
        """Ignored."""

    def note(self, text: str) -> None:
        """Ignored."""


NO_PROGRESS: Progress = NoProgress()


@dataclass(frozen=True)
class StageOutcome:
    """What a stage did. outputs: relative paths it wrote.   counts: seen, kept, dropped by reason
    …
    """

    outputs: list[str]
    counts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Stage(Protocol):
    """One step of the pipeline. Instances hold no state; the runner writes the mark.

    version: raise it when the same input and config would give another output.
    needs: stages whose outputs this one reads.   config_type: a frozen dataclass with defaults.
    """

    @property
    def name(self) -> str: ...
    @property
    def room(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def needs(self) -> tuple[str, ...]: ...
    @property
    def config_type(self) -> type[Any]: ...

    def inputs(self, folder: SessionFolder, config: Any) -> list[str]:
        """Files that decide the result, besides the outputs of the stages it needs."""
        ...

    def run(self, folder: SessionFolder, config: Any, progress: Progress) -> StageOutcome:
        """Read inputs, write outputs atomically. Raises HandoffError with one line on bad input."""
        ...


@runtime_checkable
class GoesWithout(Protocol):
    """A stage that also reads what other stages made, and does without them where they failed.

    Marks say whether they did (`core.session.marks.finished`), not files left from earlier.
    """

    @property
    def uses(self) -> tuple[str, ...]: ...


@runtime_checkable
class ReadsOutside(Protocol):
    """A stage whose result also depends on files outside the session: a network's weights."""

    def outside(self, folder: SessionFolder, config: Any) -> dict[str, str]:
        """What they are, by a name that is the same on every machine -> SHA-256 of the content."""
        ...
