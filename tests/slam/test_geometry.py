"""Rays, two views, localisation and keyframes against exact answers."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.cameras import camera_from_dict, pinhole
from core.geometry.rotations import angle_between, matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.sight.keyframes import REST_PX, REST_S, choose_keyframes
from slam.sight.localise import View, errors_px, ransac_pose, refine_pose
from slam.sight.rays import fit_rotation, rays_of, tangent_rotations, triangulate
from slam.sight.tracks import shared
from slam.sight.twoview import epipolar_inliers, two_view

RNG = np.random.default_rng(3)
POINTS = RNG.uniform([-2, -2, 2], [2, 2, 6], (150, 3))
MOVED = SE3(matrix_from_rotvec([0.05, -0.1, 0.02]), np.array([0.4, -0.1, 0.1]))


def directions(points):
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_one_pixel_of_a_pinhole_is_one_over_its_focal():
    rays, rad_per_px, valid = rays_of(pinhole(500.0, (640, 480)), np.array([[319.5, 239.5]]))
    assert valid.all()
    np.testing.assert_allclose(rays, [[0, 0, 1]], atol=1e-9)
    assert rad_per_px[0] == pytest.approx(1 / 500, rel=1e-4)


def test_rays_beyond_ninety_degrees_have_tangents():
    fisheye = camera_from_dict({
        "model": "kannala_brandt",
        "params": [200, 200, 400, 400, 0, 0, 0, 0],
        "size_wh": [801, 801],
    })
    rays, rad_per_px, valid = rays_of(fisheye, np.array([[400 + 200 * np.deg2rad(100), 400.0]]))
    assert valid.all()
    assert rays[0, 2] < 0
    assert rad_per_px[0] < 1.2 / 200
    frame = tangent_rotations(rays)[0]
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(frame[:, 2], rays[0])


def test_triangulation_is_exact_and_knows_parallel_rays():
    origins = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]], float)
    target = np.array([0.3, 0.2, 4.0])
    rays = directions(np.concatenate([target - origins[:2], [[0, 0, 1], [0, 0, 1]]]))
    points, spread = triangulate(origins, rays, np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(points[0], target, atol=1e-9)
    assert spread[1] == 0
    assert np.isnan(points[1]).all()


def test_rotation_fit_ignores_a_third_of_nonsense():
    turn = matrix_from_rotvec([0.1, 0.3, -0.2])
    rays = directions(POINTS)
    turned = rays @ turn.T
    turned[::3] = directions(RNG.normal(size=turned[::3].shape))
    assert angle_between(fit_rotation(rays, turned, rounds=8), turn) < 1e-3


def test_two_views_give_the_motion_up_to_scale():
    first, second = directions(POINTS), directions(MOVED.apply(POINTS))
    view = two_view(first, second, max_rad=1e-3)
    assert view.good.mean() > 0.9
    assert angle_between(view.second_from_first.rotation, MOVED.rotation) < 1e-3
    along = view.second_from_first.translation @ MOVED.translation
    assert along / np.linalg.norm(MOVED.translation) == pytest.approx(1, abs=1e-4)


def test_wrong_matches_lie_off_their_epipolar_planes():
    first, second = directions(POINTS), directions(MOVED.apply(POINTS))
    second[:30] = directions(second[:30] + RNG.normal(0, 0.2, (30, 3)))
    good = epipolar_inliers(first, second, max_rad=1e-3)
    assert good[30:].all()
    assert good[:30].mean() < 0.3


def test_a_pose_from_known_points_with_outliers():
    seen = MOVED.apply(POINTS)
    rays = directions(seen)
    rays[:20] = directions(RNG.normal([0, 0, 2], 1.0, (20, 3)))
    view = View(POINTS, rays, np.full(len(rays), 1 / 460))
    start = ransac_pose(view, outlier_px=2.0)
    found = refine_pose(view, start, sigma_px=0.5, outlier_px=2.0)
    assert np.linalg.norm(found.camera_from_world.translation - MOVED.translation) < 1e-3
    assert found.inlier[20:].all()
    assert np.median(errors_px(view, found.camera_from_world)) < 0.05


def test_points_in_one_spot_give_no_pose():
    points = np.array([0.1, 0.2, 2.0]) + 1e-6 * RNG.normal(size=(12, 3))
    rays = directions(RNG.normal([0, 0, 2], 0.4, (12, 3)))
    assert ransac_pose(View(points, rays, np.full(12, 0.1)), outlier_px=5.0) is None


def test_keyframes_are_never_further_apart_than_asked(make_world, motion, still):
    """`still` rolls slowly and so rests only where the roll turns around."""
    config = SlamConfig()
    for kind, limit_s in ((motion, config.keyframe_max_s), (still, REST_S)):
        tracks = make_world(kind, seconds=3.0).tracks
        chosen = choose_keyframes(tracks, config)
        gaps_s = np.diff(tracks.timestamps_ns[chosen]) * 1e-9
        assert chosen[0] == 0
        assert chosen[-1] == len(tracks.timestamps_ns) - 1
        assert gaps_s.max() <= limit_s + 1e-6
        for k in np.flatnonzero(gaps_s > config.keyframe_max_s + 1e-6):
            assert farthest_px(tracks, chosen[k], chosen[k + 1] - 1) < REST_PX
    moving = choose_keyframes(make_world(replace(motion, sway_m=0.6), seconds=3.0).tracks, config)
    assert len(moving) > len(chosen)


def farthest_px(tracks, first, second):
    """Two thirds of the corners of two frames lie closer together in the picture than this."""
    a, b = tracks.of_frames(np.array([first])), tracks.of_frames(np.array([second]))
    in_a, in_b = shared(a.track, b.track)
    return np.quantile(np.linalg.norm(a.uv_px[in_a] - b.uv_px[in_b], axis=1), 0.67)


def test_a_picture_at_rest_has_few_keyframes(make_world, still):
    class Table(type(still)):
        def pose(self, t):
            return super().pose(np.zeros_like(np.asarray(t, float)))

    tracks = make_world(Table(), seconds=4.0).tracks
    gaps_s = np.diff(tracks.timestamps_ns[choose_keyframes(tracks, SlamConfig())]) * 1e-9
    np.testing.assert_allclose(gaps_s[:-1], REST_S)
    assert gaps_s[-1] <= REST_S + 1e-6
