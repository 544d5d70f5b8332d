"""Errors in millimetres and degrees of chunks whose errors are known."""

import numpy as np
import pytest

from core.dataset.slots import slots_of
from vla_train.accuracy import accuracy, arm_errors


def test_position_in_millimetres_and_rotation_in_degrees():
    true, predicted = np.zeros((1, 2, 32)), np.zeros((1, 2, 32))
    predicted[0, :, 7:10] = [0.003, 0.0, 0.004]
    predicted[0, 1, 10:13] = [0.0, np.pi / 2, 0.0]
    position_mm, rotation_deg = arm_errors(predicted, true, "right")
    assert position_mm == pytest.approx(np.array([[5.0, 5.0]]))
    assert rotation_deg == pytest.approx(np.array([[0.0, 90.0]]))
    assert arm_errors(predicted, true, "left")[0] == pytest.approx(np.zeros((1, 2)))


def test_angle_is_the_angle_between_rotations_not_of_the_difference():
    true, predicted = np.zeros((1, 1, 32)), np.zeros((1, 1, 32))
    true[..., 3:6] = [np.pi - 0.01, 0.0, 0.0]
    predicted[..., 3:6] = [-np.pi + 0.01, 0.0, 0.0]
    assert arm_errors(predicted, true, "left")[1] == pytest.approx(np.rad2deg([[0.02]]))


def test_means_count_valid_steps_and_final_whole_chunks_only():
    true, predicted = np.zeros((2, 4, 32)), np.zeros((2, 4, 32))
    predicted[..., 0] = [[0.001, 0.002, 0.003, 0.004], [0.005, 9.0, 9.0, 9.0]]
    mask = np.zeros((2, 4, 32), dtype=bool)
    mask[0, :, :6] = True
    mask[1, 0, :6] = True
    figures = accuracy(predicted, true, mask)
    assert figures["left"]["position_mm"] == pytest.approx({
        "mean": 3.0,
        "final": 4.0,
        "steps": 5,
        "chunks": 1,
    })
    assert figures["arms"]["position_mm"] == figures["left"]["position_mm"]
    assert "right" not in figures
    assert "grippers" not in figures


@pytest.mark.parametrize("kind", ["human", "robot"])
def test_head_or_base_and_grippers(kind):
    true, predicted = np.zeros((1, 1, 32)), np.zeros((1, 1, 32))
    predicted[..., 6], predicted[..., 14], predicted[..., 15] = 0.5, 0.010, np.deg2rad(3.0)
    predicted[..., 16] = 7.0  # a robot has no such slot
    if kind == "human":
        predicted[..., 16] = 0.0
    figures = accuracy(predicted, true, slots_of(kind)[None, None])
    assert figures["head"]["position_mm"]["mean"] == pytest.approx(10.0)
    assert figures["head"]["yaw_deg"]["mean"] == pytest.approx(3.0)
    assert ("grippers" in figures) == (kind == "robot")
    if kind == "robot":
        assert figures["grippers"]["opening"]["mean"] == pytest.approx(0.25)
