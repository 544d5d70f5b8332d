"""Who owns which of the 32 slots."""

import numpy as np
import pytest

from core.dataset.embodiments import (
    HUMAN,
    TWO_ARM_ROBOT,
    Embodiment,
    read_embodiment,
    write_embodiment,
)
from core.dataset.slots import GRIPPER_SLOTS, SLOT_NAMES, SLOT_WIDTH, slot_names, slots_of
from core.errors import BadInputError


def test_human_owns_18_and_robot_16_as_in_the_paper():
    human, robot = slots_of("human"), slots_of("robot")
    assert (human.sum(), robot.sum()) == (18, 16)
    assert np.flatnonzero(human & robot).tolist() == [*range(6), *range(7, 13), 14, 15]
    assert len(SLOT_NAMES) == SLOT_WIDTH


def test_separate_alignment_shares_only_the_arms():
    both = slots_of("human", "separate") & slots_of("robot", "separate")
    assert np.flatnonzero(both).tolist() == [*range(6), *range(7, 13)]
    assert np.flatnonzero(slots_of("human", "separate"))[-6:].tolist() == list(range(16, 22))
    assert slot_names("separate")[16] == "head_forward"
    assert slot_names("separate")[14:16] == ("base_forward", "base_yaw")


def test_a_single_arm_owns_seven():
    arm = Embodiment(name="widowx", kind="robot", arms=("right",), grippers=("right",))
    assert np.flatnonzero(arm.slots()).tolist() == list(range(7, 14))
    assert arm.slots()[GRIPPER_SLOTS["right"]]
    assert (HUMAN.slots() == slots_of("human")).all()
    assert (TWO_ARM_ROBOT.slots("separate") == slots_of("robot", "separate")).all()


def test_embodiment_file_round_trip(tmp_path):
    arm = Embodiment(
        name='wi"dow',
        kind="robot",
        arms=("right",),
        grippers=("right",),
        gripper_open=1.0,
        gripper_closed=-0.25,
        tool_from_palm={"right": (0.0, 0.0, 0.12, 0.5, 0.5, 0.5, 0.5)},
        note="two lines\nof C:\\text",
    )
    write_embodiment(arm, tmp_path / "embodiment.toml")
    assert read_embodiment(tmp_path / "embodiment.toml") == arm
    np.testing.assert_allclose(arm.closed_fraction(np.array([1, -0.25, 2])), [0, 1, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"', "needs `name` and `kind`"),
        ('name = "x"\nkind = "cat"', "kind 'cat' is not human or robot"),
        ('name = "x"\nkind = "robot"\nwheels = 4', "unknown key 'wheels'"),
        ('name = "x"\nkind = "robot"\ntime_scale = 0', "time_scale 0 is not > 0"),
        ('name = "x"\nkind = "robot"\n[tool_from_palm]\nleft = [0,0,0,2,0,0,0]', "unit quaternion"),
        ("name =", "not valid TOML"),
    ],
)
def test_wrong_embodiment_files_are_named(tmp_path, text, message):
    path = tmp_path / "embodiment.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=message):
        read_embodiment(path)
