"""Aria's two SLAM cameras: real FISHEYE624 lenses that look 76 degrees apart, on bent glasses."""

from importlib.util import find_spec

import numpy as np
import pytest

from core.geometry.rotations import angle_between
from hands.cameras.vrs import camera_of, open_vrs
from slam.config import SlamConfig
from slam.lengths.pair_turn import straightened
from slam.lengths.stereo import StereoPair
from slam.sight.follow import Follower
from slam.sight.rays import rays_of

LEFT, RIGHT, DEPTH = "camera-slam-left", "camera-slam-right", "345-2"


def picture(provider, label, row):
    stream = provider.get_stream_id_from_label(label)
    return provider.get_image_data_by_index(stream, row)[0].to_numpy_array()


@pytest.fixture
def glasses(recordings, missing):
    """Both cameras as the factory has them, four pairs of pictures with corners, true ranges."""
    if find_spec("projectaria_tools") is None:
        missing("projectaria-tools is not installed")
    folder = recordings / "aria_gen1_adt"
    if not folder.is_dir():
        missing(f"{folder}: not on this machine")
    video, depth = open_vrs(folder / "video.vrs"), open_vrs(folder / "depth_images.vrs")
    (left, device_from_left), (right, device_from_right) = (
        camera_of(video, label) for label in (LEFT, RIGHT)
    )
    pictures = []
    for row in range(4):
        grey = picture(video, LEFT, row)
        follower = Follower(left, SlamConfig())
        follower.add(grey)
        uv_px = follower.tracks(np.array([0])).of_frames([0]).uv_px
        pictures.append((grey, picture(video, RIGHT, row), uv_px))
    return left, right, device_from_left.inverse() @ device_from_right, pictures, depth


def test_corners_lie_up_to_the_lenses_edge(glasses):
    left, _, _, pictures, _ = glasses
    rays, _, valid = rays_of(left, pictures[0][2].astype(float))
    assert valid.all()
    assert np.rad2deg(np.arccos(rays[:, 2])).max() > 80


def test_the_bent_pair_is_straightened(glasses):
    from projectaria_tools.core.stream_id import StreamId

    left, right, left_from_right, pictures, depth = glasses
    given = StereoPair(left, right, left_from_right)
    pair = straightened(given, pictures)
    assert 0.5 < np.rad2deg(angle_between(given.place.rotation, pair.place.rotation)) < 2
    grey, beside, uv_px = pictures[0]
    range_m, _, slip_rad = pair.ranges(grey, beside, uv_px)
    told = np.isfinite(range_m)
    assert told.sum() > 2 * np.isfinite(given.ranges(grey, beside, uv_px)[0]).sum()
    along_axis = depth.get_image_data_by_index(StreamId(DEPTH), 0)[0].to_numpy_array() * 1e-3
    column, row = np.rint(uv_px[told]).astype(int).T
    rays, _, _ = rays_of(left, uv_px[told].astype(float))
    off = np.median(range_m[told] / (along_axis[row, column] / rays[:, 2]) - 1)
    assert abs(off) < 2 * pair.bias_share(range_m[told], slip_rad[told]) < 0.2
