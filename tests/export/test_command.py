"""`handoff export` from the outside: sessions, robots, checks."""

import json
from dataclasses import replace

import pytest

from app.cli import main
from core.session.marks import read_mark, write_mark
from pipeline.unfinished import why_unfinished


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_export_and_check(inside, make_session, capsys):
    make_session(inside / "sessions", seconds=1.0)
    assert main(["export", "sessions/anna-0001", "--name", "first", "--fps", "15"]) == 0
    assert "1 episodes, 15 frames from 1 sessions" in capsys.readouterr().out
    assert main(["export", "--check", "datasets/first"]) == 0
    assert capsys.readouterr().out.strip().endswith("1 videos: sound")
    (inside / "datasets/first/videos/observation.images.head/chunk-000/file-000.mp4").unlink()
    assert main(["export", "--check", "datasets/first", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found[0]["ok"]
    assert "not a readable video" in found[0]["problems"][0]


def test_what_changed_since_the_run_is_refused(inside, make_session, capsys):
    folder = make_session(inside / "sessions", seconds=1.0)
    command = ["export", "sessions", "--name", "first", "--fps", "15"]
    folder.write_bytes("annotate/labels.json", b"{}")  # imported, and not run yet
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "annotate is out of date (input changed: annotate/labels.json)" in error
    assert f"run: handoff run {folder.url}" in error
    assert not (inside / "datasets").exists()
    folder.remove("annotate/labels.json")
    assert main(command) == 0


def test_unfinished_sessions_are_named_or_left_out(inside, make_session, capsys):
    make_session(inside / "sessions", "anna-0001", seconds=1.0)
    broken = [make_session(inside / "sessions", f"ben-000{k}", seconds=1.0) for k in (1, 2)]
    broken[0].remove("slam/_done.slam.json")
    broken[1].write_bytes("session.json", b"{")
    command = ["export", "sessions", "--name", "first", "--fps", "15"]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert f"{broken[0].url}: stage slam is not done (and 1 more" in error
    assert "--skip-unfinished" in error
    broken[0].write_bytes("slam/_failed.slam.txt", b"imu.csv: in g; set accel_unit\n")
    assert main(command) == 1
    assert "stage slam failed (imu.csv: in g; set accel_unit) (and" in capsys.readouterr().err
    assert main([*command, "--skip-unfinished", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["sessions"] == 1
    assert [line.split(": ")[0] for line in said.err.splitlines()] == ["left out", "left out"]
    assert main(["export", *(f.url for f in broken), "--name", "none", "--skip-unfinished"]) == 1
    assert "--skip" not in capsys.readouterr().err


def test_what_older_settings_made_is_whole(inside, make_session):
    """A session run with `--set`, or by an older version of a stage, may be exported."""
    folder = make_session(inside / "sessions", seconds=1.0)
    for stage in ("hands_detect", "hands"):
        mark = read_mark(folder, "hands", stage)
        write_mark(folder, "hands", replace(mark, version=0, config={"of": "another version"}))
    assert why_unfinished(folder) is None


def test_robot_episodes(inside, recordings, capsys):
    source = str(recordings / "robot/octo_bridge_rlds")
    assert main(["export", source, "--robot", "widowx_bridge", "--name", "bridge"]) == 0
    assert "25 episodes, 250 frames" in capsys.readouterr().out
    assert main(["export", source, "--robot", "r2d2", "--name", "b"]) == 1
    assert "no such embodiment file; ours are: widowx_bridge" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "x"], "needs a name"),
        (["export", "x", "--check"], "is this folder a dataset"),
        (["export", "x", "y", "--robot", "z", "--name", "n"], "takes one RLDS folder"),
        (["export", "x", "--robot", "z", "--name", "n", "--fps", "5"], "come from the embodiment"),
    ],
)
def test_wrong_requests_are_one_line(inside, arguments, message, capsys):
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
