"""Rotations: round trips at every angle, known turns, and sign continuity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from core.geometry import rotations as rot

angles = st.floats(-np.pi, np.pi)
rotvecs = hnp.arrays(np.float64, (7, 3), elements=st.floats(-1.8, 1.8))


@given(rotvecs)
def test_all_forms_agree_with_scipy(rotvec):
    reference = Rotation.from_rotvec(rotvec)
    matrix = rot.matrix_from_rotvec(rotvec)
    np.testing.assert_allclose(matrix, reference.as_matrix(), atol=1e-13)
    np.testing.assert_allclose(rot.rotvec_from_matrix(matrix), reference.as_rotvec(), atol=1e-9)
    quat = rot.quat_wxyz_from_matrix(matrix)
    np.testing.assert_allclose(rot.matrix_from_quat_wxyz(quat), matrix, atol=1e-13)
    assert (quat[:, 0] >= 0).all()


@pytest.mark.parametrize("angle", [0.0, 1e-300, 1e-12, 1e-6, 1.0, np.pi - 1e-9, np.pi])
@pytest.mark.parametrize(
    "axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, -0.8, 0), (0.48, 0.6, 0.64)]
)
def test_rotvec_round_trip_from_zero_to_half_a_turn(axis, angle):
    rotvec = np.array(axis) * angle
    matrix = rot.matrix_from_rotvec(rotvec)
    back = rot.rotvec_from_matrix(matrix)
    np.testing.assert_allclose(rot.matrix_from_rotvec(back), matrix, atol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(back), angle, atol=1e-14)


def test_a_quarter_turn_about_z_takes_x_to_y():
    quarter = rot.matrix_from_ypr(np.pi / 2, 0.0, 0.0)
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-15)


@given(angles, st.floats(-1.5, 1.5), angles)
def test_yaw_pitch_roll_round_trip(yaw, pitch, roll):
    matrix = rot.matrix_from_ypr(yaw, pitch, roll)
    assert rot.angle_between(rot.matrix_from_ypr(*rot.ypr_from_matrix(matrix)), matrix) < 1e-9


@pytest.mark.parametrize("pitch", [np.pi / 2, -np.pi / 2])
def test_straight_up_and_down_have_no_roll_but_the_same_rotation(pitch):
    matrix = rot.matrix_from_ypr(0.4, pitch, 0.3)
    ypr = rot.ypr_from_matrix(matrix)
    assert ypr[2] == 0
    assert rot.angle_between(rot.matrix_from_ypr(*ypr), matrix) < 1e-7


@given(rotvecs, rotvecs, st.floats(0, 1))
def test_slerp_moves_at_constant_speed_along_the_shorter_arc(start, end, fraction):
    a, b = rot.quat_from_rotvec(start), rot.quat_from_rotvec(end)
    middle = rot.matrix_from_quat_wxyz(rot.slerp(a, -b, np.full(7, fraction)))
    first, last = rot.matrix_from_quat_wxyz(a), rot.matrix_from_quat_wxyz(b)
    whole = rot.angle_between(first, last)
    np.testing.assert_allclose(rot.angle_between(first, middle), fraction * whole, atol=1e-7)
    np.testing.assert_allclose(rot.angle_between(middle, last), (1 - fraction) * whole, atol=1e-7)


def test_hemisphere_continuity_jumps_over_missing_rows():
    turn = np.linspace(0, 4 * np.pi, 60)[:, None] * [0, 0, 1.0]
    quat = rot.quat_wxyz_from_matrix(rot.matrix_from_rotvec(turn))
    quat[20:23] = np.nan
    smooth = rot.hemisphere_continuous(quat)
    kept = smooth[np.isfinite(smooth).all(1)]
    assert (np.sum(kept[1:] * kept[:-1], axis=1) > 0).all()
    assert np.isnan(smooth[20:23]).all()
    assert np.sum(quat[:1] * smooth[:1]) == pytest.approx(1)


def test_mean_of_turns_about_one_axis_is_the_mean_turn():
    turns = rot.matrix_from_rotvec(np.array([[0, 0, 0.1], [0, 0, 0.3]]))
    np.testing.assert_allclose(
        rot.mean_rotation(turns), rot.matrix_from_rotvec([0, 0, 0.2]), atol=1e-12
    )
    heavy = rot.mean_rotation(turns, weights=[0.0, 1.0])
    np.testing.assert_allclose(heavy, turns[1], atol=1e-12)


def test_nearest_rotation_of_a_mirror_is_a_rotation():
    fixed = rot.nearest_rotation(np.diag([1.0, 1.0, -1.0]) * 3)
    assert np.linalg.det(fixed) == pytest.approx(1)
    np.testing.assert_allclose(fixed @ fixed.T, np.eye(3), atol=1e-12)
