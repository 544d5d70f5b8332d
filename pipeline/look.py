"""Looking at a session without running anything: which stages stand, which are stale and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BadInputError, HandoffError
from core.session.info import SessionInfo
from core.session.layout import failure_path, mark_path
from core.session.marks import Mark, config_document, hashes_of, read_mark, why_stale
from core.session.stage import ReadsOutside, Stage
from core.session.storage import SessionFolder
from pipeline.results import AFTER, SessionResult, StageResult
from pipeline.stages import all_stages, configs_for, in_order, reads


@dataclass(frozen=True)
class Finding:
    """How a stage stands. mark: what its last finished run left, where that can be read.

    inputs: path -> SHA-256 of what it would read now, None where that cannot be said yet.
    """

    stands: bool
    reason: str
    mark: Mark | None
    inputs: dict[str, str] | None


def examine(
    folder: SessionFolder,
    stage: Stage,
    *,
    config: Any,
    needed: Mapping[str, Mark],
    info: SessionInfo,
) -> Finding:
    """Does the stage's mark stand for this config, version and the present inputs?

    needed: marks of the stages it needs, all of which must stand, and of others that do.
    HandoffError when an input is missing.
    """
    inputs = current_inputs(folder, stage, config=config, needed=needed)
    refuse_changed_raw(folder, info, inputs)
    try:
        mark = read_mark(folder, stage.room, stage.name)
    except BadInputError as error:  # a damaged mark stands for nothing; a run replaces it
        return Finding(False, str(error), None, inputs)
    if mark is None:
        return Finding(False, "has not run", None, inputs)
    document = config_document(config)
    reason = why_stale(folder, mark, version=stage.version, config=document, inputs=inputs)
    return Finding(reason is None, reason or "", mark, inputs)


def current_inputs(
    folder: SessionFolder, stage: Stage, *, config: Any, needed: Mapping[str, Mark]
) -> dict[str, str]:
    """Hashes of everything the stage reads: its own inputs, all outputs of the stages it reads that
    stand, and files outside the session by name.
    """
    paths = set(stage.inputs(folder, config))
    known: dict[str, str] = {}
    for name in reads(stage):
        known |= needed[name].outputs if name in needed else {}  # just compared with the files
    outside = stage.outside(folder, config) if isinstance(stage, ReadsOutside) else {}
    inside = hashes_of(folder, sorted(paths - set(known)))
    return dict(sorted({**inside, **known, **outside}.items()))


def awaited(
    folder: SessionFolder, stage: Stage, *, standing: Mapping[str, Mark], stages: Sequence[Stage]
) -> list[str]:
    """The stages that have to finish before this one can start: those it needs, and those it could
    do without but that have not failed, or have left a mark of before.
    """
    read = [other for other in stages if other.name in reads(stage)]
    left = [other for other in read if other.name not in standing]
    return [s.name for s in left if s.name in stage.needs or not _gave_up(folder, s, stages)]


def _gave_up(folder: SessionFolder, stage: Stage, stages: Sequence[Stage]) -> bool:
    """It failed, or a stage that it needs has given up; and nothing of before is left."""
    if folder.exists(mark_path(stage.room, stage.name)):
        return False
    if folder.exists(failure_path(stage.room, stage.name)):
        return True
    return any(_gave_up(folder, s, stages) for s in stages if s.name in stage.needs)


def refuse_changed_raw(folder: SessionFolder, info: SessionInfo, inputs: dict[str, str]) -> None:
    """Raw files are what the rig recorded, byte for byte. Labels alone may be corrected by hand."""
    for stream in info.streams:
        found = inputs.get(stream.path, stream.sha256)
        if stream.kind != "labels" and found != stream.sha256:
            raise BadInputError(
                f"{folder.place(stream.path)}: changed since ingest (sha256 {found[:12]}, was "
                f"{stream.sha256[:12]}); put the recorded file back or ingest it anew"
            )


def look(
    folder: SessionFolder, stages: Sequence[Stage], configs: Mapping[str, Any]
) -> SessionResult:
    """How every stage of one session stands; runs and changes nothing."""
    standing: dict[str, Mark] = {}
    results = []
    try:
        info = SessionInfo.read(folder)
    except HandoffError as error:
        broken = [StageResult(stage.name, "failed", message=str(error)) for stage in stages[:1]]
        rest = [StageResult(stage.name, "waiting") for stage in stages[1:]]
        return SessionResult(folder.name, folder.url, (*broken, *rest))
    for stage in stages:
        try:
            if wanted := awaited(folder, stage, standing=standing, stages=stages):
                results.append(_unfinished(folder, stage, reason=AFTER + ", ".join(wanted)))
                continue
            config = configs[stage.name]
            found = _look_at(folder, stage, config=config, standing=standing, info=info)
            results.append(found)
        except HandoffError as error:
            results.append(StageResult(stage.name, "failed", message=str(error)))
    return SessionResult(folder.name, folder.url, tuple(results))


def _look_at(
    folder: SessionFolder,
    stage: Stage,
    *,
    config: Any,
    standing: dict[str, Mark],
    info: SessionInfo,
) -> StageResult:
    finding = examine(folder, stage, config=config, needed=standing, info=info)
    if finding.stands and finding.mark is not None:
        standing[stage.name] = finding.mark
        return StageResult.of_mark(finding.mark, "current")
    return _unfinished(folder, stage, reason=finding.reason)


def _unfinished(folder: SessionFolder, stage: Stage, *, reason: str) -> StageResult:
    """Stale where a mark is left, failed where the last run left its reason, else waiting."""
    failure = failure_path(stage.room, stage.name)
    if folder.exists(failure):
        lines = folder.read_bytes(failure).decode(errors="replace").splitlines()
        traced = folder.place(failure) if len(lines) > 1 else ""  # one line: all is said in it
        return StageResult(stage.name, "failed", message=lines[0], details=traced)
    try:
        left = read_mark(folder, stage.room, stage.name) is not None
    except BadInputError:
        left = True
    return StageResult(stage.name, "stale" if left else "waiting", message=reason)


def status(
    folders: Sequence[str | SessionFolder],
    *,
    configs: Mapping[str, Any] | None = None,
    stages: Sequence[Stage] | None = None,
) -> list[SessionResult]:
    """How sessions stand: current, stale (and what changed), failed (and why) or waiting."""
    ordered = in_order(all_stages() if stages is None else stages)
    full = configs_for(ordered, configs)
    opened = [f if isinstance(f, SessionFolder) else SessionFolder(f) for f in folders]
    return [look(folder, ordered, full) for folder in dict.fromkeys(opened)]
