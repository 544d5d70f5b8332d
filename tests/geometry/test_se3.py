"""Rigid transforms: group laws, batches, storage form, interpolation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import BadInputError
from core.geometry import rotations as rot
from core.geometry.se3 import SE3, interpolate

vec6 = hnp.arrays(np.float64, (5, 6), elements=st.floats(-1.5, 1.5))
points = hnp.arrays(np.float64, (5, 4, 3), elements=st.floats(-3, 3))


def same(a: SE3, b: SE3, atol: float = 1e-9) -> None:
    np.testing.assert_allclose(a.matrix(), b.matrix(), atol=atol)


@given(vec6, vec6, points)
def test_group_laws(u, v, cloud):
    a, b = SE3.from_vec6(u), SE3.from_vec6(v)
    same(a @ a.inverse(), SE3.identity((5,)))
    same((a @ b).inverse(), b.inverse() @ a.inverse())
    np.testing.assert_allclose((a @ b).apply(cloud), a.apply(b.apply(cloud)), atol=1e-9)


@given(vec6)
def test_every_form_round_trips(u):
    a = SE3.from_vec6(u)
    same(SE3.from_pose7(a.to_pose7()), a)
    same(SE3.from_matrix(a.matrix()), a)
    same(SE3.from_vec6(a.to_vec6()), a)
    same(SE3.exp(a.log()), a)
    np.testing.assert_allclose(SE3.exp(u).log(), u, atol=1e-7)


def test_exponential_of_a_screw_is_the_known_helix():
    """Turning by 90° about z while the body moves 1 m along its own x: a quarter of a circle."""
    arc = SE3.exp([1.0, 0, 0, 0, 0, np.pi / 2])
    np.testing.assert_allclose(arc.translation, [2 / np.pi, 2 / np.pi, 0], atol=1e-12)
    np.testing.assert_allclose(arc.rotation @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_apply_takes_one_point_a_row_each_and_many_per_pose():
    batch = SE3.from_vec6([[1, 0, 0, 0, 0, np.pi / 2], [0, 2, 0, 0, 0, 0]])
    np.testing.assert_allclose(batch.apply([1, 0, 0]), [[1, 1, 0], [1, 2, 0]], atol=1e-12)
    rows = batch.apply([[1.0, 0, 0], [0, 0, 5]])
    np.testing.assert_allclose(rows, [[1, 1, 0], [0, 2, 5]], atol=1e-12)
    many = batch.apply(np.zeros((2, 21, 3)))
    assert many.shape == (2, 21, 3)
    np.testing.assert_allclose(many[1, 7], [0, 2, 0])
    assert batch[0].apply(np.zeros((4, 3, 3))).shape == (4, 3, 3)
    np.testing.assert_allclose(batch.rotate([0, 1.0, 0])[0], [-1, 0, 0], atol=1e-12)


def test_one_pose_times_a_batch_broadcasts():
    one = SE3.from_vec6([1.0, 0, 0, 0, 0, 0])
    assert (one @ SE3.identity((3,))).shape == (3,)
    assert len(SE3.stack([one, one])) == 2


def test_fields_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        SE3.identity().translation[0] = 1


@pytest.mark.parametrize("pose", [[0, 0, 0, 2.0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
def test_bad_poses_are_refused_with_the_value(pose):
    with pytest.raises(BadInputError, match=r"length 2|found \(6,\)"):
        SE3.from_pose7(pose)


def test_missing_poses_stay_missing():
    pose = np.array([[0, 0, 0, 1.0, 0, 0, 0], [np.nan] * 7])
    batch = SE3.from_pose7(pose)
    assert batch.finite.tolist() == [True, False]
    assert np.isnan((batch @ batch).to_pose7()[1]).all()


@given(vec6, st.integers(0, 400))
def test_interpolation_hits_the_samples_and_never_extrapolates(u, query):
    times = np.array([0, 100, 150, 300, 400])
    poses = SE3.from_vec6(u)
    read, valid = interpolate(times, poses, times)
    assert valid.all()
    same(read, poses)
    _, inside = interpolate(times, poses, [query, -1, 401])
    assert inside.tolist() == [True, False, False]


def test_interpolation_half_way_is_half_the_motion():
    poses = SE3.from_vec6([[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1.0]])
    read, _ = interpolate([0, 10], poses, [5])
    np.testing.assert_allclose(read.to_vec6(), [[0.5, 0, 0, 0, 0, 0.5]], atol=1e-12)


def test_interpolation_stays_out_of_gaps_and_missing_poses():
    poses = SE3.from_pose7([[0, 0, 0, 1, 0, 0, 0]] * 2 + [[np.nan] * 7] + [[0, 0, 0, 1, 0, 0, 0]])
    read, valid = interpolate([0, 10, 20, 30], poses, [5, 10, 15, 30])
    assert valid.tolist() == [True, True, False, True]
    assert np.isnan(read.translation[2]).all()
    _, valid = interpolate([0, 1000], poses[:2], [500, 1000], max_gap_ns=100)
    assert valid.tolist() == [False, True]
    assert interpolate([], SE3.identity((0,)), [3])[1].tolist() == [False]


def test_angle_of_a_pose_track_is_continuous_on_disk():
    turn = np.linspace(0, 6 * np.pi, 50)[:, None] * [0, 0, 0, 0, 1.0, 0]
    pose7 = SE3.from_vec6(turn).to_pose7()
    assert (np.sum(pose7[1:, 3:] * pose7[:-1, 3:], axis=1) > 0).all()
    assert rot.angle_between(np.eye(3), SE3.from_pose7(pose7[0]).rotation) == 0
