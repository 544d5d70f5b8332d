"""A second camera beside the first: distances from pictures drawn with exact geometry."""

import cv2
import numpy as np
import pytest

from core.geometry.cameras import camera_from_dict, pinhole
from core.geometry.rotations import angle_between, matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.lengths.pair_turn import straightened
from slam.lengths.stereo import StereoPair
from slam.sight.follow import Follower
from slam.sight.rays import rays_of

FIRST = pinhole(300.0, (320, 240))
WIDE = camera_from_dict({
    "model": "kannala_brandt",
    "params": [190.0, 190.0, 199.5, 149.5, 0.03, -0.01, 0.002, 0.0],
    "size_wh": [400, 300],
})
BESIDE = SE3(matrix_from_rotvec([0.01, -0.05, 0.04]), np.array([0.08, 0.01, -0.004]))
OUTWARDS = SE3(matrix_from_rotvec([0.02, np.deg2rad(64), -0.03]), BESIDE.translation)
NORMAL, AWAY_M = np.array([0.25, -0.1, 0.96]), 0.9  # a slanted wall in the first camera's frame


def wall(camera, place, *, paint, normal):
    """Picture ``(H,W)`` of the painted wall from a place in the first camera's frame."""
    width, height = camera.size_wh
    v, u = np.mgrid[0:height, 0:width]
    rays, valid = camera.unproject(np.stack([u, v], axis=-1).reshape(-1, 2).astype(float))
    ways = place.rotate(rays)
    along = (AWAY_M - place.translation @ normal) / (ways @ normal)
    spot = place.translation + along[:, None] * ways
    at = np.where((valid & (along > 0))[:, None], 500 + 420 * spot[:, :2], -1e4)
    at = at.astype(np.float32).reshape(height, width, 2)
    return cv2.remap(paint, at, None, cv2.INTER_LINEAR)


def speckled():
    rng = np.random.default_rng(4)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (1000, 1000)).astype(np.float32), (0, 0), 2.0)
    return cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def seen(paint, *, first=FIRST, second=WIDE, mounted=BESIDE, normal=NORMAL):
    """Both pictures of the wall, and corners of the first."""
    grey = wall(first, SE3.identity(), paint=paint, normal=normal)
    beside = wall(second, mounted, paint=paint, normal=normal)
    follower = Follower(first, SlamConfig())
    follower.add(grey)
    return grey, beside, follower.tracks(np.array([0])).of_frames([0]).uv_px


def compare(paint, *, first=FIRST, second=WIDE, mounted=BESIDE, given=None, normal=NORMAL):
    """Corners of the wall: true ranges, and what a pair says whose place is ``given``."""
    grey, beside, uv = seen(paint, first=first, second=second, mounted=mounted, normal=normal)
    rays, _, _ = rays_of(first, uv.astype(float))
    pair = StereoPair(first, second, mounted if given is None else given)
    return AWAY_M / (rays @ normal), pair.ranges(grey, beside, uv)


@pytest.mark.parametrize(
    ("eyes", "mounted", "share"),
    [
        ((FIRST, FIRST), BESIDE, 0.5),
        ((FIRST, WIDE), BESIDE, 0.5),
        ((WIDE, WIDE), BESIDE, 0.5),
        ((WIDE, WIDE), OUTWARDS, 0.15),
    ],
)
def test_ranges_are_right_and_know_how_right(eyes, mounted, share):
    true_m, (range_m, sigma_m, _) = compare(
        speckled(), first=eyes[0], second=eyes[1], mounted=mounted
    )
    told = np.isfinite(range_m)
    assert told.mean() > share
    off = range_m[told] / true_m[told] - 1
    assert abs(np.median(off)) < 2e-3
    assert np.sqrt(np.mean((off * true_m[told] / sigma_m[told]) ** 2)) < 1.5
    assert np.isnan(sigma_m[~told]).all()


def bent(angles_deg):
    """BESIDE as a calibration has it that got the turn wrong."""
    return SE3(matrix_from_rotvec(np.deg2rad(angles_deg)) @ BESIDE.rotation, BESIDE.translation)


def test_a_second_camera_that_was_bent_is_straightened():
    given = bent([0.6, -0.3, 0.5])
    true_m, (blind_m, _, _) = compare(speckled(), given=given)
    pictures = [seen(speckled())]
    pair = straightened(StereoPair(FIRST, WIDE, given), pictures)
    assert angle_between(pair.place.rotation, BESIDE.rotation) < np.deg2rad(0.25)
    range_m, _, slip_rad = pair.ranges(*pictures[0])
    told = np.isfinite(range_m)
    assert told.sum() > 2 * np.isfinite(blind_m).sum()
    off = abs(np.median(range_m[told] / true_m[told] - 1))
    assert off < 2 * pair.bias_share(range_m[told], slip_rad[told]) < 0.2


def test_a_right_pair_stays():
    pair = StereoPair(FIRST, WIDE, BESIDE)
    assert straightened(pair, [seen(speckled())]) is pair


def test_a_pattern_that_repeats_tells_nothing():
    """On a wall straight ahead of parallel eyes one check looks like the next."""
    v, u = np.mgrid[0:1000, 0:1000]
    checks = cv2.GaussianBlur((((u // 6 + v // 6) % 2) * 200 + 20).astype(np.uint8), (0, 0), 1.0)
    parallel, ahead = SE3(np.eye(3), np.array([0.08, 0.0, 0.0])), np.array([0.0, 0.0, 1.0])
    true_m, (range_m, _, _) = compare(checks, second=FIRST, mounted=parallel, normal=ahead)
    assert len(true_m) > 100
    assert np.isfinite(range_m).mean() < 0.05
    _, (range_m, _, _) = compare(speckled(), second=FIRST, mounted=parallel, normal=ahead)
    assert np.isfinite(range_m).mean() > 0.5


def test_a_small_error_of_the_calibration_shows_in_what_ranges_share():
    _, (range_m, _, slip_rad) = compare(speckled())
    told = np.isfinite(range_m)
    pair = StereoPair(FIRST, WIDE, BESIDE)
    assert 0.005 < pair.bias_share(range_m[told], slip_rad[told]) < 0.01
    turned = SE3(BESIDE.rotation @ matrix_from_rotvec([0.003, 0.003, 0]), BESIDE.translation)
    true_m, (wrong_m, _, slip_rad) = compare(speckled(), given=turned)
    told = np.isfinite(wrong_m)
    share = StereoPair(FIRST, WIDE, turned).bias_share(wrong_m[told], slip_rad[told])
    off = np.median(wrong_m[told] / true_m[told]) - 1
    assert 0.02 < abs(off) < 2 * share < 0.1


def test_a_second_camera_that_sits_otherwise_tells_nothing():
    nodding = SE3(BESIDE.rotation @ matrix_from_rotvec([0.03, 0, 0]), BESIDE.translation)
    _, (range_m, _, _) = compare(speckled(), given=nodding)
    assert np.isfinite(range_m).mean() < 0.05
