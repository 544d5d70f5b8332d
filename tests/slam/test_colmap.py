"""COLMAP as a backend: its camera models against ours, our corners in its map, a whole run."""

import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.cameras import Fisheye624, KannalaBrandt, PinholeRadtan, pinhole
from core.geometry.metrics import ate_rmse
from core.geometry.se3 import SE3
from slam.backends.colmap import scene_map_of
from slam.backends.colmap_mapper import (
    ColmapModel,
    MapperSettings,
    Picture,
    colmap_camera,
    map_pictures,
)
from slam.config import SlamConfig
from slam.map.poses import pose_frames
from slam.path import CameraPath

SIZE = (640, 480)
BEND = [0.12, -0.05, 0.01, -0.002]
RADTAN = (500.0, 510.0, 321.0, 238.0, -0.2, 0.05, 1e-3, -2e-3)
CAMERAS = [
    pinhole(500.0, SIZE),
    PinholeRadtan(params=RADTAN, size_wh=SIZE),
    PinholeRadtan(params=(*RADTAN, 0.01), size_wh=SIZE),
    KannalaBrandt(params=(300.0, 305.0, 321.0, 238.0, *BEND), size_wh=SIZE),
    Fisheye624(
        params=(250.0, 321.0, 238.0, *BEND, 1e-3, 2e-4, 1e-3, -5e-4, 2e-4, 1e-4, -3e-4, 1e-4),
        size_wh=SIZE,
    ),
]


@pytest.fixture
def pycolmap(missing):
    """The package, or a skip."""
    try:
        import pycolmap
    except ImportError:
        missing("needs pycolmap: pip install 'handoff-ego[colmap]'")
    return pycolmap


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: colmap_camera(c)[0])
def test_colmap_projects_as_we_do_half_a_pixel_on(pycolmap, camera):
    name, params = colmap_camera(camera)
    theirs = pycolmap.Camera.create_from_model_name(1, name, 1.0, *SIZE)
    theirs.params = params
    points = np.random.default_rng(0).uniform([-0.5, -0.4, 1], [0.5, 0.4, 1], (50, 3))
    ours, valid = camera.project(points)
    assert valid.all()
    np.testing.assert_allclose(theirs.img_from_cam(points), ours + 0.5, atol=1e-6)


def test_a_camera_unknown_to_colmap_is_refused():
    class Odd:
        model, params, size_wh = "odd", (), SIZE

    with pytest.raises(BadInputError, match="odd"):
        colmap_camera(Odd())


def half_scale(truth):
    """The same poses in another unit."""
    return SE3(truth.rotation, 0.5 * truth.translation)


def test_frames_between_the_keyframes_are_posed_by_our_corners(make_world, motion):
    world = make_world(motion)
    keyframes = np.arange(0, len(world.truth), 5)
    model = ColmapModel(np.arange(len(keyframes)), half_scale(world.truth[keyframes]), 0.5)
    scene_map = scene_map_of(model, world.tracks, keyframes, config=SlamConfig())
    path = CameraPath(len(world.truth))
    pose_frames(world.tracks, scene_map, SlamConfig(), path=path)
    assert path.tracked.mean() > 0.97
    seen = path.tracked
    assert ate_rmse(2 * path.position[seen], world.truth.translation[seen], align="none") < 5e-3
    np.testing.assert_array_equal(
        path.position[keyframes], 0.5 * world.truth.translation[keyframes]
    )


def test_frames_that_saw_nothing_stay_without_a_pose(make_world, motion):
    blind = tuple(range(31, 35))
    world = make_world(motion, blind=blind)
    keyframes = np.arange(0, len(world.truth), 5)
    model = ColmapModel(np.arange(len(keyframes)), half_scale(world.truth[keyframes]), 0.5)
    scene_map = scene_map_of(model, world.tracks, keyframes, config=SlamConfig())
    path = CameraPath(len(world.truth))
    pose_frames(world.tracks, scene_map, SlamConfig(), path=path)
    assert not path.tracked[list(blind)].any()
    assert set(path.reason[list(blind)]) == {"too_few_points"}


def test_a_model_that_our_corners_do_not_see_is_no_map(make_world, motion):
    world = make_world(motion, blind=tuple(range(80)))
    keyframes = np.arange(0, 80, 5)
    model = ColmapModel(np.arange(len(keyframes)), world.truth[keyframes], 0.5)
    assert scene_map_of(model, world.tracks, keyframes, config=SlamConfig()) is None


def rendered(camera, count=7):
    """A wall with boards before it, seen by a camera that walks sideways; and the walk."""
    rng = np.random.default_rng(3)
    layers = []
    for depth, share in ((4.0, 1.0), (2.0, 0.4)):
        noise = sum(
            cv2.GaussianBlur(rng.uniform(-1, 1, (240, 600)), (0, 0), sigma) * sigma
            for sigma in (2.0, 5.0)
        )
        cover = cv2.GaussianBlur(rng.uniform(0, 1, (240, 600)), (0, 0), 25)
        picture = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
        layers.append((depth, picture, (cover <= np.quantile(cover, share)).astype(float)))
    places = np.stack([np.linspace(0, 1.2, count), np.zeros(count), np.zeros(count)], axis=1)
    for row, place in enumerate(places):
        grey = np.zeros((240, 320))
        for depth, *of_layer in layers:
            move = np.array([[1, 0, -camera.params[0] * place[0] / depth], [0, 1, 0]])
            picture, cover = (cv2.warpAffine(x, move, camera.size_wh) for x in of_layer)
            grey = np.where(cover > 0.5, picture, grey)
        yield Picture(row, grey.astype(np.uint8)), place


def test_colmap_maps_a_made_room_the_same_way_twice(pycolmap, tmp_path):
    camera = pinhole(250.0, (320, 240))
    pictures, places = zip(*rendered(camera), strict=True)
    found = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        settings = MapperSettings(repeatable=True)
        found.append(map_pictures(pictures, camera, workdir=tmp_path / name, settings=settings))
    model = found[0][0]
    assert model.rows.tolist() == list(range(7))
    assert ate_rmse(model.world_from_camera.translation, np.array(places), align="sim3") < 0.02
    again = found[1][0].world_from_camera.translation
    np.testing.assert_array_equal(model.world_from_camera.translation, again)
