"""Wrist cameras in the head's map: planes, patches, following, and what is written per tick."""

import numpy as np
import pytest

from core.geometry.arrays import unit
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.path import CameraPath
from slam.wrist.hands_seen import HandSeen
from slam.wrist.sighting import Sighting
from slam.wrist.surfaces import find_planes
from slam.wrist.ticks import at_ticks

MS = 1_000_000


def test_the_table_is_found_and_tops_of_things_are_no_planes_of_their_own():
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.uniform(-0.5, 0.5, (400, 2)), rng.normal(0, 0.002, 400)])
    boxes = np.column_stack([rng.uniform(-0.2, 0.2, (90, 2)), np.full(90, 0.03)])
    wall = np.column_stack([rng.uniform(-0.5, 0.5, 120), np.full(120, 0.8), rng.uniform(0, 1, 120)])
    points = np.concatenate([table, boxes, wall])
    planes, owner = find_planes(points, np.full(len(points), 0.002), depth=0.7)
    normals = [np.abs(plane.normal) for plane in planes]
    assert len(planes) == 2
    np.testing.assert_allclose(normals[0], [0, 0, 1], atol=5e-3)
    np.testing.assert_allclose(normals[1], [0, 1, 0], atol=5e-3)
    assert (owner[:400] == 0).mean() > 0.98
    assert (owner[400:490] == -1).all()


def test_a_tray_at_one_side_of_a_table_does_not_tilt_it():
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0.003, 0.03, 500)
    spots = rng.uniform(-0.4, 0.4, (500, 2))
    table = np.column_stack([spots, sigma * rng.normal(size=500)])
    in_tray = (spots > 0.1).all(axis=1)
    table[in_tray, 2] += 0.014
    planes, _ = find_planes(table, sigma, depth=0.7)
    assert np.rad2deg(np.arccos(np.abs(planes[0].normal[2]))) < 0.8


def test_a_wrist_camera_is_beside_the_ray_to_the_wrist():
    hand = HandSeen(np.zeros(3), unit(np.array([0.3, 0, -0.4])), np.array([1.0, 0, 0]))
    by_the_hand, by_the_other, behind = [0.33, 0.05, -0.42], [0.3, 0.4, -0.4], [-0.3, 0, 0.4]
    assert hand.near(np.array([by_the_hand, by_the_other, behind])).tolist() == [True, False, False]


def sighting(x_m, turn_rad=0.0):
    pose = SE3(matrix_from_rotvec([0, 0, turn_rad]), np.array([x_m, 0.0, 0.0]))
    return Sighting(pose, np.eye(6) * 1e-6, inliers=40, depth=0.3)


def head_path(n, maps=0):
    path = CameraPath(n)
    path.rotation[:], path.position[:], path.tracked[:] = np.eye(3), 0.0, True
    path.map_id[:], path.sigma_m[:], path.sigma_rad[:] = maps, 0.001, 0.001
    return path


def test_ticks_lie_between_near_sightings_and_nowhere_else():
    seen = {0: sighting(0.0), 1: sighting(0.01, 0.2), 2: sighting(0.02, 0.4), 5: sighting(0.05)}
    times = np.arange(6) * 66 * MS
    ticks = np.array([-10, 33, 66, 99, 200, 330, 340]) * MS
    found = at_ticks(
        seen, (times, np.zeros(6, int)), ticks, path=head_path(7), scale_sigma={0: 0.0}
    )
    assert found.valid.tolist() == [False, True, True, True, False, True, False]
    np.testing.assert_allclose(found.world_from_camera.translation[1:4, 0], [0.005, 0.01, 0.015])
    turns = rotvec_from_matrix(found.world_from_camera.rotation[1:4])[:, 2]
    np.testing.assert_allclose(turns, [0.1, 0.2, 0.3], atol=1e-9)
    assert (found.sigma_m[1] > found.sigma_m[2]).all()
    assert np.isnan(found.sigma_m[0]).all()


@pytest.mark.parametrize("lost", ["other map", "no head"])
def test_a_tick_off_the_map_has_no_wrist(lost):
    seen, times = {0: sighting(0.0), 1: sighting(0.01)}, np.array([0, 66]) * MS
    path = head_path(1, maps=1 if lost == "other map" else 0)
    path.tracked[:] = lost == "other map"
    maps = {0: 0.01, 1: 0.01}
    found = at_ticks(
        seen, (times, np.zeros(2, int)), np.array([30]) * MS, path=path, scale_sigma=maps
    )
    assert not found.valid.any()


def test_sigma_holds_what_the_scale_leaves_at_arms_length():
    seen, times = {0: sighting(0.5)}, np.zeros(1, int)
    path, known = head_path(1), {}
    path.sigma_rad[:] = 0.0
    for scale in (0.0, 0.02):
        found = at_ticks(seen, (times, times), times, path=path, scale_sigma={0: scale})
        known[scale] = found.sigma_m[0]
    np.testing.assert_allclose(known[0.02][1:], known[0.0][1:])
    np.testing.assert_allclose(known[0.02][0], np.hypot(known[0.0][0], 0.02 * 0.5))
