"""Sources beside MediaPipe: files of each layout, written here, give the hands they hold."""

import json
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from core.errors import BadInputError, MissingExtraError
from core.geometry.landmarks import (
    RAW21_ARIA,
    RAW21_MEDIAPIPE,
    landmarks17_from_mediapipe21,
    mediapipe21_from_aria21,
)
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from core.session.layout import HANDS_REPORT
from core.session.stage import NO_PROGRESS
from core.session.tables import EndEffectors, Hands, Ticks
from hands.config import HandsConfig
from hands.located import located_wearer
from hands.sources.egodex import JOINTS
from hands.sources.protocol import LocatedHands
from hands.sources.registry import source_named
from hands.stage import HANDS

HEAD_FROM_DEVICE = SE3(matrix_from_rotvec([0.3, -0.2, 0.1]), np.array([0.05, -0.02, 0.01]))
PLACES = {"left": [-0.1, 0.05, 0.5], "right": [0.1, 0.05, 0.5]}


def body_from_head_text():
    return ",".join(f"{x:.9f}" for x in HEAD_FROM_DEVICE.inverse().to_pose7())


@pytest.fixture
def joints(hand):
    """``(T,2,21,3)`` two hands that move to the right by 1 cm per row."""

    def make(count):
        way = np.arange(count)[:, None] * np.array([0.01, 0.0, 0.0])
        return np.stack(
            [hand(side, position=np.array(PLACES[side]) + way).joints for side in PLACES], axis=1
        )

    return make


def aria_from_mediapipe(points):
    result = np.zeros(points.shape)
    for k, name in enumerate(RAW21_ARIA):
        if name == "aria_palm":  # anything: it is no landmark of ours
            result[..., k, :] = points[..., 9, :]
        else:
            result[..., k, :] = points[..., RAW21_MEDIAPIPE.index(name), :]
    return result


