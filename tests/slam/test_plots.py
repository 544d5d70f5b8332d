"""The picture and the point file of a path that is made here."""

import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from core.session.tables import MapPoints, Trajectory
from slam.output.plots import lost_stretches, path_png
from slam.output.ply import ply_bytes, read_ply

N = 60


def walk(*, lost=slice(0, 0), sigma_m=0.004):
    """A straight walk along x with a stretch lost, after which another map begins."""
    tracked = np.ones(N, bool)
    tracked[lost] = False
    pose = np.tile([0.0, 0, 0, 1, 0, 0, 0], (N, 1))
    pose[:, 0] = np.linspace(0, 2, N)
    reason = np.where(tracked, None, "no_map")
    maps = np.where(tracked, (np.arange(N) >= lost.stop) & (lost.stop > 0), -1)
    gone = np.where(tracked[:, None], 1.0, np.nan)
    return Trajectory(
        tick=np.arange(N), timestamp_ns=np.arange(N) * 33_333_333,
        world_from_head=pose * gone, world_from_head_valid=tracked, tracked=tracked,
        map_id=maps.astype(np.int32), sigma_m=(sigma_m * np.tile(gone, 3)).astype(np.float32),
        sigma_rad=(0.01 * np.tile(gone, 3)).astype(np.float32), reason=reason,
    )  # fmt: skip


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)


def shaded(image):
    """How many pixels have the colour of a lost stretch."""
    return int((np.abs(image - [0xA0, 0xB0, 0xE0]).max(axis=2) < 4).sum())  # BGR


def test_lost_stretches_are_half_open_ranges():
    tracked = np.array([0, 1, 1, 0, 0, 1, 0], bool)
    assert lost_stretches(tracked) == [(0, 1), (3, 5), (6, 7)]
    assert lost_stretches(np.ones(3, bool)) == []


def test_a_lost_stretch_is_shaded_and_a_whole_path_is_not():
    whole = decoded(path_png(walk(), unit="m"))
    broken = decoded(path_png(walk(lost=slice(20, 40)), unit="m"))
    assert whole.shape == (600, 1100, 3)
    assert shaded(whole) == 0
    assert shaded(broken) > 10_000


def test_the_same_path_gives_the_same_bytes():
    assert path_png(walk(), unit="m") == path_png(walk(), unit="m")


@pytest.mark.parametrize("lost", [slice(0, N), slice(0, N - 1)])
def test_a_path_with_nothing_or_one_pose_is_drawn(lost):
    assert shaded(decoded(path_png(walk(lost=lost), unit="m"))) > 10_000


def test_unknown_lengths_have_no_bars():
    assert path_png(walk(sigma_m=np.inf), unit="m") != path_png(walk(), unit="m")


def test_the_picture_says_where_up_is_not_known():
    assert path_png(walk(), unit="m", level=False) != path_png(walk(), unit="m")


def some_points(count=5):
    points = np.arange(3 * count, dtype=np.float32).reshape(count, 3)
    seen = np.arange(2, 2 + count, dtype=np.int32)
    return MapPoints(map_id=np.zeros(count, np.int32), point_in_world=points, observations=seen)


def test_points_come_back_from_ply():
    rows = read_ply(ply_bytes(some_points()), source="points.ply")
    np.testing.assert_array_equal(rows["position"], some_points().point_in_world)
    assert rows["observations"].tolist() == [2, 3, 4, 5, 6]
    assert (rows["color"] == 160).all()
    assert len(read_ply(ply_bytes(MapPoints.empty()), source="points.ply")) == 0


def test_a_ply_cut_short_is_refused():
    with pytest.raises(BadInputError, match="cut short"):
        read_ply(ply_bytes(some_points())[:-1], source="points.ply")
    with pytest.raises(BadInputError, match=r"not a points\.ply"):
        read_ply(b"ply\n", source="points.ply")
