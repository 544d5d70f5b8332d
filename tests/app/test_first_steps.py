"""The first steps of a person with one video: ingest, run, status, labels, report."""

import json

import av
import numpy as np
import pytest

from app.cli import main
from app.sessions import sessions_at

SESSION = "tiny-0001"


@pytest.fixture
def video(tmp_path):
    """Two seconds of noise at 15 Hz."""
    path = tmp_path / "walk.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=15)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(30):
            image = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def ingested(video, tmp_path, capsys):
    root = tmp_path / "sessions"
    words = ["--fov-deg", "60", "--session-id", SESSION, "--task", "walk", "--json"]
    assert main(["ingest", str(video), "--into", str(root), *words]) == 0
    assert json.loads(capsys.readouterr().out)["session"] == SESSION
    return root


def states(capsys) -> dict[str, str]:
    (result,) = json.loads(capsys.readouterr().out)
    return {stage["stage"]: stage["state"] for stage in result["stages"]}


def test_the_way_of_one_video(ingested, tmp_path, capsys):
    assert main(["run", str(ingested), "--until", "capture", "--json"]) == 0
    assert states(capsys) == {"capture": "done"}
    assert main(["run", str(ingested), "--until", "capture", "--json"]) == 0
    assert states(capsys) == {"capture": "current"}
    assert main(["status", str(ingested), "--json"]) == 0
    assert states(capsys)["slam"] == "waiting"

    session = str(ingested / SESSION)
    labels = tmp_path / "labels.csv"
    labels.write_text("track,start_s,end_s,text\nleft,0.2,1.5,wave\n", "utf-8")
    assert main(["annotate", session, "--labels", str(labels)]) == 0
    assert "1 on left" in capsys.readouterr().out
    assert main(["annotate", session]) == 1
    assert f"handoff run {session}" in capsys.readouterr().out

    page = tmp_path / "page.html"
    assert main(["report", session, "--out", str(page)]) == 0
    assert SESSION in page.read_text("utf-8")


def test_what_was_done_is_to_be_looked_at_and_a_second_run_has_nothing(ingested, capsys):
    assert main(["run", str(ingested), "--until", "capture"]) == 0
    assert capsys.readouterr().out.endswith(f"\n\nnext: handoff report {ingested}\n")
    assert main(["run", str(ingested), "--until", "capture"]) == 0
    assert "next:" not in capsys.readouterr().out


def test_a_setting_changes_what_is_current(ingested, capsys):
    words = ["run", str(ingested), "--until", "capture", "--json"]
    assert main(words) == 0
    capsys.readouterr()
    assert main([*words, "--set", "capture.samples=3"]) == 0
    assert states(capsys) == {"capture": "done"}
    assert main([*words, "--set", "capture.sample=3"]) == 1
    error = capsys.readouterr().err
    assert "capture has no field 'sample'" in error
    assert "samples" in error


def test_labels_of_another_recording_are_refused_with_their_line(ingested, tmp_path, capsys):
    assert main(["run", str(ingested), "--until", "capture", "--json"]) == 0
    capsys.readouterr()
    labels = tmp_path / "late.csv"
    labels.write_text("track,start_s,end_s,text\nleft,50,60,wave\n", "utf-8")
    assert main(["annotate", str(ingested / SESSION), "--labels", str(labels)]) == 1
    error = capsys.readouterr().err
    assert "late.csv: line 2: 50.000 to 60.000 s lies outside the recording" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--fov-deg", "60"]])
def test_what_is_no_recording_is_one_line(words, tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("buy eggs", "utf-8")
    assert main(["ingest", str(path), "--into", str(tmp_path / "s"), *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("handoff: ")
    assert str(path) in error
    assert error.count("\n") == 1
    assert not (tmp_path / "s").exists()


def test_several_sessions_are_not_one(ingested, video, capsys):
    words = ["--fov-deg", "60", "--session-id", "tiny-0002", "--json"]
    assert main(["ingest", str(video), "--into", str(ingested), *words]) == 0
    capsys.readouterr()
    assert main(["view", str(ingested)]) == 1
    assert "holds 2 sessions" in capsys.readouterr().err


def test_labels_that_cannot_be_read_are_refused_at_the_rig(tmp_path, capsys):
    rig = tmp_path / "take"
    rig.mkdir()
    (rig / "rig.toml").write_text("", "utf-8")
    (rig / "labels.csv").write_text("track,start_s,end_s,text\nlift,1,2,put\n", "utf-8")
    assert main(["ingest", str(rig), "--into", str(tmp_path / "sessions")]) == 1
    assert f"{rig}/labels.csv: line 2: track 'lift'" in capsys.readouterr().err
    assert not (tmp_path / "sessions").exists()


def test_the_next_command_can_be_pasted(video, tmp_path, capsys):
    root = tmp_path / "our sessions"
    words = ["--fov-deg", "60", "--session-id", SESSION]
    assert main(["ingest", str(video), "--into", str(root), *words]) == 0
    assert f"next: handoff run '{root}/{SESSION}'" in capsys.readouterr().out


def test_jobs_are_at_least_one(ingested, capsys):
    with pytest.raises(SystemExit):
        main(["run", str(ingested), "--jobs", "-3"])
    assert "a whole number from 1 is needed" in capsys.readouterr().err


def test_a_session_of_another_user_is_reported_and_not_passed_by(ingested, capsys, monkeypatch):
    (ingested / "closed-0001").mkdir()
    (ingested / "lost+found").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: str(path).endswith(SESSION))
    assert [folder.name for folder in sessions_at([str(ingested)])] == ["closed-0001", SESSION]
    main(["status", str(ingested)])
    assert "closed-0001: cannot open: permission denied" in capsys.readouterr().out
