"""What a command was asked to write is whole, or the old one as it was."""

import errno
import os

import pytest

from app.cli import main
from app.whole_file import whole_file
from core.errors import StorageError


def test_the_file_appears_at_the_end(tmp_path):
    path = tmp_path / "deep" / "page.html"
    with whole_file(path, option="--out") as partial:
        partial.write_text("new", "utf-8")
        assert not path.exists()
    assert path.read_text("utf-8") == "new"
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old", "utf-8")

    def fill_the_disk():
        with whole_file(path, option="--out") as partial:
            partial.write_text("ne", "utf-8")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError, match=r"page\.html: cannot write: No space .* --out"):
        fill_the_disk()
    assert path.read_text("utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(("command", "option"), [("report", "--out"), ("view", "--save")])
def test_a_place_that_cannot_be_written_is_one_line(session, tmp_path, capsys, command, option):
    (tmp_path / "file").write_text("in the way", "utf-8")
    place = tmp_path / "file" / "x.out"
    assert main([command, session.url, option, str(place)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"handoff: {place}: cannot write: ")
    assert option in line


def test_what_rerun_says_of_the_disk_is_one_line(session, tmp_path, capsys, monkeypatch):
    rerun = pytest.importorskip("rerun", reason="rerun is not installed")

    def full(*_, **__):
        raise RuntimeError("Failed to write: No space left on device (os error 28)")

    monkeypatch.setattr(rerun.RecordingStream, "save", full)
    path = tmp_path / "anna.rrd"
    assert main(["view", session.url, "--save", str(path)]) == 1
    assert f"handoff: {path}: cannot write: No space left" in capsys.readouterr().err
    assert list(tmp_path.glob("*.rrd")) == []


def test_raw_recordings_are_never_written_over(session, capsys):
    path = f"{session.url}/raw/head.mp4"
    before = session.sha256("raw/head.mp4")
    for words in (
        ["hands", "overlay", session.url, "--out", path],
        ["report", session.url, "--out", path],
        ["evaluate", session.url, "--html", f"{session.url}/hands/../raw/errors.html"],
    ):
        assert main(words) == 1
        assert "lies among the raw recordings of a session" in capsys.readouterr().err
    assert session.sha256("raw/head.mp4") == before
    assert session.ls("raw") == ["raw/head.mp4", "raw/labels.csv"]
