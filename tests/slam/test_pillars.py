"""Keyframes that hold up a map, and those that step aside: made worlds with exact answers."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.metrics import ate_rmse
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.map import growth, pillars
from slam.map.bundle import adjust
from slam.map.mapping import SceneMap
from slam.map.pillars import choose_pillars, on_pillars
from slam.map.scene import Scene
from slam.map.smoothing import smooth
from slam.map.visual_inertial import Inertial
from slam.sight.tracks import Tracks

CONFIG = SlamConfig()


def looking(tracks_of_keyframes):
    """A scene of keyframes one second apart that see these tracks, all of them known."""
    frame = np.repeat(np.arange(len(tracks_of_keyframes)), [len(t) for t in tracks_of_keyframes])
    track = np.concatenate(tracks_of_keyframes)
    n = len(track)
    times_ns = np.arange(len(tracks_of_keyframes)) * 1_000_000_000
    rays = np.tile([0.0, 0.0, 1.0], (n, 1))
    scene = Scene(Tracks(frame, track, np.zeros((n, 2)), rays, np.full(n, 1e-3), times_ns))
    scene.posed[:] = True
    scene.known[:] = True
    return scene


def mapped(world, *, every=4):
    """The map of a world as it is: every fourth frame a keyframe."""
    frames = np.arange(0, len(world.truth), every)
    scene = Scene(world.tracks.of_frames(frames))
    for row, frame in enumerate(frames.tolist()):
        scene.set_pose(row, world.truth[frame])
    scene.triangulate(np.arange(len(scene.known)), max_px=5.0)
    rows = np.arange(len(frames))
    return SceneMap(0, scene, frames, rows, np.zeros((len(rows), 6, 6)))


def test_who_looks_at_the_same_for_long_adds_nothing():
    scene = looking([np.arange(30)] * 12)
    # after six seconds three looks lie more than three seconds back; the last is always kept
    assert choose_pillars(scene, np.arange(12)).tolist() == [0, 1, 2, 3, 4, 5, 11]


def test_a_look_elsewhere_is_a_pillar():
    there = [np.arange(30)] * 8 + [np.arange(10, 60)] + [np.arange(30)] * 3
    assert 8 in choose_pillars(looking(there), np.arange(12))


def test_where_much_is_moved_a_smaller_share_is_enough(monkeypatch):
    seen = [np.r_[np.arange(30), 100 + 40 * k + np.arange(40)] for k in range(12)]
    assert len(choose_pillars(looking(seen), np.arange(12))) == 12
    monkeypatch.setattr(pillars, "MOST", 10)
    assert choose_pillars(looking(seen), np.arange(12)).tolist() == [0, 1, 2, 3, 4, 5, 11]


def test_a_large_map_grows_at_its_end(make_world, motion, monkeypatch):
    world = make_world(motion, seconds=6.0)
    refined = []
    monkeypatch.setattr(growth, "LARGE", 16)
    monkeypatch.setattr(
        growth, "adjust", lambda *args, **kw: refined.append(len(args[1])) or adjust(*args, **kw)
    )
    scene = Scene(world.tracks.of_frames(np.arange(0, 120, 2)))
    posed = growth.grow(scene, CONFIG, among=np.arange(60))
    assert len(posed) == 60
    assert max(refined) == 16
    truth = world.truth[np.arange(0, 120, 2)].translation
    assert ate_rmse(scene.position, truth, align="sim3") < 0.01


def test_what_was_thrown_out_does_not_count_as_seen():
    scene = looking([np.arange(30)] * 12)
    scene.used[scene.views.frame == 2] = False
    assert 6 in choose_pillars(scene, np.arange(12))


def test_covered_keyframes_come_back_where_they_were(make_world, motion):
    world = make_world(replace(motion, turn_rad=0.05, sway_m=0.2), seconds=8.0)
    scene_map = mapped(world)
    with on_pillars(scene_map, CONFIG):
        alone = scene_map.posed
        scene_map.covariance[:] = 1e-6 * np.eye(6)
    assert len(alone) < 0.9 * len(scene_map.frames)
    assert scene_map.posed.tolist() == list(range(len(scene_map.frames)))
    off = scene_map.scene.position - world.truth[scene_map.frames].translation
    assert np.linalg.norm(off, axis=1).max() < 0.003
    variance = np.trace(scene_map.covariance, axis1=1, axis2=2)
    covered = np.setdiff1d(scene_map.posed, alone)
    assert variance[covered].min() > variance[alone].max() == pytest.approx(6e-6)


def test_pillars_keep_the_points_that_they_place_alone(make_world, motion):
    scene_map = mapped(make_world(replace(motion, turn_rad=0.05, sway_m=0.2), seconds=8.0))
    scene, before = scene_map.scene, scene_map.scene.known.sum()
    with on_pillars(scene_map, CONFIG):
        looks = np.bincount(scene.views.track[scene.observations()], minlength=len(scene.known))
        assert 0 < scene.known.sum() < before
        assert looks[scene.known].min() >= 2
        adjust(scene, scene_map.posed, sigma_px=CONFIG.pixel_sigma)
        away = scene.points[scene.known] - scene.position[scene_map.posed[0]]
        assert np.linalg.norm(away, axis=1).min() > 0.3
    assert scene.known.sum() > 0.95 * before


def test_a_pillar_that_is_off_gives_way_to_the_imu(make_world, motion):
    world = make_world(replace(motion, turn_rad=0.05, sway_m=0.2), seconds=8.0)
    scene_map = mapped(world)
    truth = world.truth[scene_map.frames]
    with on_pillars(scene_map, CONFIG):
        row = int(scene_map.posed[-3])
        astray = SE3(truth.rotation[row], truth.translation[row] + [0.01, 0.0, 0.0])
        scene_map.scene.set_pose(row, astray)
        seconds = (world.tracks.timestamps_ns * 1e-9)[scene_map.frames[scene_map.posed]]
        speed = np.gradient(truth[scene_map.posed].translation, seconds, axis=0)
        scene_map.inertial = Inertial(speed, *np.zeros((2, *speed.shape)))
        scene_map.imu = world.imu
    assert np.linalg.norm(scene_map.scene.position[row] - truth.translation[row]) < 0.005


def test_the_imu_smooths_what_points_placed_roughly(make_world, motion):
    world = make_world(motion, seconds=5.0)
    scene_map = mapped(world)
    scene, frames = scene_map.scene, scene_map.frames
    held, rough = scene_map.posed[::6], np.setdiff1d(scene_map.posed, scene_map.posed[::6])
    truth = world.truth[frames]
    noise = np.random.default_rng(0).normal(0, 0.01, (len(rough), 3))
    for row, shift in zip(rough.tolist(), noise, strict=True):
        scene.set_pose(row, SE3(truth.rotation[row], truth.translation[row] + shift))
    covariance = np.diag(np.repeat([1e-3, 0.01], 3) ** 2)
    states = smooth(
        scene,
        world.imu,
        scene_map.posed,
        known=(held, Inertial(*np.zeros((3, len(held), 3)))),
        seen=dict.fromkeys(rough.tolist(), covariance),
    )
    off = scene.position - truth.translation
    assert np.sqrt(np.mean(off[rough] ** 2)) < 0.004
    assert np.abs(off[held]).max() < 1e-4
    assert states.velocities.shape == (len(frames), 3)
    seconds = scene.views.timestamps_ns * 1e-9
    speed = np.gradient((truth @ world.imu.camera_from_imu).translation, seconds, axis=0)
    assert np.abs(states.velocities - speed)[1:-1].max() < 0.15


def test_a_point_seen_everywhere_is_adjusted_by_a_part_of_its_looks():
    seen = [np.arange(40) if k < 10 else np.arange(4, 40) for k in range(60)]  # 4 in ten alone
    scene, views = looking(seen), looking(seen).views
    rows = np.arange(len(views.frame))
    kept = scene.thinned(rows[::-1], 30)
    assert (np.diff(kept) > 0).all()
    assert np.bincount(views.track[kept]).tolist() == [10] * 4 + [30] * 36
    assert np.bincount(views.frame[kept]).min() > 15
    assert np.diff(views.frame[kept[views.track[kept] == 7]]).max() <= 2
    np.testing.assert_array_equal(scene.thinned(rows, 60), rows)
