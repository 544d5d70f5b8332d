"""The product's stages on a real recording: killed in the middle and resumed, the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from capture.ingest import ingest
from core.session.layout import STAGES
from core.session.storage import SessionFolder
from pipeline.look import status
from pipeline.run import run_sessions

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 24
PATIENCE_S = 240.0

DRIVER = """
import sys
from pipeline.run import run_sessions
if __name__ == "__main__":
    run_sessions([sys.argv[1]], jobs=1)
"""


def first_frames(source: Path, target: Path, count: int) -> Path:
    """The first pictures of a video, copied without encoding them again."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        track = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if number == count:
                break
            packet.stream = track
            new.mux(packet)
    return target


def outputs(folder: SessionFolder) -> dict[str, str]:
    return {path: folder.sha256(path) for path in folder.ls() if "/_done." not in path}


def kill_once_done(script: Path, folder: SessionFolder, *, stage: str, delay_s: float) -> None:
    """Start a run, and SIGKILL it a moment after a stage has left its mark."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen([sys.executable, str(script), folder.url], env=environment, cwd=ROOT)
    until = time.monotonic() + PATIENCE_S
    while not list(Path(folder.url).glob(f"*/_done.{stage}.json")):
        assert driver.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < until, f"{stage} takes too long"
        time.sleep(0.02)
    time.sleep(delay_s)
    driver.send_signal(signal.SIGKILL)
    driver.wait()


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_bytes(recordings, tmp_path, missing):
    source = recordings / "ego_video" / "egodex_sample.mp4"
    video = first_frames(source, tmp_path / "short.mp4", FRAMES)
    whole = ingest(
        video, tmp_path / "whole", session_id="egodex-0001", intrinsics=(736.63, 736.63, 960, 540)
    )
    killed = SessionFolder(tmp_path / "killed" / "egodex-0001")
    shutil.copytree(whole.url, killed.url)
    first = run_sessions([whole], jobs=1)[0]
    if first.stage("hands_detect").state == "failed":
        missing(first.stage("hands_detect").message)
    assert {stage.stage: stage.state for stage in first.stages} == dict.fromkeys(STAGES, "done")

    script = tmp_path / "driver.py"
    script.write_text(DRIVER, encoding="utf-8")
    kill_once_done(script, killed, stage="capture", delay_s=0.7)
    kill_once_done(script, killed, stage="hands_detect", delay_s=0.2)
    kill_once_done(script, killed, stage="slam", delay_s=0.1)
    resumed = run_sessions([killed], jobs=1)[0]
    assert resumed.finished
    assert resumed.stage("capture").state == "current"
    assert outputs(killed) == outputs(whole)
    again = status([killed])[0]
    assert {s.stage: (s.state, s.message) for s in again.stages} == dict.fromkeys(
        STAGES, ("current", "")
    )


def test_a_damaged_recording_leaves_the_others_alone(recordings, tmp_path):
    """Cut off after ingest: its session fails with one line, the good one goes through."""
    source = recordings / "ego_video" / "egodex_sample.mp4"
    video = first_frames(source, tmp_path / "short.mp4", FRAMES)
    folders = [
        ingest(video, tmp_path / "s", session_id=name, intrinsics=(736.63, 736.63, 960, 540))
        for name in ("good-0001", "cut-00001")
    ]
    raw = Path(folders[1].url) / "raw"
    file = next(raw.glob("*.mp4"))
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    good, cut = run_sessions(folders, until="capture", jobs=2)
    assert good.finished
    assert cut.failed
    message = cut.stage("capture").message
    assert str(file) in message
    assert "\n" not in message
    assert cut.stage("capture").traceback == ""
