"""Alignment recovers motions that are known, and refuses what has no answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import BadInputError
from core.geometry.alignment import align_yaw_position, level_world, rotation_between, umeyama
from core.geometry.se3 import SE3

CLOUD = np.random.default_rng(1).normal(size=(20, 3))
vec6 = hnp.arrays(np.float64, 6, elements=st.floats(-2, 2))
directions = hnp.arrays(np.float64, 3, elements=st.floats(-1, 1)).filter(
    lambda v: np.linalg.norm(v) > 0.01
)


@given(vec6, st.floats(0.1, 9))
def test_umeyama_recovers_motion_and_scale(v, scale):
    motion = SE3.from_vec6(v)
    found, found_scale = umeyama(CLOUD, motion.apply(scale * CLOUD), with_scale=True)
    assert found_scale == pytest.approx(scale)
    np.testing.assert_allclose(found.matrix(), motion.matrix(), atol=1e-9)


def test_umeyama_never_mirrors():
    found, _ = umeyama(CLOUD, CLOUD * [1, 1, -1], with_scale=False)
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_points_on_a_line_still_align():
    line = np.arange(5)[:, None] * [1.0, 2, 3]
    found, scale = umeyama(line, 2 * line[:, ::-1] + 1, with_scale=True)
    np.testing.assert_allclose(found.apply(scale * line), 2 * line[:, ::-1] + 1, atol=1e-9)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (CLOUD[:2], "N >= 3"),
        (np.zeros((20, 3)), "one point"),
        (np.full((20, 3), np.nan), "NaN"),
    ],
)
def test_umeyama_refuses_what_has_no_answer(source, message):
    with pytest.raises(BadInputError, match=message):
        umeyama(source, CLOUD[: len(source)], with_scale=True)


@given(st.floats(-3.1, 3.1))
def test_yaw_alignment_turns_about_z_alone(yaw):
    motion = SE3.from_vec6([3.0, -2, 1, 0, 0, yaw])
    found = align_yaw_position(CLOUD, motion.apply(CLOUD))
    np.testing.assert_allclose(found.matrix(), motion.matrix(), atol=1e-9)
    tilted = SE3.from_vec6([0, 0, 0, 0.2, 0.1, 0]).apply(CLOUD)
    np.testing.assert_allclose(align_yaw_position(CLOUD, tilted).rotation[2], [0, 0, 1], atol=1e-12)


@given(directions, directions)
def test_rotation_between_turns_one_to_the_other(a, b):
    rotation = rotation_between(a, b)
    np.testing.assert_allclose(rotation @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_opposite_directions_turn_by_half():
    turned = rotation_between([0, 0, 2.0], [0, 0, -1.0]) @ [0, 0, 1]
    np.testing.assert_allclose(turned, [0, 0, -1], atol=1e-12)


def test_levelling_puts_gravity_down_and_keeps_a_level_world():
    np.testing.assert_allclose(level_world([0, 9.81, 0]) @ [0, 1, 0], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(level_world([0, 0, -9.81]), np.eye(3), atol=1e-12)
    with pytest.raises(BadInputError, match="nothing to level by"):
        level_world([0, 0, 0])
