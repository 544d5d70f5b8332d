"""One page with pictures about sessions and a training run, in a single file."""

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.whole_file import whole_file
from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder


def write_report(
    folders: Sequence[SessionFolder],
    out: Path,
    *,
    run_folder: Path | None = None,
    progress: Progress = NO_PROGRESS,
) -> Path:
    """Write the page; everything in it is read or computed now. Raises HandoffError."""
    from app.report.session_part import session_part
    from app.report.training_part import training_part

    sessions = [session_part(folder, progress) for folder in folders]
    training = training_part(run_folder, progress) if run_folder is not None else None
    what = ["Session report"] if sessions else []
    title = " and ".join([*what, "training report"] if training else what).capitalize()
    page = render("report.html", sessions=sessions, training=training, title=title)
    with whole_file(out, option="--out") as partial:
        partial.write_text(page, encoding="utf-8")
    return out


def render(page: str, **values: Any) -> str:
    """A template as text. Everything that came from outside is escaped by the template engine."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("app.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure
    css = (Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    template = environment.get_template(page)
    return template.render(css=Markup(css), version=_version(), **values)


def figure(value: Any) -> str:
    """A number at a readable length; a table as its pairs; other values as they are."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {figure(one)}" for key, one in value.items()) or "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _version() -> str:
    try:
        return importlib.metadata.version("handoff-ego")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "of the checkout"
