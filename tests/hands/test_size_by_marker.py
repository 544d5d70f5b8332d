"""A flat hand of known length beside a marker: measured where it lies still, and nowhere else."""

import json

import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.cameras import pinhole
from core.geometry.markers import FAMILIES
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from core.session.layout import HANDS_REPORT
from core.session.stage import NO_PROGRESS
from hands.config import HandsConfig
from hands.model.evidence import PARENTS, landmark_mixing
from hands.model.proportions import hand_shape
from hands.size_by_marker import ABOVE_TABLE_M, EVERY, SQUARE, length_at_rest
from hands.sources import SourceHands
from hands.stage import HANDS

CAMERA = pinhole(520.0, (640, 480))
SIZE_M, LENGTH_M = 0.06, 0.2
CONFIG = HandsConfig(lifter=False, marker_size_m=SIZE_M)
PICTURES = 12
HAND_AT = np.array([0.06, -0.05, 0.0])
MARKER_AT = np.array([-0.09, 0.0, 0.0])  # on the table: x to the right, y ahead, z up


def flat_hand(bend=0.0, lifted_m=0.0):
    """``(21,3)`` joints on the table, the fingers bent by ``bend`` at every joint."""
    shape = hand_shape(1e3 * LENGTH_M)
    joints = np.zeros((21, 3))
    for finger in range(5):
        across, along = shape.first_joint_directions[finger, [1, 0]]
        direction = np.array([-across, along]) / np.hypot(across, along)
        for k in range(4):
            joint = 1 + 4 * finger + k
            part = shape.bones_m[finger, k] * np.cos(bend * k)
            joints[joint, :2] = joints[PARENTS[joint], :2] + part * direction
    joints[:, 2] = ABOVE_TABLE_M + lifted_m
    return joints + HAND_AT


def views(sway_m=0.03):
    """camera_from_table of a head half a metre away that sways."""
    turn = matrix_from_rotvec([np.pi - 0.6, 0.0, 0.0])
    for k in range(PICTURES):
        eye = np.array([sway_m * np.sin(k), -0.25 + 0.5 * sway_m * np.cos(k), 0.42])
        yield SE3(turn, -turn @ eye)


def seen(joints, *, sizes=(SIZE_M,), noise_px=0.3, poses=None):
    """What detector and marker finder say: hands, and markers by row."""
    rng = np.random.default_rng(5)
    quads, px = {}, []
    for number, pose in enumerate(poses or views()):
        corners = [
            pose.apply(MARKER_AT + s * SQUARE + [0, 0.08 * k, 0]) for k, s in enumerate(sizes)
        ]
        quads[EVERY * number] = {
            k: CAMERA.project(one)[0] + rng.normal(0, 0.1, (4, 2)) for k, one in enumerate(corners)
        }
        px.append(
            CAMERA.project(pose.apply(landmark_mixing() @ joints))[0]
            + rng.normal(0, noise_px, (21, 2))
        )
    count = len(px)
    rows = EVERY * np.arange(count)
    return SourceHands(rows, np.zeros(count), np.stack(px), np.zeros((count, 21, 3))), quads


@pytest.mark.parametrize("sizes", [(SIZE_M,), (SIZE_M, SIZE_M)])
def test_a_flat_hand_is_measured(sizes):
    found, quads = seen(flat_hand(), sizes=sizes)
    lain = length_at_rest(found, quads, camera=CAMERA, config=CONFIG)
    assert lain is not None
    assert lain.length_m == pytest.approx(LENGTH_M, rel=0.015)
    assert 0.004 < lain.sigma_m < 0.008
    assert lain.pictures == PICTURES
    assert lain.measured(hand_shape(None)).scale_source == "marker"


@pytest.mark.parametrize(
    "joints", [flat_hand(bend=0.5), flat_hand(lifted_m=0.1)], ids=["bent", "in the air"]
)
def test_no_other_hand_is(joints):
    found, quads = seen(joints)
    assert length_at_rest(found, quads, camera=CAMERA, config=CONFIG) is None


def test_markers_of_other_sizes_give_no_plane():
    found, quads = seen(flat_hand(), sizes=(SIZE_M, 0.7 * SIZE_M))
    assert length_at_rest(found, quads, camera=CAMERA, config=CONFIG) is None


def test_a_marker_alone_and_a_hand_alone_say_nothing():
    found, quads = seen(flat_hand())
    assert length_at_rest(found, {}, camera=CAMERA, config=CONFIG) is None
    elsewhere = {row + EVERY * PICTURES: quad for row, quad in quads.items()}
    assert length_at_rest(found, elsewhere, camera=CAMERA, config=CONFIG) is None


def picture(pose):
    """Marker 0 on a grey table, RGB."""
    dictionary = cv2.aruco.getPredefinedDictionary(FAMILIES["apriltag_36h11"])
    marker = cv2.aruco.generateImageMarker(dictionary, 0, 400)
    marker = cv2.copyMakeBorder(marker, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=240)
    corners, _ = CAMERA.project(pose.apply(MARKER_AT + SIZE_M * SQUARE))
    printed = np.array([[59.5, 59.5], [459.5, 59.5], [459.5, 459.5], [59.5, 459.5]])
    warp = cv2.getPerspectiveTransform(printed.astype(np.float32), corners.astype(np.float32))
    grey = cv2.warpPerspective(
        marker, warp, CAMERA.size_wh, dst=np.full((480, 640), 128, np.uint8),
        borderMode=cv2.BORDER_TRANSPARENT, flags=cv2.INTER_AREA,
    )  # fmt: skip
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.mark.parametrize("hand_length_mm", [None, 190.0])
def test_the_stage_measures_who_was_not(tmp_path, hand_length_mm, make_session, write_detections):
    pose = next(views())
    count = 5 * EVERY
    folder = make_session(
        tmp_path / "test-session", [picture(pose)] * count,
        camera=CAMERA, hand_length_mm=hand_length_mm,
    )  # fmt: skip
    found, _ = seen(flat_hand(), poses=[pose] * count)
    guess = np.tile(flat_hand() - flat_hand()[0], (count, 1, 1)) @ pose.rotation.T
    write_detections(
        folder,
        SourceHands(np.arange(count), found.left_label, found.raw21_px, guess),
    )
    outcome = HANDS.run(folder, CONFIG, NO_PROGRESS)
    report = json.loads(folder.read_bytes(HANDS_REPORT))
    assert report["beside_marker"]["length_mm"] == pytest.approx(200, abs=4)
    assert report["beside_marker"]["pictures"] == 5
    assert report["scale_source"] == ("measured" if hand_length_mm else "marker")
    assert not any("lay flat" in warning for warning in outcome.warnings)


def test_a_session_without_such_a_moment_says_so(tmp_path, make_session, blank, write_detections):
    folder = make_session(tmp_path / "test-session", blank(12))
    none = (np.zeros(0, int), np.zeros(0), np.zeros((0, 21, 2)), np.zeros((0, 21, 3)))
    write_detections(folder, SourceHands(*none))
    outcome = HANDS.run(folder, CONFIG, NO_PROGRESS)
    assert any("no hand lay flat and still" in warning for warning in outcome.warnings)


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(BadInputError, match=r"marker_size_m=80.*give metres"):
        HandsConfig(marker_size_m=80.0)
