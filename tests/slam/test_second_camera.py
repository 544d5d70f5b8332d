"""Where the first camera is covered, the map goes on with what a second one sees beside it."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.alignment import umeyama
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.map.scene import Scene
from slam.second_camera import around
from slam.sight.localise import View, ransac_pose, refine_pose
from slam.sight.tracks import Ranges

SECOND = SE3(matrix_from_rotvec([0.02, np.deg2rad(50), -0.03]), np.array([0.12, 0.01, -0.03]))
COVERED, BOTH_SEE = np.arange(24, 42), np.arange(12, 54)  # of 60 frames, 20 a second


@pytest.fixture
def covered(make_world, motion, look):
    """The world and what both cameras see of it while the first is covered for 0.9 s."""
    world = make_world(motion, seconds=3.0, blind=COVERED)
    points = np.random.default_rng(1).uniform([1.0, -3, -2], [5, 3, 2], (700, 3))
    times_ns, away = world.tracks.timestamps_ns, np.setdiff1d(np.arange(60), BOTH_SEE)
    seen = look(world.truth @ SECOND, times_ns, points, np.random.default_rng(2), blind=away)
    beside = replace(
        seen,
        track=seen.track + world.tracks.n_tracks,
        rays=seen.rays @ SECOND.rotation.T,
        eyes=np.tile(SECOND.translation, (len(seen.frame), 1)),
    )
    both = world.tracks.merged(beside)
    eyes = world.truth.translation[both.frame] + np.einsum(
        "nij,nj->ni", world.truth.rotation[both.frame], both.eyes
    )
    point = np.where(both.own, both.track, both.track - world.tracks.n_tracks) % 700
    range_m = np.linalg.norm(points[point] - eyes, axis=1)
    told = ~np.isin(both.frame, COVERED) & (range_m < 3) & (point % 4 == 0)
    noise = np.random.default_rng(3).normal(1, 0.01, len(range_m))
    ranges = Ranges(np.where(told, range_m * noise, np.nan), 0.01 * range_m, 0.005, "stereo")
    return world, replace(both, ranges=ranges)


@pytest.mark.parametrize("felt", [True, False])
def test_the_path_goes_on_with_the_second_camera(covered, felt):
    world, both = covered
    result = estimate(both, SlamConfig(), imu=world.imu if felt else None)
    path, truth = result.path, world.truth.translation
    assert (len(result.maps), result.scale_source) == (1, "stereo")
    assert path.tracked.all()
    moved, _ = umeyama(path.position, truth, with_scale=False)
    off = np.linalg.norm(moved.apply(path.position) - truth, axis=1)[COVERED]
    assert off.max() < 0.012
    assert np.sqrt(np.mean(off**2)) < 2 * np.linalg.norm(path.sigma_m[COVERED].mean(axis=0))


def test_the_first_camera_alone_is_lost_there(covered):
    _, both = covered
    own = replace(both.subset(both.own), eyes=None)
    assert not estimate(own, SlamConfig()).path.tracked[COVERED].any()


def test_without_ranges_nothing_says_how_far_the_second_camera_is_away(covered):
    _, both = covered
    assert both.eyes.any()
    assert Scene(both, ranged=True).views is both
    assert Scene(both).views.eyes is None
    assert len(Scene(both).used) == both.own.sum()


def test_a_pose_from_what_the_second_camera_sees(covered):
    world, both = covered
    points = np.random.default_rng(1).uniform([1.0, -3, -2], [5, 3, 2], (700, 3))
    for frame, own in ((20, True), (33, False)):
        here = both.of_frames([frame])
        point = np.where(here.own, here.track, here.track - world.tracks.n_tracks) % 700
        assert (here.own.mean() > 0.5) == own
        view = View.of(points[point], here, np.arange(len(point)))
        start = ransac_pose(view, outlier_px=2.5)
        found = refine_pose(view, start, sigma_px=1.0, outlier_px=5.0)
        off = found.camera_from_world @ world.truth[frame]
        assert np.linalg.norm(off.translation) < 0.005
        assert found.inlier.mean() > 0.95


def test_both_are_followed_a_second_before_and_after():
    times_ns = np.arange(100) * 100_000_000
    covered = np.isin(np.arange(100), [40, 41, 70])
    np.testing.assert_array_equal(
        np.flatnonzero(around(covered, times_ns)), [*range(30, 52), *range(60, 81)]
    )
