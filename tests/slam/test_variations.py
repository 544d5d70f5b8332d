"""A varied recording must be one that a camera could have made: truth, IMU and picture agree."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.slam_takes import EurocTake
from benchmarks.slam_variations import metric_errors, summary, together
from core.geometry.cameras import PinholeRadtan
from core.geometry.rotations import matrix_from_rotvec, quat_wxyz_from_matrix, rotvec_from_matrix
from core.geometry.se3 import SE3

STEP_S = 0.005
G = np.array([0.0, 0, -9.81])


@pytest.fixture(scope="module")
def take():
    """Two seconds of a smooth motion of body, IMU 200 Hz; pictures show their number."""
    seconds = np.arange(0, 2, STEP_S)
    way = np.stack([np.sin(seconds), 0.5 * np.cos(2 * seconds), 0.3 * np.sin(3 * seconds)], axis=1)
    turn = matrix_from_rotvec(np.stack([0.4 * np.sin(seconds), 0.3 * seconds, way[:, 2]], axis=1))
    times = (seconds * 1e9).astype(np.int64)
    accel = np.gradient(np.gradient(way, STEP_S, axis=0), STEP_S, axis=0) - G
    gyro = np.zeros_like(way)
    gyro[1:-1] = rotvec_from_matrix(turn[:-2].transpose(0, 2, 1) @ turn[2:]) / (2 * STEP_S)
    return EurocTake(
        pictures=np.arange(40, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 64), np.uint8),
        times_ns=times[::10],
        imu_ns=times,
        gyro=gyro,
        accel=np.einsum("nji,nj->ni", turn, accel),
        truth_ns=times,
        truth=np.concatenate([way, quat_wxyz_from_matrix(turn)], axis=1),
        intrinsics=np.array([50.0, 51.0, 30.0, 25.0]),
        distortion=np.array([-0.2, 0.05, 0.01, -0.02]),
        body_from_camera=SE3(matrix_from_rotvec([0.2, -1.0, 0.4]), [0.1, -0.2, 0.05]).matrix(),
        imu_yaml="",
    )


VARIED = {
    "backward": EurocTake.backward,
    "mirrored": EurocTake.mirrored,
    "upside_down": EurocTake.upside_down,
    "half_size": EurocTake.half_size,
    "mirrored backward": lambda take: take.mirrored().backward(),
}


@pytest.mark.parametrize("name", VARIED)
def test_the_imu_feels_what_the_truth_does(take, name):
    varied = VARIED[name](take)
    poses = SE3.from_pose7(varied.truth)
    inner = slice(3, -3)
    seen = rotvec_from_matrix(poses.rotation[:-2].transpose(0, 2, 1) @ poses.rotation[2:])
    assert np.allclose(varied.gyro[1:-1][inner], (seen / (2 * STEP_S))[inner], atol=1e-9)
    there = poses.translation
    force = np.gradient(np.gradient(there, STEP_S, axis=0), STEP_S, axis=0) - G
    felt = np.einsum("nij,nj->ni", poses.rotation, varied.accel)
    assert np.allclose(felt[inner], force[inner], atol=1e-6)


def _seen(take: EurocTake, row: int, in_world: np.ndarray) -> np.ndarray:
    size = (take.pictures.shape[2], take.pictures.shape[1])
    camera = PinholeRadtan([*take.intrinsics, *take.distortion], size)
    world_from_camera = SE3.from_pose7(take.truth[row]) @ SE3.from_matrix(take.body_from_camera)
    return camera.project(world_from_camera.inverse().apply(in_world[None]))[0][0]


def test_points_lie_where_the_changed_picture_shows_them(take):
    camera = SE3.from_pose7(take.truth[100]) @ SE3.from_matrix(take.body_from_camera)
    point = camera.apply(np.array([[0.2, -0.1, 2.0]]))[0]
    u, v = _seen(take, 100, point)
    mirrored = _seen(take.mirrored(), 100, point * [-1, 1, 1])
    assert np.allclose(mirrored, [63 - u, v], atol=1e-9)
    assert np.allclose(_seen(take.upside_down(), 100, point), [63 - u, 47 - v], atol=1e-9)
    assert np.allclose(_seen(take.half_size(), 100, point), [u / 2 - 0.25, v / 2 - 0.25])


def test_cutting_and_dropping_keep_times_and_pictures_together(take):
    cut = take.between(0.5, 1.0)
    assert cut.pictures[:, 0, 0].tolist() == list(range(10, 21))
    assert cut.imu_ns[0] == take.imu_ns[100] - 100_000_000
    gap = take.without(0.5, 1.0)
    assert len(gap.pictures) == 30
    assert np.diff(gap.times_ns).max() == 550_000_000
    last = take.between(-0.5, None)
    assert last.pictures[-1, 0, 0] == 39
    assert np.array_equal(take.backward().backward().times_ns, take.times_ns)


def test_light_and_noise_change_the_pictures_alone(take):
    grey = replace(take, pictures=np.full_like(take.pictures, 128))
    assert (grey.relit(lambda part: (0.5, 1.0)).pictures == 64).all()
    noisy = grey.noisy(10.0)
    assert noisy.pictures.std() == pytest.approx(10, rel=0.02)
    assert np.array_equal(noisy.gyro, take.gyro)


def test_a_path_two_per_cent_too_long_is_two_sigmas_off(take):
    truth = SE3.from_pose7(take.truth)
    turned = SE3(matrix_from_rotvec([0, 0, 1.0]), [3.0, 2, 1]) @ truth  # another world, level
    twisted = matrix_from_rotvec([0, 0, 0.02]) @ turned.rotation
    twisted[0] = turned.rotation[0]
    mine = SE3(twisted, turned.translation[0] + 1.02 * (turned.translation - [3, 2, 1]))
    sigma = np.full((len(truth), 3), 0.01)
    every = np.ones(len(truth), bool)
    figures = together([metric_errors(mine, truth, sigma=(0.01, sigma, sigma))], [every])
    assert figures["scale_error"] == pytest.approx(1 / 1.02 - 1, abs=1e-4)
    assert figures["scale_sigmas"] == pytest.approx(2.0, abs=1e-3)
    assert figures["gravity_error_deg"] == pytest.approx(0, abs=1e-3)
    assert figures["ate_similarity_m"] == 0
    moved = truth.translation - truth.translation[0]
    expected = 0.02 * np.sqrt(np.mean(moved**2)) / 0.01
    assert figures["error_over_sigma"] == pytest.approx(expected, abs=0.01)
    heading = 2 * np.sqrt((len(truth) - 1) / len(truth) / 3)  # sigmas of one axis of three
    assert figures["turn_over_sigma"] == pytest.approx(heading, abs=0.01)


def test_the_summary_names_the_worst():
    runs = {"original": 0.01, "dark": -0.03, "noisy": 0.02, "short": 0.01}
    lines = summary({
        name: {"scale_error": value, "tracked": 1 - value} for name, value in runs.items()
    })
    assert lines["scale_error"] == "original 0.01, median of 3 0.02, worst 0.03 (dark)"
    assert lines["tracked"].endswith("(noisy)")
