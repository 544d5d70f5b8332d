"""Depth: read along rays of another camera, and metres for maps that have no other way to them."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.alignment import umeyama
from core.geometry.cameras import pinhole
from core.geometry.rotations import angle_between, matrix_from_rotvec
from core.geometry.se3 import SE3
from core.session.depth import DepthPicture
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.lengths.ranges import BIAS_SHARE, DepthCamera, ranges_along, sigma_m, with_ranges
from slam.sight.tracks import Ranges

CONFIG = SlamConfig()
DEPTH_CAMERA = pinhole(200.0, (320, 240))


def wall(world_from_camera, *, z=3.0):
    """Depth picture of the plane ``z`` of the picture camera's frame."""
    v, u = np.mgrid[0:240, 0:320]
    rays, _ = DEPTH_CAMERA.unproject(np.stack([u, v], axis=-1).reshape(-1, 2).astype(float))
    ways = world_from_camera.rotate(rays)
    along = (z - world_from_camera.translation[2]) / ways[:, 2]
    return (along * rays[:, 2]).reshape(240, 320).astype(np.float32)


@pytest.mark.parametrize("aside_m", [0.0, 0.05])
def test_ranges_are_read_where_the_ray_meets_the_depth(aside_m):
    place = SE3(matrix_from_rotvec([0.0, 0.1, 0.02]), np.array([aside_m, 0.01 * (aside_m > 0), 0]))
    rays = np.array([[0.0, 0, 1], [0.2, 0.1, 1], [-0.2, -0.15, 1]])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    found = ranges_along(rays, wall(place), DepthCamera(DEPTH_CAMERA, place))
    np.testing.assert_allclose(found, 3.0 / rays[:, 2], rtol=5e-3)


def test_edges_holes_and_the_outside_tell_nothing():
    depth = wall(SE3.identity())
    depth[100:140, 140:180] = np.nan
    depth[:, 250:] = 1.0
    seen = DEPTH_CAMERA.unproject(np.array([[160.0, 120], [250, 60], [40, 60], [-50, 60]]))[0]
    found = ranges_along(seen, depth, DepthCamera(DEPTH_CAMERA, SE3.identity()))
    assert np.isnan(found[[0, 1, 3]]).all()
    assert found[2] == pytest.approx(3.0 / seen[2, 2], rel=1e-3)


def test_a_picture_belongs_to_the_nearest_frame(make_world, motion):
    world = make_world(motion, seconds=1.0)
    times = world.tracks.timestamps_ns
    late = [DepthPicture(int(times[4]) + 8_000_000, wall(SE3.identity()))]
    tracks = with_ranges(world.tracks, late, DepthCamera(DEPTH_CAMERA, SE3.identity()))
    assert set(tracks.frame[np.isfinite(tracks.ranges.range_m)]) == {4}
    before = [DepthPicture(int(times[0]) - 100_000_000, wall(SE3.identity()))]
    tracks = with_ranges(world.tracks, before, DepthCamera(DEPTH_CAMERA, SE3.identity()))
    assert tracks.ranges is None


def ranged(world, *, every=1, share=0.7, noise=0.01):
    """The world's tracks with the ranges that a depth camera on every so-manieth frame tells."""
    rng = np.random.default_rng(3)
    tracks, points = (
        world.tracks,
        np.random.default_rng(1).uniform([1.0, -3, -2], [5, 3, 2], (700, 3)),
    )
    position = world.truth.translation[tracks.frame]
    true = np.linalg.norm(points[tracks.track % 700] - position, axis=1)
    told = (tracks.frame % every == 0) & (rng.random(len(true)) < share)
    range_m = np.where(told, true * rng.normal(1, noise, len(true)), np.nan)
    return replace(tracks, ranges=Ranges(range_m, sigma_m(range_m), BIAS_SHARE, "depth"))


def rigid_rms(path, truth):
    motion, _ = umeyama(path.position, truth, with_scale=False)
    off = np.linalg.norm(motion.apply(path.position) - truth, axis=1)
    return np.sqrt(np.mean(off**2))


@pytest.mark.parametrize("every", [1, 7])
def test_depth_gives_metres(make_world, motion, every):
    world = make_world(motion)
    result = estimate(ranged(world, every=every), CONFIG)
    assert result.scale_source == "depth"
    assert result.path.tracked.all()
    assert rigid_rms(result.path, world.truth.translation) < 0.01
    assert 0.01 <= result.maps[0].scale_sigma < 0.02


def test_a_turning_camera_with_depth_is_mapped(make_world, motion):
    world = make_world(replace(motion, sway_m=0.0))
    result = estimate(ranged(world), CONFIG)
    assert (result.scale_source, result.still) == ("depth", [])
    assert result.path.tracked.all()
    assert np.abs(result.path.position).max() < 0.02
    turned = result.path.rotation[0].T @ result.path.rotation
    truth = world.truth.rotation[0].T @ world.truth.rotation
    assert np.rad2deg(angle_between(turned, truth)).max() < 0.3


def test_depth_and_imu_together(make_world, motion):
    world = make_world(motion, seconds=5.0)
    result = estimate(ranged(world, every=3), CONFIG, imu=world.imu)
    assert (result.scale_source, result.gravity_source) == ("depth", "imu")
    assert rigid_rms(result.path, world.truth.translation) < 0.01
