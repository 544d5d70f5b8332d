"""OpenCV's own detection and calibration give back the cameras that drew the board."""

import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from core.geometry.rotations import angle_between
from core.session.storage import SessionFolder
from sim.board import Board, BoardPath
from sim.board_take import hold_board
from sim.rig import find_preset, find_rig, head_from_camera
from sim.scene.render import Renderer
from sim.sensors.lens import Lens

STEP_S = 0.9  # the board rests at these instants


def _take(rig, seconds):
    return hold_board(seconds=seconds, seed=1, rig=find_rig(rig), preset=find_preset("clean"))


def _views(take, stream, moments):
    """Detected corners (N, 2) and their ids per moment, at pictures of one camera."""
    lens = Lens(take.sensing.rig.spec(stream).camera())
    stage = take.stage(lens)
    detector = cv2.aruco.CharucoDetector(take.board.charuco())
    position, quat = stage.frames(moments)
    found = []
    with Renderer(stage.scene, lens.atlas_wh) as renderer:
        for i in range(len(moments)):
            stage.show(position[i], quat[i])
            picture = lens.expose(renderer.draw_views(stream, lens.views), np.zeros(3))
            corners, ids, _, _ = detector.detectBoard(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
            found.append(
                ({}) if ids is None else dict(zip(ids.ravel(), corners.reshape(-1, 2), strict=True))
            )
    return found


def _expected(take, stream, at):
    """Where the truth says all inner corners of the board are in a picture."""
    points = take.board.charuco().getChessboardCorners().astype(float)
    mount = head_from_camera(stream)
    camera_from_board = (take.sensing.human.head.pose(np.array([at])) @ mount)[
        0
    ].inverse() @ take.path.pose(np.array([at]))[0]
    uv, _ = take.sensing.rig.spec(stream).camera().project(camera_from_board.apply(points))
    return uv


@pytest.mark.usefixtures("can_draw")
@pytest.mark.parametrize("rig", ["head", "fisheye-head"])
def test_corners_are_detected_where_the_truth_puts_them(rig):
    take = _take(rig, 14.4)
    moments = 0.1 + STEP_S * np.arange(16)
    misses = []
    for at, corners in zip(moments, _views(take, "head", moments), strict=True):
        uv = _expected(take, "head", at)
        misses += [np.linalg.norm(uv[i] - corner) for i, corner in corners.items()]
    assert len(misses) > 250
    assert np.median(misses) < 0.35


@pytest.mark.usefixtures("can_draw")
def test_opencv_finds_the_true_calibration_of_both_head_cameras():
    take = _take("stereo-head", 21.6)
    moments = 0.1 + STEP_S * np.arange(24)
    points = take.board.charuco().getChessboardCorners()
    both = [_views(take, stream, moments) for stream in ("head", "head_right")]
    objects, left, right = [], [], []
    for a, b in zip(*both, strict=True):
        shared = sorted(set(a) & set(b))
        if len(shared) >= 12:
            objects.append(points[shared])
            left.append(np.array([a[i] for i in shared], np.float32))
            right.append(np.array([b[i] for i in shared], np.float32))
    assert len(objects) >= 14
    found = []
    for pixels in (left, right):
        flags = cv2.CALIB_FIX_K3 | cv2.CALIB_ZERO_TANGENT_DIST
        rms, matrix, bends, _, _ = cv2.calibrateCamera(
            objects, pixels, (640, 480), None, None, flags=flags
        )
        assert rms < 0.5
        true = np.array(take.sensing.rig.head.params)
        focal, centre = matrix[[0, 1], [0, 1]], matrix[[0, 1], [2, 2]]
        assert np.abs(focal / true[:2] - 1).max() < 0.006
        assert np.abs(centre - true[2:4]).max() < 1.5
        assert abs(bends.ravel()[0] - true[4]) < 0.01
        found.append((matrix, bends))
    (k_left, d_left), (k_right, d_right) = found
    _, _, _, _, _, turn, shift, _, _ = cv2.stereoCalibrate(
        objects, left, right, k_left, d_left, k_right, d_right, (640, 480),
        flags=cv2.CALIB_FIX_INTRINSIC,
    )  # fmt: skip
    right_from_left = head_from_camera("head_right").inverse()
    assert np.degrees(angle_between(turn, right_from_left.rotation)) < 0.25
    assert np.linalg.norm(shift.ravel() - right_from_left.translation) < 0.002


def test_the_board_rests_and_goes_on_smoothly():
    take = _take("head", 9.0)
    times = np.arange(0.0, 9.0, 0.01)
    pose = take.path.pose(times)
    speed = np.linalg.norm(np.diff(pose.translation, axis=0), axis=1) / 0.01
    resting = (times[:-1] % STEP_S) < 0.33
    assert speed[resting].max() < 1e-9
    assert 0.05 < speed[~resting].max() < 3.0
    assert np.abs(np.diff(speed)).max() < 0.2


def test_wrist_cameras_have_their_turn_and_truth_is_beside(tmp_path):
    take = hold_board(seconds=12.0, seed=0, rig=find_rig("small"), preset=find_preset("default"))
    assert isinstance(take.path, BoardPath)
    assert take.path.watchers == ["head", "left_wrist", "right_wrist"]
    take.write_truth(SessionFolder(str(tmp_path)))
    table = pq.read_table(tmp_path / "truth/sim/board.parquet")
    assert len(table) == len(take.sensing.times["head"])
    measures = json.loads((tmp_path / "truth/sim/board.json").read_text())
    assert measures["square_m"] == Board().square_m
    assert (tmp_path / "truth/capture/calibration.json").exists()
