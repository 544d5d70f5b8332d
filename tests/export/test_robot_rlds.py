"""Robot episodes: the tool frame's meaning by construction, and a real dataset."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.dataset.chunks import ChunkSettings, encode_chunk
from core.dataset.embodiments import read_embodiment
from core.dataset.lerobot_reader import Dataset
from core.errors import BadInputError
from core.geometry.rotations import ypr_from_matrix
from core.geometry.se3 import SE3
from export.rlds_layout import read_robot_description
from export.robot_rlds import base_from_palm, episode_from, import_robot, present
from export.validate import check_dataset

BRIDGE = Path(__file__).resolve().parents[2] / "export/embodiments/widowx_bridge.toml"
FINGERS_DOWN = np.array([[0, 0, 1.0], [0, 1.0, 0], [-1.0, 0, 0]])  # Bridge's zero orientation


def example_of(rows, commands=None):
    rows = np.asarray(rows, dtype=np.float32)
    return {
        "steps/observation/state": rows.reshape(-1),
        "steps/action": (rows if commands is None else commands).reshape(-1),
        "steps/language_instruction": [b"", b"put the carrot on the plate"],
    }


def make(rows, commands=None, pictures=None):
    embodiment, layout = read_robot_description(BRIDGE)
    example = example_of(rows, commands)
    return episode_from(
        example, embodiment, layout, name="x:0", cameras=set(present(pictures or {}))
    )


def test_zero_angles_point_the_palm_down():
    palm = SE3.from_pose7(base_from_palm(np.zeros((1, 6)), read_embodiment(BRIDGE), "right")[0])
    np.testing.assert_allclose(palm.rotation[:, 0], [0, 0, -1], atol=1e-9)  # approach


def test_a_level_gripper_is_a_right_hand_thumb_up():
    """A level gripper link has x ahead, y left, z up; up is -y of a right palm, jaws are its z."""
    yaw, pitch, roll = ypr_from_matrix(FINGERS_DOWN.T)
    angles = np.array([[0, 0, 0, roll, pitch, yaw]])
    palm = SE3.from_pose7(base_from_palm(angles, read_embodiment(BRIDGE), "right")[0])
    np.testing.assert_allclose(palm.rotation[:, 0], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(palm.rotation[:, 1], [0, 0, -1], atol=1e-6)
    np.testing.assert_allclose(palm.rotation[:, 2], [0, 1, 0], atol=1e-6)


def test_descending_is_approach_in_the_chunk():
    """5 cm/s straight down is 5 cm along the palm's x after a second; the gripper closes."""
    rows = np.zeros((8, 7))
    rows[:, 2] = 0.3 - 0.01 * np.arange(8)
    rows[:, 6] = 1.0
    commands = np.zeros((8, 7), dtype=np.float32)
    commands[:4, 6] = 1.0
    episode = make(rows, commands)
    assert episode.task == "put the carrot on the plate"
    chunk = encode_chunk(episode, 0, ChunkSettings(steps=5))
    np.testing.assert_allclose(chunk.values[:, 7], 0.01 * np.arange(1, 6), atol=1e-6)
    np.testing.assert_allclose(chunk.values[:, 8:13], 0, atol=1e-6)
    np.testing.assert_allclose(chunk.values[:, 13], [0, 0, 0, 0, 1])
    assert chunk.mask[:, 7:14].all()
    assert not chunk.mask[:, :7].any()
    assert not chunk.mask[:, 14:].any()
    assert episode.state[0, 15] == 0  # 1 is open in the source, 0 is open here


def test_a_camera_of_one_colour_is_absent():
    black = [np.zeros((8, 8, 3), dtype=np.uint8)] * 3
    seen = [np.arange(192, dtype=np.uint8).reshape(8, 8, 3)] * 3
    assert not make(np.zeros((3, 7)), pictures={"head": black}).camera_valid.any()
    assert make(np.zeros((3, 7)), pictures={"head": seen}).camera_valid[:, 0].all()


def test_wrong_rows_are_named():
    with pytest.raises(BadInputError, match="steps/observation/state holds 20 numbers"):
        make(np.zeros((4, 5)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('arm = "right"', 'arm = "left"'), "arm 'left' is no arm"),
        (("[source]", "[elsewhere]"), r"needs a \[source\] table"),
        (("rate_hz = 5", "rate = 5"), "unexpected keyword argument 'rate'"),
        (("base = false", "base = true"), "one arm on a fixed base"),
    ],
)
def test_wrong_descriptions_are_named(tmp_path, change, message):
    path = tmp_path / "embodiment.toml"
    text = BRIDGE.read_text(encoding="utf-8")
    if change[1] == "[elsewhere]":
        text = text[: text.index("[source]")]
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(BadInputError, match=message):
        read_robot_description(path)


def test_a_folder_without_rlds(tmp_path):
    with pytest.raises(BadInputError, match="0 RLDS datasets found"):
        import_robot(tmp_path, BRIDGE, tmp_path / "out")


def test_bridge_episodes_become_a_dataset(recordings, tmp_path):
    report = import_robot(recordings / "robot/octo_bridge_rlds", BRIDGE, tmp_path / "bridge")
    assert (report.episodes, report.frames) == (25, 250)
    assert check_dataset(report.path).ok
    again = import_robot(recordings / "robot/octo_bridge_rlds", BRIDGE, tmp_path / "bridge")
    assert again.unchanged
    assert again.lines()[1:] == report.lines()
    dataset = Dataset(report.path)
    assert "put carrot on plate" in dataset.tasks
    image = dataset.image("head", 100)
    assert image.shape == (64, 64, 3)
    assert image.std() > 20
    approach = np.concatenate([
        SE3.from_pose7(e.state[:, 8:15].astype(float)).rotation[:, 2, 0] for e in dataset.episodes
    ])
    assert approach.mean() < -0.6  # a table-top arm reaches down
    episode = dataset.episode(3)
    assert episode.valid.all(axis=0).tolist() == [False, False, True, True, True]
    later = replace(episode, metric_scale=True)
    chunk = encode_chunk(later, 0, ChunkSettings(steps=5))
    moved = SE3.from_pose7(episode.state[[0, 5], 8:15].astype(float))
    np.testing.assert_allclose(
        chunk.values[-1, 7:13], (moved[0].inverse() @ moved[1]).to_vec6(), atol=1e-5
    )
