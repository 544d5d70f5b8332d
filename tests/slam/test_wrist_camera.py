"""A wrist camera over a drawn table: found from nothing, made exact, followed, and denied."""

import cv2
import numpy as np
import pytest

from core.geometry.arrays import unit
from core.geometry.cameras import pinhole
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.map.mapping import SceneMap
from slam.map.scene import Scene
from slam.sight.rays import rays_of
from slam.sight.tracks import Tracks
from slam.wrist.bridging import Bridge
from slam.wrist.hands_seen import HandSeen
from slam.wrist.landmarks import Picture
from slam.wrist.sighting import Sighting
from slam.wrist.start import Starter
from slam.wrist.surroundings import surroundings_of
from slam.wrist.tracking import Tracker

HEAD, WRIST = pinhole(320.0, (640, 480)), pinhole(270.0, (640, 480))
PX_PER_M = 700
TICKS = np.array([0, 1, 2]) * 1_000_000_000


def facing(eye, towards):
    """world_from_camera at ``eye`` that looks at ``towards``, upright."""
    z = unit(np.subtract(towards, eye))
    x = unit(np.cross(z, [0.0, 0, 1]))
    return SE3(np.stack([x, np.cross(z, x), z], axis=1), np.array(eye, float))


def paper(seed):
    """A printed table of 2 m by 2 m around the origin: boxes of all sizes and greys."""
    rng = np.random.default_rng(seed)
    side = 2 * PX_PER_M
    picture = np.full((side, side), 150, np.uint8)
    for _ in range(6000):
        low, size = rng.integers(0, side, 2), rng.integers(5, 45, 2)
        corners = [tuple(int(v) for v in low), tuple(int(v) for v in low + size)]
        cv2.rectangle(picture, *corners, int(rng.integers(20, 240)), -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


def shot(table, camera, pose):
    """What the camera sees of the table, the plane z = 0."""
    u, v = np.meshgrid(*(np.arange(n, dtype=float) for n in camera.size_wh))
    rays, _ = camera.unproject(np.stack([u, v], axis=-1).reshape(-1, 2))
    rays = rays @ pose.rotation.T
    down = rays[:, 2] < -1e-3
    reach = np.where(down, -pose.translation[2] / np.where(down, rays[:, 2], -1.0), 1e3)
    at = (pose.translation[:2] + reach[:, None] * rays[:, :2] + 1.0) * PX_PER_M
    at = at.reshape(*u.shape, 2).astype(np.float32)
    return cv2.remap(table, at[..., 0], at[..., 1], cv2.INTER_AREA, borderValue=90)


@pytest.fixture(scope="module")
def table():
    return paper(0)


@pytest.fixture(scope="module")
def around(table):
    """What the head's map holds: three keyframes over the table, exact points."""
    eyes = [(-0.5, -0.1, 0.5), (-0.45, 0.0, 0.52), (-0.5, 0.1, 0.5)]
    poses = SE3.stack([facing(eye, (0.05, 0.0, 0.0)) for eye in eyes])
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(-0.4, 0.5, (500, 2)), np.zeros(500)])
    seen = []
    for frame in range(3):
        uv, valid = HEAD.project(poses[frame].inverse().apply(points))
        rows = np.flatnonzero(valid & HEAD.in_image(np.where(valid[:, None], uv, -1.0)))
        seen.append((np.full(len(rows), frame), rows, uv[rows], *rays_of(HEAD, uv[rows])[:2]))
    tracks = Tracks(*(np.concatenate(column) for column in zip(*seen, strict=True)), TICKS)
    scene = Scene(tracks, len(points))
    for frame in range(3):
        scene.set_pose(frame, poses[frame])
    scene.points[:], scene.known[:] = points, True
    scene_map = SceneMap(0, scene, np.arange(3), np.arange(3), np.zeros((3, 6, 6)), 0.01)
    pictures = [Picture(k, k, shot(table, HEAD, poses[k])) for k in range(3)]
    return surroundings_of(scene_map, HEAD, pictures, times_ns=TICKS)


def wrist_path(n):
    """world_from_camera of a wrist camera that moves on along the table, 5 cm above it."""
    eyes = [(-0.15 + 0.008 * k, -0.05 + 0.004 * k, 0.05 + 0.001 * k) for k in range(n)]
    return [facing(eye, (eye[0] + 0.3, eye[1] + 0.05, 0.02)) for eye in eyes]


def tracker_of(around, pictures):
    times = np.arange(len(pictures)) * 33_000_000
    return Tracker(
        WRIST,
        pictures,
        around.landmarks,
        bridge=Bridge(pictures, WRIST),
        times_ns=times,
        landmark_ns=around.landmark_ns,
    )


def off(pose, truth):
    """Metres and radians between two poses."""
    turn = np.arccos(np.clip((np.trace(pose.rotation.T @ truth.rotation) - 1) / 2, -1, 1))
    return np.linalg.norm(pose.translation - truth.translation), turn