def write_mps(path, times_ns, points_in_device, confidence):
    names = ["tracking_timestamp_us"]
    for side in ("left", "right"):
        names.append(f"{side}_tracking_confidence")
        names += [f"t{a}_{side}_landmark_{k}_device" for k in range(21) for a in "xyz"]
    lines = [",".join(names)]
    for row, time_ns in enumerate(times_ns.tolist()):
        values = [str(time_ns // 1000)]
        for side in range(2):
            values.append(f"{confidence[row, side]:g}")
            points = points_in_device[row, side] if confidence[row, side] >= 0 else np.zeros(63)
            values += [f"{x:.9f}" for x in points.ravel()]
        lines.append(",".join(values))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def session(tmp_path, make_session, blank, camera):
    return make_session(tmp_path / "test-session", blank(12, camera.size_wh), camera=camera)


def test_mps_landmarks_reach_the_tables_in_the_head_frame(session, joints):
    ticks = Ticks.read(session)
    truth = joints(12)
    confidence = np.ones((12, 2))
    confidence[9:, 0] = -1  # the left hand is lost
    confidence[4, 1] = 0.2  # and the right one doubted once
    points = HEAD_FROM_DEVICE.inverse().apply(aria_from_mediapipe(truth))
    write_mps(session.local_path("raw") / "mps.csv", ticks.timestamp_ns, points, confidence)
    config = HandsConfig(
        source="aria_mps",
        source_path="raw/mps.csv",
        source_body_from_head=body_from_head_text(),
    )
    assert "raw/mps.csv" in HANDS.inputs(session, config)
    outcome = HANDS.run(session, config, NO_PROGRESS)
    hands, palms = Hands.read(session), EndEffectors.read(session)
    assert set(hands.source) == {"aria_mps"}
    left, right = (hands.take(hands.side == side) for side in ("left", "right"))
    assert left.state.tolist() == ["measured"] * 9 + ["missing"] * 3
    assert set(left.reason[9:]) == {"not seen"}
    assert right.state.tolist() == ["measured"] * 4 + ["interpolated"] + ["measured"] * 7
    expected = landmarks17_from_mediapipe21(truth[:, 1])
    found = right.landmarks_in_head.reshape(-1, 17, 3)
    np.testing.assert_allclose(found, expected, atol=1e-6)  # at 4, too: the hand moves evenly
    assert palms.head_from_palm_valid.tolist() == hands.landmarks_in_head_valid.tolist()
    raw = right.raw21_in_head.reshape(-1, 21, 3)  # as it came: Aria's order, its palm last
    np.testing.assert_allclose(raw, aria_from_mediapipe(truth[:, 1]), atol=1e-6)
    report = json.loads(session.read_bytes(HANDS_REPORT))
    assert report["scale_source"] == "aria_mps"
    assert report["rejected_detections"] == {"low confidence": 1}
    assert report["source_rate_hz"] == pytest.approx(30.0, abs=0.1)
    assert report["hands"]["right"]["source_bone_spread"] < 1e-6
    assert report["hands"]["right"]["reprojection_px_median"] is None  # nothing was fitted
    assert report["bones_mm"]["thumb"][:2] == [None, None]  # Aria knows no CMC
    assert not any("guess" in warning for warning in outcome.warnings)


@pytest.mark.parametrize("turn_deg", [0, 15])
def test_wrong_extrinsics_are_seen_in_the_pictures(
    session, joints, hand, merge, camera, write_detections, turn_deg
):
    """The detector saw the same hands; a source turned against the camera lies beside them."""
    truth = joints(12)
    way = np.arange(12)[:, None] * np.array([0.01, 0.0, 0.0])
    seen = [hand(s, position=np.array(PLACES[s]) + way).seen_by(camera) for s in PLACES]
    write_detections(session, merge(*seen))
    points = HEAD_FROM_DEVICE.inverse().apply(aria_from_mediapipe(truth))
    times_ns = Ticks.read(session).timestamp_ns
    write_mps(session.local_path("raw") / "mps.csv", times_ns, points, np.ones((12, 2)))
    wrong = SE3(matrix_from_rotvec([0.0, np.radians(turn_deg), 0.0]), np.zeros(3))
    given = (HEAD_FROM_DEVICE.inverse() @ wrong).to_pose7()
    config = HandsConfig(
        source="aria_mps",
        source_path="raw/mps.csv",
        source_body_from_head=",".join(f"{x:.9f}" for x in given),
    )
    outcome = HANDS.run(session, config, NO_PROGRESS)
    figures = json.loads(session.read_bytes(HANDS_REPORT))["hands"]["left"]
    told = [w for w in outcome.warnings if "source_body_from_head" in w]
    if turn_deg:
        assert len(told) == 2
        assert figures["from_detections_palms_median"] > 1.0
    else:
        assert told == []
        assert figures["detected_share"] == 1.0
        assert figures["from_detections_palms_median"] < 0.01


def test_a_real_mps_file_gives_hands_of_a_hands_size(session, recordings):
    from hands.sources.aria_mps import read_hand_tracking

    folder = recordings / "aria_gen1_mps_sample" / "hand_tracking"
    for name in ("hand_tracking_results_v1", "hand_tracking_results_v2", "wrist_and_palm_poses_v3"):
        times, points, confidence = read_hand_tracking(folder / f"{name}.csv")
        assert (np.diff(times) > 0).all()
        joints = mediapipe21_from_aria21(points[confidence > 0.5])
        if len(joints):
            palm = np.linalg.norm(joints[:, 9] - joints[:, 0], axis=1)
            assert ((palm > 0.06) & (palm < 0.13)).all()
    with pytest.raises(BadInputError, match="hand_tracking_results"):
        read_hand_tracking(folder / "wrist_and_palm_poses.csv")  # holds no fingers


@pytest.fixture
def h5py(missing):
    if find_spec("h5py") is None:
        missing("h5py is not installed: pip install 'handoff-ego[egodex]'")
    return import_module("h5py")


def write_egodex(path, joints, *, confidence=None):
    """The published layout: poses in a world, the camera's among them."""
    import h5py

    count = len(joints)
    turn = matrix_from_rotvec(np.linspace(0, 0.4, count)[:, None] * np.array([0.2, 1.0, -0.3]))
    world_from_camera = SE3(turn, np.tile([1.0, 1.6, -0.5], (count, 1)))
    world = world_from_camera.apply(joints.reshape(count, -1, 3)).reshape(joints.shape)
    with h5py.File(path, "w") as file:
        file["transforms/camera"] = world_from_camera.matrix()
        file["camera/intrinsic"] = np.diag([736.6, 736.6, 1.0])
        for side, prefix in enumerate(("left", "right")):
            for k, joint in enumerate(JOINTS):
                poses = np.tile(np.eye(4), (count, 1, 1))
                poses[:, :3, 3] = world[:, side, k]
                file[f"transforms/{prefix}{joint}"] = poses
                if confidence is not None:
                    file[f"confidences/{prefix}{joint}"] = confidence[:, side]


def test_egodex_joints_are_seen_from_the_camera(session, joints, h5py):
    truth = joints(12)
    confidence = np.ones((12, 2))
    confidence[:2, 0] = 0.1
    write_egodex(session.local_path("raw") / "0.hdf5", truth, confidence=confidence)
    HANDS.run(session, HandsConfig(source="egodex", source_path="raw/0.hdf5"), NO_PROGRESS)
    hands = Hands.read(session)
    left, right = (hands.take(hands.side == side) for side in ("left", "right"))
    assert set(left.reason[:2]) == {"low confidence"}
    assert set(left.state[2:]) == set(right.state) == {"measured"}
    for side, mine in enumerate((left, right)):
        there = mine.landmarks_in_head_valid
        expected = landmarks17_from_mediapipe21(truth[:, side])[there]
        found = mine.landmarks_in_head[there].reshape(-1, 17, 3)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_egodex_file_of_another_video_is_refused(session, joints, h5py):
    config = HandsConfig(source="egodex", source_path="raw/0.hdf5")
    path = session.local_path("raw") / "0.hdf5"
    write_egodex(path, joints(5))
    with pytest.raises(BadInputError, match="5 rows, but the head stream has 12"):
        HANDS.run(session, config, NO_PROGRESS)
    with h5py.File(path, "a") as file:
        del file["transforms/leftThumbTip"]
    with pytest.raises(BadInputError, match="leftThumbTip"):
        HANDS.run(session, config, NO_PROGRESS)
    path.write_bytes(b"no HDF5 at all")
    with pytest.raises(BadInputError, match=r"0\.hdf5"):
        HANDS.run(session, config, NO_PROGRESS)


def test_the_devices_own_hands_come_out_of_a_vrs_file(recordings, tmp_path, missing):
    if find_spec("projectaria_tools") is None:
        missing(
            "projectaria-tools is not installed: pip install --no-deps projectaria-tools==2.3.0"
        )
    from hands.cameras.vrs import open_vrs
    from hands.sources.aria_device import device_hands, head_from_device_of

    path = recordings / "aria_gen2_bothhands" / "sequence.vrs"
    provider = open_vrs(path)
    times, points, confidence = device_hands(provider, path)
    assert points.shape == (9, 2, 21, 3)
    assert (confidence > 0.9).all()
    np.testing.assert_allclose(np.diff(times) * 1e-9, 1 / 30, atol=1e-3)
    in_camera = head_from_device_of(provider, rotate_deg=0).apply(points)
    wrist = in_camera[:, :, RAW21_ARIA.index("wrist")]
    assert ((wrist[..., 2] > 0.15) & (wrist[..., 2] < 0.8)).all()
    assert (wrist[:, 0, 0] < wrist[:, 1, 0]).all()  # the left hand is left of the right one
    no_vrs = tmp_path / "no.vrs"
    no_vrs.write_bytes(b"nothing")
    with pytest.raises(BadInputError, match=r"no\.vrs"):
        open_vrs(no_vrs)


def test_what_a_source_lacks_is_said_with_the_cure(session, monkeypatch):
    with pytest.raises(BadInputError, match="mediapipe, aria_mps, aria_device, egodex, mano"):
        source_named("crystal_ball")
    for name in ("aria_mps", "aria_device", "egodex", "mano"):
        with pytest.raises(BadInputError, match="source_path"):
            HANDS.inputs(session, HandsConfig(source=name))
    (session.local_path("raw") / "mps.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    given = HandsConfig(source="aria_mps", source_path="raw/mps.csv")
    with pytest.raises(BadInputError, match="source_body_from_head"):
        HANDS.run(session, given, NO_PROGRESS)
    with pytest.raises(BadInputError, match="no hand landmarks of MPS"):
        HANDS.run(session, replace(given, source_body_from_head=body_from_head_text()), NO_PROGRESS)
    with pytest.raises(BadInputError, match="of length 1"):
        HANDS.run(session, replace(given, source_body_from_head="0,0,0,2,0,0,0"), NO_PROGRESS)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"handoff-ego\[egodex\]"):
        HANDS.run(session, HandsConfig(source="egodex", source_path="raw/mps.csv"), NO_PROGRESS)


def located(joints, times_ns):
    reason = np.full(joints.shape[:2], None, dtype=object)
    reason[~np.isfinite(joints).all(axis=(2, 3))] = "not seen"
    return LocatedHands(times_ns, joints, joints, reason, np.inf)


def test_rows_between_ticks_gaps_and_impossible_hands(joints, camera):
    """Rows at 10 Hz, ticks at 30: read between rows; a lost row is bridged, four are not."""
    ms = 1_000_000
    rows_ns = np.arange(12, dtype=np.int64) * 100 * ms
    truth = joints(12)
    there = truth.copy()
    there[3, 1] = np.nan
    there[6:10, 1] = np.nan
    there[5, 0] *= 3.0  # three times as large and as far
    ticks_ns = np.arange(34, dtype=np.int64) * 33 * ms
    wearer = located_wearer(
        located(there, rows_ns), ticks_ns=ticks_ns, camera=camera, source="x", config=HandsConfig()
    )
    right = wearer.hands["right"]
    between = (ticks_ns > 200 * ms) & (ticks_ns < 400 * ms)
    lost = (ticks_ns > 500 * ms) & (ticks_ns < 1000 * ms)
    assert set(right.state[between]) == {"interpolated"}
    assert set(right.state[lost]) == {"missing"}
    assert set(right.reason[lost]) == {"not seen"}
    assert set(right.state[~between & ~lost]) == {"measured"}
    x = truth[0, 1, 0, 0] + 0.01 * ticks_ns / (100 * ms)
    np.testing.assert_allclose(right.joints[~lost, 0, 0], x[~lost], atol=1e-9)
    assert wearer.association.reason.tolist() == ["outlier"]
    assert np.isinf(right.sigma_ray_m[~lost]).all()
    assert np.isnan(right.sigma_ray_m[lost]).all()


def test_rows_of_another_clock_are_refused(joints, camera):
    rows_ns = np.arange(3, dtype=np.int64) * 100_000_000
    with pytest.raises(BadInputError, match="source_offset_ns"):
        located_wearer(
            located(joints(3), rows_ns),
            ticks_ns=rows_ns + 10**12,
            camera=camera,
            source="aria_mps",
            config=HandsConfig(),
        )
