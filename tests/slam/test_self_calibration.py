"""A focal length and a place of the IMU that are wrong by a known amount are found again."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.cameras import KannalaBrandt, pinhole
from core.geometry.metrics import ate_errors
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.map.recalibrated import moved_camera, refocused
from slam.sight.rays import rays_of
from slam.sight.tracks import Tracks

FOCAL_PX, SIZE = 460.0, (640, 480)
WRONG_BY, MOVED_M = 1.02, np.array([0.012, -0.015, 0.01])


def through(tracks, camera):
    """The same pixels, taken for another camera's."""
    rays, rad_per_px, _ = rays_of(camera, tracks.uv_px)
    return replace(tracks, rays=rays, rad_per_px=rad_per_px)


def off_mm(result, world):
    path = result.path
    off = ate_errors(path.position, world.truth.translation, align="yaw")
    return 1e3 * np.sqrt(np.mean(off**2))


def test_a_wrong_focal_length_and_place_are_found(make_world, motion):
    world = make_world(replace(motion, haste=4.0), seconds=3.0)
    camera = pinhole(FOCAL_PX * WRONG_BY, SIZE)
    given = {"camera": camera, "imu": moved_camera(world.imu, MOVED_M)}
    tracks = through(world.tracks, camera)
    result = estimate(tracks, SlamConfig(refine="focal,extrinsics"), **given)
    focal, place = result.calibrated.focal, result.calibrated.place
    assert abs(focal.off[0] + np.log(WRONG_BY)) < 3 * focal.sigma[0] < 0.011
    assert np.all(np.abs(place.off + MOVED_M) < 4 * place.sigma)
    assert place.sigma.max() < 0.012
    assert result.warnings == []
    assert off_mm(result, world) < 4  # 29 as it was given


def test_a_right_calibration_stays(make_world, motion):
    world = make_world(replace(motion, haste=4.0), seconds=3.0)
    config = SlamConfig(refine="focal,extrinsics")
    result = estimate(world.tracks, config, camera=pinhole(FOCAL_PX, SIZE), imu=world.imu)
    found = result.calibrated
    assert not found.focal.used
    assert not found.place.used
    assert off_mm(result, world) < 4


def test_noise_does_not_lengthen_the_lens(make_world, motion):
    world = make_world(replace(motion, haste=3.0), seconds=1.5, noise_px=1.0)
    config = SlamConfig(refine="focal")
    found = estimate(world.tracks, config, camera=pinhole(FOCAL_PX, SIZE)).calibrated
    assert abs(found.focal.off[0]) < 0.005  # 0.009 where slopes go with the corners' noise


@pytest.mark.parametrize("times", [0.85, 1.0, 1.2])
def test_pictures_alone_doubt_a_focal_length_that_is_far_off(make_world, motion, times):
    world = make_world(replace(motion, haste=4.0), seconds=3.0, noise_px=0.3)
    camera = pinhole(FOCAL_PX * times, SIZE)
    result = estimate(through(world.tracks, camera), SlamConfig(), camera=camera)
    doubts = [w for w in result.warnings if "does not fit these pictures" in w]
    assert len(doubts) == (times != 1.0)
    assert not doubts or ("longer does" if times < 1 else "shorter does") in doubts[0]
    assert result.path.tracked.all()


def test_what_the_recording_does_not_tell_stays(make_world, motion):
    world = make_world(replace(motion, turn_rad=0.0), seconds=2.0)
    imu = moved_camera(world.imu, MOVED_M)
    config = SlamConfig(refine="extrinsics")
    result = estimate(world.tracks, config, camera=pinhole(FOCAL_PX, SIZE), imu=imu)
    assert result.calibrated.place is None
    assert "turn faster and about all axes" in result.warnings[0]


def test_the_rays_are_those_of_the_other_focal_length():
    params = (250.0, 250.0, 320.0, 240.0, 0.03, -0.01, 0.002, 0.0)
    camera = KannalaBrandt(params, SIZE)
    longer = KannalaBrandt((255.0, 255.0, *params[2:]), SIZE)
    uv_px = np.random.default_rng(0).uniform([10, 10], [630, 470], (50, 2))
    seen = rays_of(camera, uv_px)
    tracks = Tracks(np.zeros(50, int), np.arange(50), uv_px, seen[0], seen[1], np.array([0]))
    moved = refocused(tracks, camera, 1.02)
    np.testing.assert_allclose(moved.rays, rays_of(longer, uv_px)[0], atol=1e-12)
    back = refocused(moved, camera, 1.0, before=1.02)
    np.testing.assert_allclose(back.rays, tracks.rays, atol=1e-12)


def test_what_can_be_refined_is_named():
    with pytest.raises(BadInputError, match="give 'focal', 'extrinsics' or"):
        SlamConfig(refine="distortion")
