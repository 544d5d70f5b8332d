"""Maps split by darkness: joined where both saw the same place, left apart where they did not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.geometry.alignment import align_yaw_position, umeyama
from core.geometry.cameras import pinhole
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.map.joining import match_at_any_distance
from slam.map.loops import match
from slam.map.recognise import likeness
from slam.sight.follow import Follower
from slam.sight.places import Describer, Place

CONFIG = SlamConfig()
N_POINTS = 700  # of the made world
DARK = range(50, 80)


def looks(tracks, *, every=6, wrong=0.15):
    """Places whose descriptors tell which point a track really is, some of them wrongly."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 256, (N_POINTS, 32), dtype=np.uint8)
    places = []
    for frame in range(0, len(tracks.timestamps_ns), every):
        track = tracks.track[tracks.frame == frame]
        point = track % N_POINTS
        point = np.where(
            rng.random(len(point)) < wrong, rng.integers(0, N_POINTS, len(point)), point
        )
        places.append(Place(frame, track, code[point]))
    return places


def similarity_rms(path, truth):
    rows = path.tracked
    motion, scale = umeyama(path.position[rows], truth[rows], with_scale=True)
    off = motion.apply(scale * path.position[rows]) - truth[rows]
    return np.sqrt(np.mean(np.sum(off**2, axis=1)))


def test_places_with_the_same_corners_look_alike():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (3, 80, 32), dtype=np.uint8)
    noisy = codes[1] ^ (np.uint8(1) << rng.integers(0, 8, (80, 32), dtype=np.uint8))
    noisy = np.where(rng.random((80, 32)) < 0.5, codes[1], noisy)  # 16 of 256 bits differ
    known = [Place(k, np.arange(80), code) for k, code in enumerate(codes)]
    alike = likeness([Place(9, np.arange(80), noisy)], known)
    assert alike.shape == (1, 3)
    assert alike[0].argmax() == 1
    assert alike[0, 1] > 5 * alike[0, [0, 2]].max()


