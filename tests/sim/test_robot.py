"""The robots: kinematics, limits, and episodes that are a valid dataset in the human's words."""

import itertools
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from core.dataset.chunks import ChunkEncoder, ChunkSettings
from core.dataset.lerobot_reader import Dataset
from core.errors import BadInputError, HandoffError
from core.geometry.rotations import angle_between
from core.geometry.se3 import SE3
from export.validate import check_dataset
from sim.robots.arms import Arms
from sim.robots.builds import BUILDS, SIDES, find_build
from sim.robots.dataset import record_robot
from sim.robots.gripper import tool_rotation

pytestmark = pytest.mark.usefixtures("can_draw")


@pytest.mark.parametrize("robot", BUILDS)
@pytest.mark.parametrize("side", SIDES)
def test_inverse_kinematics_reaches_the_desk(robot, side):
    arms = Arms(BUILDS[robot])
    sign = 1 if side == "left" else -1
    for x, y in ((0.2, 0.2), (0.32, 0.05), (0.33, 0.25)):
        wanted = SE3(tool_rotation(side, -0.2 * sign, 1.19), np.array([x, sign * y, 0.03]))
        arms.reach(side, wanted)
        reached = arms.tool(side)
        assert np.linalg.norm(reached.translation - wanted.translation) < 1e-4
        assert angle_between(reached.rotation, wanted.rotation) < 1e-3
        low, high = BUILDS[robot].limits(side)
        assert (arms.joints(side) >= low).all()
        assert (arms.joints(side) <= high).all()


@pytest.mark.parametrize("robot", BUILDS)
def test_the_right_arm_mirrors_the_left(robot):
    arms = Arms(BUILDS[robot])
    left, right = arms.tool("left").translation, arms.tool("right").translation
    np.testing.assert_allclose(right, left * [1, -1, 1], atol=1e-9)
    # a quarter turn of everything that turns about z or x, the other way round
    for side in SIDES:
        flip = [-1.0 if j.mirrored and side == "right" else 1.0 for j in BUILDS[robot].joints]
        arms.set_joints(side, arms.joints(side) + 0.2 * np.array(flip))
    left, right = arms.tool("left").translation, arms.tool("right").translation
    np.testing.assert_allclose(right, left * [1, -1, 1], atol=1e-9)


def test_robots_differ_in_joints_lengths_jaws_and_looks():
    builds = list(BUILDS.values())
    assert len(builds) >= 3
    for a, b in itertools.combinations(builds, 2):
        assert a.links != b.links
        assert a.jaws != b.jaws
        assert a.link_rgb != b.link_rgb
    axes = {tuple((j.kind, j.axis) for j in build.joints) for build in builds}
    assert len(axes) == 3


def test_out_of_reach_is_said():
    with pytest.raises(HandoffError, match="cannot reach"):
        Arms(BUILDS["alder"]).reach(
            "left", SE3(tool_rotation("left", 0, 1.2), np.array([2.0, 0, 0]))
        )


def test_limits_hold_when_a_pose_is_out_of_reach():
    arms = Arms(BUILDS["cedar"])
    arms.approach("left", SE3(tool_rotation("left", 0, 1.2), np.array([0.3, 0.2, -3.0])))
    assert arms.joints("left")[0] == BUILDS["cedar"].joints[0].low


@pytest.mark.parametrize(("side", "up"), [("left", 1.0), ("right", -1.0)])
def test_neutral_tool_frame_is_the_thumb_up_hand(side, up):
    arms = Arms(BUILDS["alder"])
    arms.set_joints(side, np.zeros(6))
    rotation = arms.tool(side).rotation
    np.testing.assert_allclose(rotation[:, 0], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(rotation[:, 1], [0, 0, up], atol=1e-6)


def test_unknown_robot_is_refused():
    with pytest.raises(BadInputError, match="alder"):
        find_build("terminator")


def test_episodes_are_a_dataset(tmp_path):
    report = record_robot(tmp_path / "robot", episodes=1, seed=3, fps=5, size_wh=(96, 72))
    data = Dataset(tmp_path / "robot")
    assert check_dataset(data.root).problems == []
    episode = data.episode(0)
    assert report.frames == len(episode)
    assert episode.embodiment.kind == "robot"
    assert not episode.embodiment.base
    assert episode.success is True
    texts = {episode.subtask_texts[i] for i in episode.subtask_left}
    texts |= {episode.subtask_texts[i] for i in episode.subtask_right}
    assert sum(t.startswith("put the ") for t in texts) == 3
    # a command is reached a tick later, save for jaws, which stop at what they hold
    arm = [*range(7), *range(8, 15)]
    np.testing.assert_allclose(episode.state[1:, arm], episode.action[:-1, arm], atol=5e-3)
    closed = episode.state[:, [7, 15]]
    assert 0.4 < closed.max() < 0.6
    assert episode.action[:, [7, 15]].max() > closed.max() + 0.05
    joints = episode.extra["observation.joints"]
    assert joints.names[0] == "left_waist_rad"
    speeds = episode.extra["observation.joint_speeds"].values
    np.testing.assert_allclose(np.diff(joints.values, axis=0) * 5, speeds[1:], atol=1e-4)
    assert (np.abs(speeds) <= np.tile(BUILDS["alder"].speeds, 2) + 1e-4).all()
    assert data.image("head", 0).shape == (72, 96, 3)
    assert data.handoff["generator"]["episodes"][0]["grasps"] >= 3


def test_a_base_that_drives_fills_its_slots(tmp_path):
    record_robot(
        tmp_path / "m", task="there_and_back", episodes=1, robot="dogwood", fps=5, size_wh=(32, 24)
    )
    episode = Dataset(tmp_path / "m").episode(0)
    assert episode.embodiment.base
    assert np.linalg.norm(episode.head_pose[0, :2]) > 0.2
    assert np.linalg.norm(episode.head_pose[-1, :2]) < 0.02
    values, mask = ChunkEncoder(episode, ChunkSettings(steps=5, duration_s=1.0)).encode([2])
    assert mask[0, :, 14:16].all()
    assert not mask[0, :, 16:].any()
    assert values[0, -1, 14] > 0.02
    heading = episode.head_pose[:, :2]
    yaw = 2 * np.arctan2(episode.head_pose[:, 6], episode.head_pose[:, 3])
    step, middle = np.diff(heading, axis=0), 0.5 * (yaw[1:] + yaw[:-1])
    sideways = -np.sin(middle) * step[:, 0] + np.cos(middle) * step[:, 1]
    assert np.abs(sideways).max() < 2e-3


def test_upstream_lerobot_opens_it_joints_and_all(tmp_path, missing):
    python = os.environ.get("HANDOFF_LEROBOT_PYTHON", "")
    if not python or not Path(python).is_file():
        missing("HANDOFF_LEROBOT_PYTHON names no interpreter; make one: tests/lerobot_env.sh DIR")
    root = tmp_path / "cedar"
    report = record_robot(
        root, task="there_and_back", episodes=1, robot="cedar", fps=5, size_wh=(64, 48)
    )
    script = Path(__file__).parents[1] / "export" / "upstream_lerobot.py"
    words = [python, str(script), str(root)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    *frames, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(frames) == report.frames
    assert len(last["stats"]["observation.joints"]) == 12
    assert Dataset(root).info["features"]["observation.joints"]["names"][0] == "left_lift_m"
