"""Upstream LeRobot, unmodified, sees in our datasets what our own reader sees."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from core.dataset.lerobot_reader import Dataset
from export.config import ExportConfig
from export.sessions import export_sessions

SCRIPT = Path(__file__).with_name("upstream_lerobot.py")
SEGMENTS = (
    ("episode", 0.0, 0.8, "first", "accepted", "put an egg away", True),
    ("episode", 1.0, 1.6, "second", "accepted", "close the lid", True),
    ("left", 0.2, 0.6, "reach for the egg", "accepted", None, None),
)


@pytest.fixture
def lerobot(missing):
    """The interpreter that tests/lerobot_env.sh makes."""
    python = os.environ.get("HANDOFF_LEROBOT_PYTHON", "")
    if not python or not Path(python).is_file():
        missing("HANDOFF_LEROBOT_PYTHON names no interpreter; make one: tests/lerobot_env.sh DIR")
    return python


def seen_by_upstream(python, root):
    done = subprocess.run(
        [python, str(SCRIPT), str(root)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *frames, last = [json.loads(line) for line in done.stdout.splitlines()]
    return frames, last["stats"]


def test_upstream_sees_what_we_see(lerobot, tmp_path, make_session):
    folders = [
        make_session(tmp_path, "anna-0001", seconds=2.0, segments=SEGMENTS),
        make_session(tmp_path, "bert-0002", seconds=0.7, cameras=("head", "left_wrist")),
    ]
    root = export_sessions(folders, tmp_path, name="set", config=ExportConfig()).path
    frames, stats = seen_by_upstream(lerobot, root)
    dataset = Dataset(root)
    assert len(frames) == len(dataset) == 24 + 18 + 21
    for index, found in enumerate(frames):
        number, frame = dataset.locate(index)
        episode = dataset.episode(number)
        assert (found["index"], found["episode"]) == (index, number)
        assert found["task"] == episode.task
        assert found["subtask"] == episode.subtask_texts[episode.subtask[frame]]
        assert found["timestamp_ns"] == episode.timestamp_ns[frame]
        assert found["valid"] == episode.valid[frame].tolist()
        np.testing.assert_array_equal(np.float32(found["state"]), episode.state[frame])
        inside = np.minimum(frame + np.arange(8), len(episode) - 1)
        np.testing.assert_array_equal(np.float32(found["future"]), episode.action[inside])
        assert found["padded"] == (frame + np.arange(8) >= len(episode)).tolist()
        for camera in ("head", "left_wrist"):
            key = f"observation.images.{camera}"
            assert found["shape"][key] == [3, 64, 96]
            ours = dataset.image(camera, index).mean()
            assert found["grey"][key] == pytest.approx(ours, abs=1.0)
    assert len(stats["observation.state"]) == 16
    assert np.shape(stats["observation.images.head"]) == (3, 1, 1)
