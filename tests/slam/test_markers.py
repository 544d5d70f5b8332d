"""Scale from a printed marker: found in rendered pictures, measured with known poses, used."""

import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.cameras import pinhole
from core.geometry.markers import FAMILIES
from core.geometry.metrics import ate_rmse
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.lengths.markers import EVERY, Sighting, Spotter, scale_by_markers
from slam.path import CameraPath
from slam.sight.follow import Follower

CAMERA = pinhole(400.0, (640, 480))
SIZE_M, DEPTH_M, TILT = 0.12, 1.2, 0.5
N = 60


def poses():
    """world_from_camera of a camera that sways in front of a board, looking along z."""
    t = np.arange(N) / 20
    position = np.stack([0.25 * np.sin(2 * t), 0.1 * np.sin(3 * t), 0.08 * np.sin(1.5 * t)], axis=1)
    turn = matrix_from_rotvec(
        np.stack([0.04 * np.sin(3 * t), -0.15 * np.sin(2 * t), 0 * t], axis=1)
    )
    return SE3(turn, position)


def board():
    """A textured board (2 m wide, 1000 px per metre) with one marker on it, and its frame."""
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.uniform(0, 255, (1600, 2000)).astype(np.float32), (0, 0), 4)
    picture = cv2.normalize(picture, None, 40, 220, cv2.NORM_MINMAX).astype(np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(FAMILIES["apriltag_36h11"])
    side = round(1000 * SIZE_M)
    picture[780:1020, 980:1220] = 255
    picture[840 : 840 + side, 1040 : 1040 + side] = cv2.aruco.generateImageMarker(
        dictionary, 7, side
    )
    turn = matrix_from_rotvec([0.0, TILT, 0.0])
    return picture, SE3(turn, np.array([0.0, 0.0, DEPTH_M]))


def films():
    """Grey pictures of the tilted board and of strips in front of it, exact by homographies."""
    picture, world_from_board = board()
    nearer = SE3(np.eye(3), np.array([0.0, 0.0, 0.7]))
    strips = np.zeros(picture.shape, np.uint8)
    strips[:, 100:500] = strips[:, 1350:1600] = 1
    metres = np.array([[1e-3, 0, -1.0], [0, 1e-3, -0.8], [0, 0, 1.0]])  # board pixel to metres
    for k in range(N):
        camera_from_world = poses()[k].inverse()
        seen = [
            cv2.warpPerspective(
                texture, homography(camera_from_world @ place) @ metres, CAMERA.size_wh,
                flags=cv2.INTER_AREA,
            )
            for texture, place in (
                (picture, world_from_board), (picture[::-1], nearer), (strips, nearer),
            )
        ]  # fmt: skip
        yield np.where(seen[2] > 0, seen[1], seen[0])


def homography(camera_from_plane):
    """Pixels from the metres of a plane's x and y."""
    fx, fy, cx, cy = CAMERA.params[:4]
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    turn, shift = camera_from_plane.rotation, camera_from_plane.translation
    return matrix @ np.column_stack([turn[:, :2], shift])


def exact_path(scale=1.0):
    path, truth = CameraPath(N), poses()
    for k in range(N):
        pose = SE3(truth.rotation[k], truth.translation[k] / scale)
        path.put(k, pose, map_id=0, sigma=(np.zeros(3), np.zeros(3)), error_px=0.0)
    return path


@pytest.fixture(scope="module")
def sightings():
    spotter = Spotter(CAMERA, "apriltag_36h11")
    return [s for k, grey in enumerate(films()) if k % EVERY == 0 for s in spotter.look(k, grey)]


def test_the_marker_is_found_in_the_pictures(sightings):
    assert {s.marker for s in sightings} == {7}
    assert len(sightings) >= N // EVERY - 2


def test_known_poses_give_the_scale_within_its_sigma(sightings):
    found = scale_by_markers(sightings, exact_path(scale=2.5), map_id=0, size_m=SIZE_M)
    assert found.markers == 1
    assert 0.003 <= found.sigma < 0.02
    assert found.metres_per_unit == pytest.approx(2.5, rel=3 * found.sigma)
    assert found.metres_per_unit == pytest.approx(2.5, rel=0.01)


def test_a_carried_marker_counts_for_nothing(sightings):
    moved = [
        Sighting(
            s.frame, s.marker, s.rays @ matrix_from_rotvec([0, 2e-3 * s.frame, 0]).T, s.rad_per_px
        )
        for s in sightings
    ]
    assert scale_by_markers(moved, exact_path(), map_id=0, size_m=SIZE_M) is None


def test_a_still_camera_learns_no_scale(sightings):
    path = CameraPath(N)
    for k in range(N):
        path.put(k, SE3.identity(), map_id=0, sigma=(np.zeros(3),) * 2, error_px=0.0)
    still = [Sighting(k, 7, sightings[0].rays, sightings[0].rad_per_px) for k in range(0, N, 3)]
    assert scale_by_markers(still, path, map_id=0, size_m=SIZE_M) is None


def test_pictures_with_a_marker_give_a_metric_path(sightings):
    config = SlamConfig(marker_size_m=SIZE_M)
    follower = Follower(CAMERA, config)
    for grey in films():
        follower.add(grey)
    tracks = follower.tracks(np.arange(N, dtype=np.int64) * 50_000_000)
    result = estimate(tracks, config, sightings=sightings)
    assert result.scale_source == "marker"
    assert result.path.tracked.all()
    assert ate_rmse(result.path.position, poses().translation, align="se3") < 0.01
    assert 0.003 <= result.maps[0].scale_sigma < 0.03
    assert np.isfinite(result.path.sigma_m).all()
    assert estimate(tracks, config).scale_source == "unknown"


def test_unknown_families_and_sizes_are_refused():
    with pytest.raises(BadInputError, match=r"marker_family='qr'.*apriltag_36h11"):
        Spotter(CAMERA, "qr")
    with pytest.raises(BadInputError, match="marker_size_m=80"):
        SlamConfig(marker_size_m=80.0)
