"""The robot: kinematics, and episodes that are a valid dataset in the human's words."""

import numpy as np
import pytest

from core.dataset.lerobot_reader import Dataset
from core.errors import BadInputError, HandoffError
from core.geometry.rotations import angle_between
from core.geometry.se3 import SE3
from sim.arms import STYLES, Arms, arm_xml, find_style
from sim.gripper import tool_rotation
from sim.render import load_mujoco
from sim.robot import record_robot

pytestmark = pytest.mark.usefixtures("can_draw")


def _arms(style: str) -> Arms:
    mujoco = load_mujoco()
    bodies = "".join(arm_xml(STYLES[style], s, wrist_fov_y=1.0) for s in ("left", "right"))
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><compiler angle="radian"/><worldbody>{bodies}</worldbody></mujoco>'
    )
    return Arms(model, mujoco.MjData(model))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_inverse_kinematics_reaches_the_desk(style, side):
    arms = _arms(style)
    sign = 1 if side == "left" else -1
    for x, y in ((0.2, 0.2), (0.32, 0.05), (0.33, 0.25)):
        wanted = SE3(tool_rotation(side, -0.2 * sign, 1.19), np.array([x, sign * y, 0.03]))
        arms.reach(side, wanted)
        reached = arms.tool(side)
        assert np.linalg.norm(reached.translation - wanted.translation) < 1e-4
        assert angle_between(reached.rotation, wanted.rotation) < 1e-3


def test_out_of_reach_is_said():
    with pytest.raises(HandoffError, match="cannot reach"):
        _arms("alder").reach("left", SE3(tool_rotation("left", 0, 1.2), np.array([2.0, 0, 0])))


@pytest.mark.parametrize(("side", "up"), [("left", 1.0), ("right", -1.0)])
def test_neutral_tool_frame_is_the_thumb_up_hand(side, up):
    arms = _arms("alder")
    arms.set_joints(side, np.zeros(6))
    rotation = arms.tool(side).rotation
    np.testing.assert_allclose(rotation[:, 0], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(rotation[:, 1], [0, 0, up], atol=1e-6)


def test_unknown_robot_is_refused():
    with pytest.raises(BadInputError, match="alder"):
        find_style("terminator")


def test_episodes_are_a_dataset(tmp_path):
    report = record_robot(tmp_path / "robot", episodes=1, seed=3, fps=5, size_wh=(96, 72))
    data = Dataset(tmp_path / "robot")
    episode = next(iter(data.episodes))
    assert report.frames == len(episode)
    assert episode.embodiment.kind == "robot"
    assert not episode.embodiment.base
    assert episode.success is True
    texts = {episode.subtask_texts[i] for i in episode.subtask_left}
    texts |= {episode.subtask_texts[i] for i in episode.subtask_right}
    assert sum(t.startswith("put the ") for t in texts) == 3
    np.testing.assert_allclose(episode.state[1:], episode.action[:-1, :16], atol=2e-6)
    closed = episode.state[:, [7, 15]]
    assert 0.4 < closed.max() < 0.7
    assert closed.min() == 0.0
    assert data.image("head", 0).shape == (72, 96, 3)
    assert (tmp_path / "robot/meta/embodiment.toml").is_file()