def test_corners_are_recognised_from_twice_as_far():
    rng = np.random.default_rng(3)
    blots = sum(
        cv2.resize(rng.uniform(0, 255, (h, 2 * h)).astype(np.float32), (640, 320), interpolation=3)
        for h in (10, 40, 80)
    )
    near = cv2.normalize(blots, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    shrink = np.array([[0.5, 0, 160], [0, 0.5, 80]])
    far = cv2.warpAffine(cv2.GaussianBlur(near, (0, 0), 1.0), shrink, (640, 320))
    uv = cv2.goodFeaturesToTrack(near, 150, 0.01, 15)[:, 0].astype(float)
    describe, rows = Describer(), np.arange(len(uv))
    early = describe(0, near, track=rows, uv_px=uv)
    late = describe(1, far, track=rows, uv_px=uv @ shrink[:, :2].T + shrink[:, 2])
    every = np.ones(len(early.track), bool)
    for found, least, most in (
        (match(early.descriptors, late.descriptors), 0, 10),
        (match_at_any_distance(early, late, every), 50, 150),
    ):
        assert least <= (early.track[found[0]] == late.track[found[1]]).sum() <= most


def test_a_place_without_corners_is_like_nothing():
    empty = Place(0, np.arange(0), np.zeros((0, 32), np.uint8))
    assert likeness([empty], [empty]).tolist() == [[0.0]]


def test_two_maps_of_one_room_become_one(make_world, motion):
    world = make_world(motion, seconds=6.0, blind=DARK)
    apart = estimate(world.tracks, CONFIG)
    assert len(apart.maps) == 2
    path = (result := estimate(world.tracks, CONFIG, places=looks(world.tracks))).path
    assert [m.joins for m in result.maps] == [1]
    assert set(path.map_id[path.tracked]) == {0}
    assert similarity_rms(path, world.truth.translation) < 0.01
    assert not path.valid[50:80].any()  # the dark itself is not bridged
    assert all(path.reason[50:80])


def test_a_joined_map_is_metric_and_says_how_sure_it_is(make_world, motion):
    world = make_world(motion, seconds=6.0, blind=DARK)
    result = estimate(world.tracks, CONFIG, imu=world.imu, places=looks(world.tracks))
    path = result.path
    assert [m.joins for m in result.maps] == [1]
    assert result.scale_source == "imu"
    rows = path.tracked
    assert rows.sum() == 90
    truth = world.truth.translation[rows]
    mine = path.position[rows]
    off = np.linalg.norm(align_yaw_position(mine, truth).apply(mine) - truth, axis=1)
    assert np.sqrt(np.mean(off**2)) < 0.015
    assert np.isfinite(path.sigma_m[rows]).all()
    assert path.sigma_m[rows].max() < 0.1


def test_look_alikes_join_nothing(make_world, motion):
    world = make_world(motion, seconds=6.0, blind=DARK)
    result = estimate(world.tracks, CONFIG, places=looks(world.tracks, wrong=1.0))
    assert [m.joins for m in result.maps] == [0, 0]
    path = result.path
    assert set(path.map_id[path.tracked]) == {0, 1}


def test_rooms_without_a_common_place_stay_apart(make_world, motion):
    away = replace(motion, turn_rad=0.0)
    world = make_world(away, seconds=6.0, blind=DARK)
    places = looks(world.tracks)
    other = np.random.default_rng(5).integers(0, 256, (N_POINTS, 32), dtype=np.uint8)
    places = [
        p if p.frame < 50 else Place(p.frame, p.track, other[p.track % N_POINTS]) for p in places
    ]
    result = estimate(world.tracks, CONFIG, places=places)
    assert [m.joins for m in result.maps] == [0, 0]


# --- real pictures made hard ---------------------------------------------------------------------


@pytest.fixture
def room(recordings):
    """Grey pictures ``(500,480,640)`` and true positions of a handheld camera in a room."""
    files = sorted((recordings / "rgbd_7scenes_A").glob("*.color.jpg"))
    if not files:
        pytest.skip("rgbd_7scenes_A is not there")
    truth = [np.loadtxt(str(f).replace("color.jpg", "pose.txt"))[:3, 3] for f in files]
    return files, np.stack(truth)


def film(room, order, *, light=lambda k, grey: grey):
    """The pictures in this order (-1: darkness) through follower and estimator."""
    files, truth = room
    follower = Follower(pinhole(585.0, (640, 480), centre_px=(320.0, 240.0)), CONFIG)
    for k, row in enumerate(order):
        dark = row < 0
        grey = np.zeros((480, 640), np.uint8) if dark else cv2.imread(str(files[row]), 0)
        follower.add(light(k, grey))
    times_ns = np.arange(len(order), dtype=np.int64) * 33_333_333
    result = estimate(follower.tracks(times_ns), CONFIG, places=follower.places)
    there = np.where((np.array(order) < 0)[:, None], np.nan, truth[np.maximum(order, 0)])
    return result, there


def test_back_at_a_known_place_after_darkness(room):
    order = [*range(100, 220), *[-1] * 40, *range(200, 110, -1)]
    result, truth = film(room, order)
    path = result.path
    assert not path.valid[121:159].any()
    assert path.tracked[:120].all()
    assert path.tracked[162:].all()
    assert set(path.map_id[path.tracked]) == {0}
    assert [m.joins for m in result.maps] == [1]
    assert similarity_rms(path, truth) < 0.03


def test_a_switched_light_splits_nothing(room):
    darker = (255 * (np.arange(256) / 255) ** 1.6).astype(np.uint8)
    result, truth = film(
        room, range(100, 200), light=lambda k, grey: darker[grey] if 40 <= k < 70 else grey
    )
    assert result.path.tracked.all()
    assert len(result.maps) == 1
    assert similarity_rms(result.path, truth) < 0.03


def test_a_head_at_rest_makes_few_keyframes_and_stays_where_it_is(room):
    rng = np.random.default_rng(0)

    def grain(k, grey):
        return np.clip(grey + rng.normal(0, 3, grey.shape), 0, 255).astype(np.uint8)

    result, truth = film(room, [*range(100, 150), *[150] * 300, *range(150, 200)], light=grain)
    path = result.path
    assert path.tracked.all()
    assert len(result.maps) == 1
    assert similarity_rms(path, truth) < 0.03
    at_rest = (result.keyframes > 55) & (result.keyframes < 345)
    assert 5 <= at_rest.sum() <= 15
    wander = np.linalg.norm(path.position[60:340] - path.position[60:340].mean(axis=0), axis=1)
    moved = np.linalg.norm(path.position[49] - path.position[0])
    assert wander.max() < 0.05 * moved


# --- a head that comes to rest after the dark ----------------------------------------------------


def test_a_head_at_rest_finds_back_into_the_map(make_world, motion):
    class Halting(type(motion)):
        def pose(self, t):
            t = np.asarray(t, float)
            return super().pose(np.where(t > 3.2, 1.0, t))

    world = make_world(Halting(), seconds=5.0, blind=range(60, 80))
    alone = estimate(world.tracks, CONFIG)
    assert len(alone.still) == 1  # nothing can be mapped at rest
    result = estimate(world.tracks, CONFIG, places=looks(world.tracks, every=4))
    path = result.path
    assert (result.still, [m.regained for m in result.maps]) == ([], [1])
    assert path.tracked[:60].all()
    assert path.tracked[82:].all()
    assert not path.valid[60:80].any()
    assert set(path.map_id[path.tracked]) == {0}
    assert similarity_rms(path, world.truth.translation) < 0.01
