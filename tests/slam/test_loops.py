"""Places seen again: matching, joining, and a path that is better for it."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.alignment import umeyama
from slam.config import SlamConfig
from slam.estimate import close_loops, estimate
from slam.map.loops import MOST_LOOKS, Drift, joined, relabelled
from slam.map.mapping import SceneMap
from slam.map.scene import Scene
from slam.sight.places import Describer, Place
from slam.sight.tracks import Tracks

CONFIG = SlamConfig()
N_POINTS = 700  # of the made world


def tracks_of(frame, track):
    n = len(frame)
    rays = np.tile([0.0, 0.0, 1.0], (n, 1))
    return Tracks(
        np.array(frame), np.array(track), np.zeros((n, 2)), rays, np.full(n, 1e-3), np.arange(3)
    )


def looks(tracks, *, every, wrong=0.0):
    """Places whose descriptors tell which point a track really is, some of them wrongly."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 256, (N_POINTS, 32), dtype=np.uint8)
    places = []
    for frame in range(0, len(tracks.timestamps_ns), every):
        track = tracks.track[tracks.frame == frame]
        point = track % N_POINTS
        mixed = rng.random(len(point)) < wrong
        point = np.where(mixed, rng.integers(0, N_POINTS, len(point)), point)
        places.append(Place(frame, track, code[point]))
    return places


def rms(path, truth):
    motion, scale = umeyama(path.position, truth, with_scale=True)
    off = np.linalg.norm(motion.apply(scale * path.position) - truth, axis=1)
    return np.sqrt(np.mean(off**2))


def test_chains_of_joined_tracks_get_one_name():
    new_id = joined(np.array([[4, 7], [2, 4], [7, 9], [3, 5]]), 10)
    assert new_id.tolist() == [0, 1, 2, 3, 2, 3, 6, 2, 8, 2]


def test_what_one_frame_saw_side_by_side_stays_two_points():
    scene = Scene(tracks_of([0, 0, 1, 2, 2], [0, 1, 2, 3, 4]))
    pairs = np.array([[0, 2], [1, 3], [2, 4], [2, 3]])  # the last one would make one point of all
    assert joined(pairs, 5, scene=scene).tolist() == [0, 1, 0, 1, 0]


def test_a_frame_that_saw_both_halves_keeps_neither():
    tracks = tracks_of([0, 0, 1, 1, 2], [0, 1, 0, 2, 2])
    result = relabelled(tracks, np.array([0, 1, 0]))
    assert result.frame.tolist() == [0, 0, 2]
    assert result.track.tolist() == [0, 1, 0]


def test_descriptors_tell_corners_apart():
    image = np.random.default_rng(0).integers(0, 255, (240, 320), dtype=np.uint8)
    uv = np.array([[60.0, 60.0], [160, 120], [250, 180], [2, 2]])
    describe = Describer()
    place = describe(3, image, track=np.array([8, 5, 6, 9]), uv_px=uv)
    again = describe(4, np.roll(image, 7, axis=1), track=np.arange(4), uv_px=uv + np.array([7, 0]))
    assert place.track.tolist() == [5, 6, 8]  # the one at the edge has none
    differ = np.bitwise_count(place.descriptors[:, None] ^ again.descriptors[None]).sum(axis=2)
    assert differ[0].argmin() == 1
    assert differ[1].argmin() == 2
    assert differ[2].argmin() == 0


def test_loops_are_found_and_straighten_the_path(make_world, motion):
    swaying = replace(motion, turn_rad=1.2)  # looks away and back
    world = make_world(swaying, seconds=6.0, noise_px=0.8)
    alone = estimate(world.tracks, CONFIG)
    closed = estimate(world.tracks, CONFIG, places=looks(world.tracks, every=8, wrong=0.2))
    assert closed.path.tracked.all()
    assert closed.maps[0].loops > 0
    assert rms(closed.path, world.truth.translation) < rms(alone.path, world.truth.translation)


def test_nonsense_is_no_loop(make_world, motion):
    world = make_world(replace(motion, turn_rad=1.2), seconds=4.0)
    result = estimate(world.tracks, CONFIG, places=looks(world.tracks, every=8, wrong=1.0))
    assert result.maps[0].loops == 0
    assert rms(result.path, world.truth.translation) < 0.02


@pytest.mark.parametrize(
    ("moved", "joins"), [((), 0), ((0.001,), 1), ((0.05, 0.001), 1), ((0.05,) * 9, MOST_LOOKS)]
)
def test_where_much_drift_was_found_it_is_looked_again(moved, joins, monkeypatch):
    scene_map = SceneMap(0, None, np.arange(0), np.arange(0), np.zeros((0, 6, 6)))
    looks, done, finished = [], [], []

    def look(*args, **kwargs):
        drifts = [Drift(0.1, 0.01, 1.0, m) for m in moved[len(looks) : len(looks) + 1]]
        looks.append(drifts)
        return np.zeros((len(drifts), 2), np.int64), drifts

    def join(tracks, scene_map, config, *, pairs, places):
        done.append(len(pairs))
        return tracks, places

    monkeypatch.setattr("slam.estimate.find_loops", look)
    monkeypatch.setattr("slam.estimate._join_pairs", join)
    monkeypatch.setattr("slam.estimate.growth.finish", lambda *args: finished.append(args))
    close_loops(None, scene_map, SlamConfig(), places=[])
    assert len(done) == joins
    assert len(finished) == (not moved)
    assert scene_map.drifts == looks[0]  # later looks say nothing of how far the path drifts
