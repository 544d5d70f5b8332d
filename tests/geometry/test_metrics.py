"""Error figures on inputs whose answers are known, and on published trajectories."""

import numpy as np
import pytest

from core.geometry import clock, metrics
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3

HANDS = np.random.default_rng(3).normal(size=(6, 17, 3))


def test_hand_errors_by_hand():
    moved = HANDS + np.array([0.03, 0.04, 0])
    assert metrics.mpjpe(moved, HANDS) == pytest.approx(0.05)
    assert metrics.mpjpe(
        metrics.wrist_relative(moved), metrics.wrist_relative(HANDS)
    ) == pytest.approx(0, abs=1e-12)
    only_first = np.zeros((6, 17), dtype=bool)
    only_first[0] = True
    moved[1:] += 1
    assert metrics.mpjpe(moved, HANDS, valid=only_first) == pytest.approx(0.05)
    assert np.isnan(metrics.mpjpe(moved, HANDS, valid=np.zeros((6, 17))))


def test_procrustes_removes_turn_place_and_size_hand_by_hand():
    turns = SE3.from_vec6(np.random.default_rng(5).normal(size=(6, 6)))
    bent = turns.apply(HANDS * np.arange(1, 7)[:, None, None])
    np.testing.assert_allclose(metrics.procrustes(bent, HANDS), HANDS, atol=1e-9)
    mirrored = metrics.procrustes(HANDS * [1, 1, -1], HANDS)
    assert metrics.mpjpe(mirrored, HANDS) > 0.1


def test_rotation_error_in_degrees():
    assert metrics.rotation_error_deg(
        np.eye(3), matrix_from_rotvec([0, np.radians(30), 0])
    ) == pytest.approx(30)


def test_trajectory_errors_know_what_they_align():
    t = np.linspace(0, 6, 100)
    path = np.stack([np.cos(t), np.sin(2 * t), 0.1 * t], axis=-1)
    level = SE3.from_vec6([5.0, 1, 2, 0, 0, 0.7])
    tilted = SE3.from_vec6([5.0, 1, 2, 0.3, 0, 0.7])
    assert metrics.ate_rmse(level.apply(path), path, align="yaw") == pytest.approx(0, abs=1e-9)
    assert metrics.ate_rmse(tilted.apply(path), path, align="yaw") > 0.05
    assert metrics.ate_rmse(tilted.apply(path), path) == pytest.approx(0, abs=1e-9)
    assert metrics.ate_rmse(tilted.apply(3 * path), path, align="sim3") < 1e-9
    assert metrics.ate_rmse(path + np.array([0.3, 0, 0]), path, align="none") == pytest.approx(0.3)
    with pytest.raises(ValueError, match="se3, sim3, yaw or none"):
        metrics.ate_rmse(path, path, align="magic")


def test_relative_errors_do_not_depend_on_the_world():
    steps = np.zeros((10, 6))
    steps[:, 0] = np.arange(10)
    truth = SE3.from_vec6(steps)
    steps[:, 0] *= 1.1
    estimate = SE3.from_vec6([9.0, 9, 9, 1, 2, 0]) @ SE3.from_vec6(steps)
    metres, degrees = metrics.rpe(estimate, truth, step=2)
    np.testing.assert_allclose(metres, 0.2, atol=1e-9)
    np.testing.assert_allclose(degrees, 0, atol=1e-6)


def test_a_straight_line_has_its_length():
    assert metrics.path_length_m(np.linspace([0, 0, 0], [1, 0, 0], 11)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("estimate", "truth", "align", "published"),
    [
        ("fr2_desk_ORB.txt", "fr2_desk_groundtruth.txt", "se3", 0.00812),
        ("freiburg1_xyz-ORB_kf_mono.txt", "freiburg1_xyz-groundtruth.txt", "sim3", 0.00976),
    ],
)
def test_published_trajectory_errors(recordings, estimate, truth, align, published):
    folder = recordings / "traj_eval"
    ours, true = (np.loadtxt(folder / name) for name in (estimate, truth))
    ns = [np.rint(rows[:, 0] * 1e9).astype(np.int64) for rows in (ours, true)]
    index, near = clock.resample_indices(ns[1], ns[0], max_distance_ns=10_000_000)
    rmse = metrics.ate_rmse(ours[near, 1:4], true[index[near], 1:4], align=align)
    assert rmse == pytest.approx(published, abs=2e-5)
