"""The reading example of docs/dataset.md runs as it stands."""

import re
from pathlib import Path

from export.config import ExportConfig
from export.sessions import export_sessions

PAGE = Path(__file__).resolve().parents[2] / "docs/dataset.md"


def test_the_reading_example_runs(tmp_path, make_session, monkeypatch):
    folder = make_session(tmp_path, seconds=1.0)
    export_sessions([folder], tmp_path / "datasets", name="first", config=ExportConfig())
    monkeypatch.chdir(tmp_path)
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(example.group(1), names)
    assert names["values"].shape == names["mask"].shape == (3, 50, 32)
    assert names["picture"].shape == (64, 96, 3)
