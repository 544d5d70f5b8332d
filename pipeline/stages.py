"""Which stages there are, in which order, and which of them a run takes."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from core.errors import BadInputError
from core.session.stage import GoesWithout, Stage

# imported when asked for: a room's libraries are not needed to show a help page
_PLACES = (
    ("capture.stage", "CAPTURE"),
    ("hands.stage", "HANDS_DETECT"),
    ("slam.stage", "SLAM"),
    ("hands.stage", "HANDS"),
    ("annotate.stage", "ANNOTATE"),
)


def all_stages() -> tuple[Stage, ...]:
    """Every stage of the product, each after those it needs."""
    return tuple(cast(Stage, getattr(import_module(module), name)) for module, name in _PLACES)


def reads(stage: Stage) -> tuple[str, ...]:
    """The stages whose outputs it reads: those it needs, and those it does without if it must."""
    return (*stage.needs, *(stage.uses if isinstance(stage, GoesWithout) else ()))


def in_order(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """The same stages, each after those it reads, otherwise in the given order.

    A need that is not among them, or a ring of needs, is a mistake of ours: ValueError.
    """
    names = [stage.name for stage in stages]
    if len(set(names)) != len(names):
        raise ValueError(f"two stages share a name: {names}")
    left, ordered = list(stages), list[Stage]()
    while left:
        placed = {stage.name for stage in ordered}
        ready = [stage for stage in left if set(reads(stage)) <= placed]
        if not ready:
            wants = {stage.name: reads(stage) for stage in left}
            raise ValueError(f"needs that never come: {wants}")
        ordered.append(ready[0])
        left.remove(ready[0])
    return tuple(ordered)


def after(stages: Sequence[Stage], name: str) -> tuple[Stage, ...]:
    """The stages that need this one, directly or through others, in order."""
    return _following(stages, name, {stage.name: stage.needs for stage in stages})


def readers(stages: Sequence[Stage], name: str) -> tuple[Stage, ...]:
    """The stages that read this one, directly or through others, in order."""
    return _following(stages, name, {stage.name: reads(stage) for stage in stages})


def _following(
    stages: Sequence[Stage], name: str, links: Mapping[str, Sequence[str]]
) -> tuple[Stage, ...]:
    reached = {name}
    for stage in stages:
        if reached & set(links[stage.name]):
            reached.add(stage.name)
    return tuple(stage for stage in stages if stage.name in reached - {name})


def before(stages: Sequence[Stage], name: str) -> tuple[Stage, ...]:
    """The stages that this one reads, directly or through others, in order."""
    wanted = {name}
    for stage in reversed(stages):
        if stage.name in wanted:
            wanted |= set(reads(stage))
    return tuple(stage for stage in stages if stage.name in wanted - {name})


def selected(
    stages: Sequence[Stage], *, until: str | None, only: Sequence[str] | None
) -> tuple[Stage, ...]:
    """The stages a run takes: all, those up to one, or just the named. BadInputError lists the
    names.
    """
    known = [stage.name for stage in stages]
    for name in [*(only or ()), *([until] if until else [])]:
        if name not in known:
            raise BadInputError(f"no stage {name!r}; the stages are: {', '.join(known)}")
    if only:
        return tuple(stage for stage in stages if stage.name in only)
    if until:
        kept = {stage.name for stage in before(stages, until)} | {until}
        return tuple(stage for stage in stages if stage.name in kept)
    return tuple(stages)


def configs_for(stages: Sequence[Stage], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """One config per stage: the given one, else the stage's defaults."""
    given = given or {}
    known = {stage.name for stage in stages}
    for name in given:
        if name not in known:
            raise BadInputError(f"a config names stage {name!r}; there are: {', '.join(known)}")
    return {stage.name: given.get(stage.name, stage.config_type()) for stage in stages}
