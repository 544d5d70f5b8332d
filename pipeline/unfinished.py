"""Whether a session's outputs may be used: every stage done, and nothing changed under it since.

Unlike `look`, this asks nothing of the present settings and stage versions: what an older version
or a `--set` made is whole, and may be exported.
"""

from collections.abc import Sequence
from typing import Any

from core.errors import HandoffError
from core.session.info import SessionInfo
from core.session.layout import failure_path
from core.session.marks import Mark, read_mark, why_stale
from core.session.stage import Stage
from core.session.storage import SessionFolder
from pipeline.look import current_inputs, refuse_changed_raw
from pipeline.stages import all_stages, in_order


def why_unfinished(folder: SessionFolder, stages: Sequence[Stage] | None = None) -> str | None:
    """The first thing that keeps a session from being used, without its name; None when whole."""
    standing: dict[str, Mark] = {}
    try:
        info = SessionInfo.read(folder)
        for stage in in_order(all_stages() if stages is None else stages):
            mark = read_mark(folder, stage.room, stage.name)
            if mark is None:
                return f"stage {stage.name} {_why_undone(folder, stage)}"
            reason = _changed(folder, stage, mark=mark, needed=standing, info=info)
            if reason is not None:
                return f"stage {stage.name} is out of date ({reason})"
            standing[stage.name] = mark
    except HandoffError as error:
        return str(error)
    return None


def _why_undone(folder: SessionFolder, stage: Stage) -> str:
    kept = failure_path(stage.room, stage.name)
    if not folder.exists(kept):
        return "is not done"
    return f"failed ({folder.read_bytes(kept).decode(errors='replace').splitlines()[0]})"


def _changed(
    folder: SessionFolder, stage: Stage, *, mark: Mark, needed: dict[str, Mark], info: SessionInfo
) -> str | None:
    config = _config_of(stage, mark)
    inputs = current_inputs(folder, stage, config=config, needed=needed)
    refuse_changed_raw(folder, info, inputs)
    return why_stale(folder, mark, version=mark.version, config=mark.config, inputs=inputs)


def _config_of(stage: Stage, mark: Mark) -> Any:
    """The settings the stage ran with; its defaults where another version named them otherwise."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in mark.config.items()}
    try:
        return stage.config_type(**values)
    except (TypeError, HandoffError):
        return stage.config_type()
