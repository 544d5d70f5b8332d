"""`handoff export` from the outside: sessions, robots, checks."""

import json

import pytest

from app.cli import main


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
