"""The table of sessions and stages, as text for a terminal or a log."""

from collections.abc import Sequence

from pipeline.results import AFTER, SessionResult, StageResult

WORDS = {
    "done": "done",
    "current": "ok",
    "stale": "stale",
    "waiting": "-",
    "failed": "FAILED",
    "blocked": "blocked",
}


def table(results: Sequence[SessionResult]) -> str:
    """A row per session, a column per stage; below it why something failed or is stale, and
    warnings.
    """
    if not results:
        return "no sessions"
    names = list(dict.fromkeys(stage.stage for r in results for stage in r.stages))
    rows = [["session", *names]]
    for result in results:
        cells = {stage.stage: _cell(stage) for stage in result.stages}
        rows.append([result.session, *(cells.get(name, "") for name in names)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([line.rstrip() for line in lines] + _remarks(results))


def _cell(result: StageResult) -> str:
    word = WORDS[result.state]
    if result.state in {"done", "current"}:
        word += f" {_duration(result.seconds)}"
    if result.warnings:
        word += f" ({len(result.warnings)} warning{'s' if len(result.warnings) > 1 else ''})"
    return word


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _remarks(results: Sequence[SessionResult]) -> list[str]:
    lines = []
    for result in results:
        told = {"failed", "stale"}
        if not any(stage.state == "failed" for stage in result.stages):
            told.add("blocked")  # after a failure its cell says enough
        for stage in result.stages:
            where = f"{result.session}: {stage.stage}"
            follows = stage.state == "stale" and stage.message.startswith(AFTER)  # its cell says so
            if stage.message and stage.state in told and not follows:
                lines.append(f"{where} {WORDS[stage.state]}: {stage.message}")
            if stage.details:
                lines.append(f"{where} traceback: {stage.details}")
            lines += [f"{where} warns: {warning}" for warning in stage.warnings]
    return ["", *lines] if lines else []
