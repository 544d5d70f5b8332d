"""Rows read at other times than the picture's: turned back by the gyro, or by the corners' own
motion; and how long it takes to read them, found in the pictures."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.cameras import pinhole
from core.geometry.metrics import ate_rmse
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.imu import rolling_shutter
from slam.imu.rolling_shutter import unrolled
from slam.sight.rays import rays_of
from slam.sight.rolling import Shutter
from slam.sight.tracks import Tracks

CAMERA = pinhole(460.0, (640, 480))
READOUT_S = 0.025


def seen_row_by_row(motion, points, times_s, shutter, *, noise_px=0.0):
    """Tracks of a camera whose rows are exposed one after the other."""
    parts, rng = [], np.random.default_rng(3)
    for row, t in enumerate(times_s):
        pose = motion.pose([t])[0]
        uv, valid = CAMERA.project(pose.inverse().apply(points))
        delay = shutter.delays_s(np.where(valid[:, None], uv, 0.0))
        for _ in range(4):  # the row decides the time, the time the row
            pose = motion.pose(t + delay)
            there = np.einsum("nji,nj->ni", pose.rotation, points - pose.translation)
            uv, valid = CAMERA.project(there)
            delay = shutter.delays_s(np.where(valid[:, None], uv, 0.0))
        keep = np.flatnonzero(valid & CAMERA.in_image(uv))
        uv = uv[keep] + rng.normal(0, noise_px, (len(keep), 2))
        rays, rad_per_px, _ = rays_of(CAMERA, uv)
        parts.append((np.full(len(keep), row), keep, uv, rays, rad_per_px))
    columns = [np.concatenate([p[k] for p in parts]) for k in range(5)]
    return Tracks(*columns, 5_000_000_000 + np.rint(times_s * 1e9).astype(np.int64))


@pytest.mark.parametrize("rotate_deg", [0, 90, 180, 270])
def test_the_turn_within_a_picture_is_taken_out(make_world, motion, rotate_deg):
    quick = replace(motion, sway_m=0.0, turn_rad=1.0)
    imu = make_world(quick, seconds=2.0).imu
    points = 100 * np.random.default_rng(0).normal(0, 1, (400, 3))
    times_s = np.arange(0.1, 1.8, 0.1)
    shutter = Shutter(READOUT_S, CAMERA.size_wh, rotate_deg)
    rolled = seen_row_by_row(quick, points, times_s, shutter)
    fixed = unrolled(rolled, shutter, imu)
    turn = quick.pose(times_s).rotation[rolled.frame]
    true = np.einsum("nji,nj->ni", turn, points[rolled.track])
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    before, after = (np.linalg.norm(t.rays - true, axis=1).max() for t in (rolled, fixed))
    assert before > 8e-3
    assert after < 0.04 * before  # what is left is the gyro's bias


def test_frames_integrated_block_by_block_turn_alike(make_world, motion, monkeypatch):
    world, shutter = make_world(motion, seconds=1.0), Shutter(READOUT_S, CAMERA.size_wh)
    at_once = unrolled(world.tracks, shutter, world.imu)
    monkeypatch.setattr(rolling_shutter, "BLOCK", 3)
    np.testing.assert_allclose(unrolled(world.tracks, shutter, world.imu).rays, at_once.rays)
    assert np.abs(at_once.rays - world.tracks.rays).max() > 1e-3


def test_rows_are_counted_along_the_way_the_sensor_reads():
    shutter = Shutter(0.02, (100, 50))
    np.testing.assert_allclose(shutter.delays_s(np.array([[7.0, 0], [3, 49]])), [-0.01, 0.01])
    for turn, first in ((90, [99.0, 20]), (180, [5.0, 49]), (270, [0.0, 20])):
        delay = Shutter(0.02, (100, 50), turn).delays_s(np.array([first]))
        np.testing.assert_allclose(delay, [-0.01])


def test_a_global_shutter_changes_nothing(make_world, motion):
    world = make_world(motion, seconds=1.0)
    assert unrolled(world.tracks, Shutter(0.0, CAMERA.size_wh), world.imu) is world.tracks


def rolled_in_a_room(motion, readout_s, *, period_s=0.05):
    """Two seconds and a half at 20 Hz, and the true path."""
    points = np.random.default_rng(1).uniform([1.0, -3, -2], [5, 3, 2], (500, 3))
    times_s = np.arange(0, 2.5, period_s)
    shutter = Shutter(readout_s, CAMERA.size_wh)
    tracks = seen_row_by_row(motion, points, times_s, shutter, noise_px=0.3)
    return tracks, motion.pose(times_s)


def test_without_an_imu_corners_are_moved_back_along_their_own_motion(motion):
    tracks, truth = rolled_in_a_room(replace(motion, haste=2.0), READOUT_S)
    shutter = Shutter(READOUT_S, CAMERA.size_wh)
    errors = [
        ate_rmse(estimate(some, SlamConfig()).path.position, truth.translation, align="sim3")
        for some in (tracks, unrolled(tracks, shutter, None))
    ]
    assert errors[1] < 0.4 * errors[0]


@pytest.mark.parametrize("readout_s", [0.02, -0.03])
def test_a_readout_that_nobody_told_is_found_in_the_pictures(motion, readout_s):
    tracks, truth = rolled_in_a_room(replace(motion, haste=2.0), readout_s)
    asked = estimate(tracks, SlamConfig(), shutter=Shutter(0.0, CAMERA.size_wh))
    alone = estimate(tracks, SlamConfig())
    assert asked.readout.used
    assert abs(asked.readout.seconds - readout_s) < 3 * asked.readout.sigma_s < 0.006
    mine, without = (
        ate_rmse(found.path.position, truth.translation, align="sim3") for found in (asked, alone)
    )
    assert mine < 0.5 * without


def test_a_shutter_that_is_global_stays_so(motion):
    tracks, _ = rolled_in_a_room(motion, 0.0)
    found = estimate(tracks, SlamConfig(), shutter=Shutter(0.0, CAMERA.size_wh)).readout
    assert abs(found.seconds) < 3 * found.sigma_s
    assert not found.used


def test_a_few_pictures_a_second_tell_no_readout(motion):
    tracks, _ = rolled_in_a_room(motion, 0.0, period_s=0.2)
    found = estimate(tracks, SlamConfig(), shutter=Shutter(0.0, CAMERA.size_wh))
    assert found.readout is None
    assert found.path.tracked.all()