def test_a_pose_roughly_known_becomes_exact_and_is_followed(table, around):
    path = wrist_path(4)
    tracker = tracker_of(around, [shot(table, WRIST, pose) for pose in path])
    rough = SE3(
        path[0].rotation @ matrix_from_rotvec([0.01, -0.01, 0.01]), path[0].translation + 0.003
    )
    settled = tracker.settle(0, rough)
    assert settled.inliers > 50
    away, turned = off(settled.world_from_camera, path[0])
    assert away < 1e-3
    assert turned < 5e-3
    followed = tracker.follow(0, settled, step=1, seen={})
    assert sorted(followed) == [1, 2, 3]
    for row, sighting in followed.items():
        away, turned = off(sighting.world_from_camera, path[row])
        assert away < 1.5e-3
        assert turned < 5e-3


def test_low_above_the_table_what_lies_far_along_it_is_found(table, around):
    """Two to three centimetres up the head's pixels are seen up to eight times as close together
    from front to back as side by side."""
    eye = (-0.3, -0.05, 0.022)
    truth = facing(eye, (0.2, 0.0, 0.03))
    settled = tracker_of(around, [shot(table, WRIST, truth)]).settle(0, truth)
    assert settled.inliers > 50
    away, turned = off(settled.world_from_camera, truth)
    assert away < 2e-3
    assert turned < 0.01


@pytest.mark.parametrize("step", [1, -1])
def test_out_of_the_maps_view_its_own_corners_carry_it_on_and_a_hand_does_not(table, step):
    """A hand, still in the picture, fills the lower third. Seven frames at one end are known."""
    camera = pinhole(135.0, (320, 240))
    eyes = [(-0.2 + 0.004 * k, -0.1 + 0.012 * k, 0.09) for k in range(14)]
    path = [facing(eye, (eye[0] + 0.2, eye[1] + 0.02 * k, 0.0)) for k, eye in enumerate(eyes)]
    pictures = [shot(table, camera, pose) for pose in path]
    for picture in pictures:
        picture[160:] = table[:80, :320]
    bridge = Bridge(pictures, camera)
    rows = list(range(14))[::step]
    bridge.told({k: Sighting(path[k], np.eye(6) * 1e-8, 40, 0.2) for k in rows[:7]})
    sigma = []
    for row in rows[7:]:
        found = bridge.pose(row, path[row - step].inverse(), step=step)
        away, turned = off(found.world_from_camera, path[row])
        assert away < 3e-3
        assert turned < 0.02
        bridge.told({row: found})
        sigma.append(found.sigma_m)
    assert sigma[-1] > sigma[0] > 1e-4


def test_it_is_carried_by_corners_that_were_seen_from_several_places_alone(table):
    camera, pose = pinhole(135.0, (320, 240)), wrist_path(1)[0]
    pictures = [shot(table, camera, pose)] * 7
    bridge = Bridge(pictures, camera)
    bridge.told({k: Sighting(pose, np.eye(6) * 1e-8, 40, 0.2) for k in range(6)})
    assert bridge.pose(6, pose.inverse()) is None


def test_another_table_is_denied(around):
    pose = wrist_path(1)[0]
    tracker = tracker_of(around, [shot(paper(9), WRIST, pose)])
    assert tracker.settle(0, pose) is None


def test_where_nothing_of_the_map_is_in_view_a_pose_is_denied(table, around):
    pose = wrist_path(1)[0]
    away = SE3(pose.rotation @ matrix_from_rotvec([0.0, np.pi, 0.0]), pose.translation)
    assert tracker_of(around, [shot(table, WRIST, pose)]).settle(0, away) is None


def test_it_is_found_from_the_hand_alone(table, around):
    truth = wrist_path(1)[0]
    picture = shot(table, WRIST, truth)
    eye = np.array([-0.5, 0.0, 0.5])
    wrist = truth.translation + np.array([0.06, 0.02, 0.04])
    hand = HandSeen(eye, unit(wrist - eye), unit(np.array([1.0, 0.0, 0.1])))
    starter, looks = Starter(around.table, HEAD, WRIST), around.looks_near(0)
    rolled = SE3(truth.rotation @ matrix_from_rotvec([0.0, 0.0, 0.3]), truth.translation + 0.05)
    for before in (None, rolled):
        away, turned = off(next(starter.propose(picture, hand, looks, before=before)), truth)
        assert away < 0.02
        assert turned < 0.1


@pytest.mark.parametrize(("turned_deg", "guess"), [((0, 0, 38), 0), ((-20, 0, 0), 2)])
def test_a_rolled_and_a_bent_camera_are_found_too(table, around, turned_deg, guess):
    truth = wrist_path(1)[0]
    turn = matrix_from_rotvec(np.deg2rad(turned_deg))
    truth = SE3(truth.rotation @ turn, truth.translation + np.array([0.0, 0.0, 0.03]))
    eye = np.array([-0.5, 0.0, 0.5])
    wrist = truth.translation + np.array([0.06, 0.02, 0.04])
    hand = HandSeen(eye, unit(wrist - eye), unit(np.array([1.0, 0.3, 0.1])))
    starter, picture = Starter(around.table, HEAD, WRIST), shot(table, WRIST, truth)
    proposed = list(starter.propose(picture, hand, around.looks_near(0), guess=guess))
    away, turned = off(proposed[-1], truth)
    assert away < 0.01
    assert turned < 0.05
