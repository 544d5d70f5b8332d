"""Cameras beside the head's: their places, what is read in their pictures, and what it changes."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from core.session.calibration import Calibration, StreamCalibration
from core.session.info import SessionInfo, StreamInfo
from core.session.tables import Frames, Ticks, Trajectory
from hands.cameras.look_again import OtherCameras, Readings, cameras_of, expected_px
from hands.cameras.second_views import NO_PLACE, SecondView, read_second_views
from hands.cameras.several_views import CONTRADICTS, NOT_READ, at_ticks
from hands.cameras.views_report import cameras_report
from hands.config import HandsConfig
from hands.model.evidence import landmark_mixing
from hands.model.proportions import hand_shape
from hands.sources import SourceHands
from hands.wearer import wearer_hands

TICKS = 40
LOOKS = 21  # at every second of 40 ticks at 30 Hz, now and then at two in a row
BESIDE = SE3(matrix_from_rotvec(np.array([0.0, -0.5, 0.0])), np.array([0.25, 0.0, 0.0]))


def second_view(camera, *, name="head_right", place=BESIDE, sigma_m=0.001):
    """A camera that stands still beside the head and looks at every tick."""
    return SecondView(
        name=name,
        kind="wrist_camera" if name.endswith("_wrist") else "stereo",
        camera=camera,
        head_from_camera=SE3.stack([place] * TICKS),
        pose_sigma_m=np.full(TICKS, sigma_m),
        pose_sigma_rad=np.full(TICKS, 0.001),
        picture=np.arange(TICKS),
        late_s=np.zeros(TICKS),
    )


def reading(known, side, *, place=BESIDE, rng=None):
    """A look that sees a known hand exactly (but for a pixel of noise), wherever it is expected."""

    def look(view, joints_in_head):
        px = np.full((TICKS, 2, 21, 2), np.nan)
        px[:, side] = view.camera.project(place.inverse().apply(landmark_mixing() @ known.joints))[
            0
        ]
        px[:, side] += rng.normal(0, 1.0, (TICKS, 21, 2))
        looked = np.isfinite(expected_px(view, joints_in_head)).all(axis=(-1, -2))
        px[~looked] = np.nan
        return Readings(px, np.full((TICKS, 2, 21, 3), np.nan), looked)

    return look


@pytest.fixture
def scene(camera, hand, rng):
    """A right hand 0.5 m away, found by the head camera, and a wearer fitted with other cameras."""
    phase = np.linspace(0, 3, TICKS)
    path = np.array([0.0, 0.03, 0.5]) + 0.05 * np.stack([np.sin(phase), 0 * phase, 0 * phase], 1)
    known = hand("right", position=path, turn=np.linspace([0, 0, 0], [0.3, 0.2, -0.2], TICKS))
    source = known.seen_by(camera, noise_px=1.0, rng=rng)

    def fitted(others=None, length_mm=None, ticks=TICKS):
        return wearer_hands(
            SourceHands(**{name: value[:ticks] for name, value in vars(source).items()}),
            timestamps_ns=(1e9 + np.arange(TICKS) * 1e9 / 30).astype(np.int64),
            camera=camera,
            shape=hand_shape(length_mm),
            config=HandsConfig(lifter=False),
            others=others,
        )

    return known, fitted


def distance_error(wearer, known):
    return np.abs(np.linalg.norm(wearer.hands["right"].joints, axis=-1).mean(axis=1)
                  - np.linalg.norm(known.joints, axis=-1).mean(axis=1)).mean()  # fmt: skip


def test_a_second_eye_tells_distance_and_length(scene, camera, rng, length_mm):
    known, fitted = scene
    others = OtherCameras([second_view(camera)], reading(known, 1, rng=rng))
    alone, both = fitted(), fitted(others)
    assert distance_error(alone, known) > 0.02  # this hand is 8 mm longer than most
    assert distance_error(both, known) < 0.4 * distance_error(alone, known)
    assert (alone.shape.scale_source, both.shape.scale_source) == ("prior", "stereo")
    assert both.shape.length_m == pytest.approx(length_mm / 1e3, rel=0.02)
    report = cameras_report(both, others)
    assert report["head_right"]["used"] == {"left": 0, "right": LOOKS}
    assert report["head_right"]["reprojection_px_median"] < 6


def test_no_other_camera_or_hardly_one_changes_nothing(scene, camera, rng):
    known, fitted = scene
    alone = fitted()
    blind = replace(
        second_view(camera), head_from_camera=SE3.from_pose7(np.full((TICKS, 7), np.nan))
    )
    few = second_view(camera)
    place = few.head_from_camera.translation.copy()
    place[6:] = np.nan  # looked at three times
    few = replace(few, head_from_camera=SE3(few.head_from_camera.rotation, place))
    for others in (OtherCameras([], reading(known, 1, rng=rng)),
                   OtherCameras([blind], reading(known, 1, rng=rng)),
                   OtherCameras([few], reading(known, 1, rng=rng))):  # fmt: skip
        same = fitted(others)
        np.testing.assert_array_equal(alone.hands["right"].landmarks, same.hands["right"].landmarks)
        assert same.shape.scale_source == "prior"


def test_a_camera_at_the_wrong_place_is_left_out_and_counted(scene, camera, rng):
    known, fitted = scene
    off = BESIDE @ SE3(np.eye(3), np.array([0.0, 0.15, 0.0]))
    others = OtherCameras([second_view(camera)], reading(known, 1, place=off, rng=rng))
    both = fitted(others)
    rejected = cameras_report(both, others)["head_right"]["rejected"]
    assert rejected == {CONTRADICTS: LOOKS}
    np.testing.assert_array_equal(both.hands["right"].landmarks, fitted().hands["right"].landmarks)


def carried_camera(known, camera):
    """A camera on the right wrist whose picture shows nothing."""
    place = known.poses.rotation @ matrix_from_rotvec(np.array([0.0, np.pi, 0.0]))
    view = replace(
        second_view(camera, name="right_wrist"),
        head_from_camera=SE3(place, known.poses.position + place @ np.array([0.0, 0.05, 0.06])),
    )
    return OtherCameras([view], lambda view, joints: blind_look())


def test_a_wrist_camera_has_the_hand_that_the_head_does_not_see(scene, camera):
    known, fitted = scene
    others = carried_camera(known, camera)
    alone, held = (fitted(o, length_mm=178.0, ticks=24).hands["right"] for o in (None, others))
    wearer = fitted(others, length_mm=178.0, ticks=24)
    assert (alone.state[24:] == "missing").all()
    assert (held.state == "measured").all()
    assert not held.visible[24:].any()
    assert held.visible[:24].any()
    wrist = np.linalg.norm(held.joints[:, 0] - known.joints[:, 0], axis=1)
    assert wrist[24:].max() < 1.2 * wrist[:24].max()  # as far off as the head had the hand
    tip, palm = held.sigma_lateral_m[24:, 7], held.sigma_lateral_m[24:, 1]
    assert tip.min() > 2 * palm.max()  # of the fingers nobody knows
    report = cameras_report(wearer, others)["right_wrist"]
    assert (report["overruled"], report["unseen_by_head"]) == (0, TICKS - 24)
    sources = wearer.joined.sources("mediapipe")
    assert set(sources[:24, 1]) == {"mediapipe"}
    assert set(sources[24:, 1]) == {"wrist_camera"}


def test_a_wrist_camera_holds_the_hand_that_carries_it(scene, camera, rng):
    """Its picture shows nothing: where it is says where the wrist is."""
    known, fitted = scene
    others = carried_camera(known, camera)
    alone, held = fitted(length_mm=178.0), fitted(others, length_mm=178.0)
    report = cameras_report(held, others)["right_wrist"]
    assert report["used"] == {"left": 0, "right": 0}
    assert report["overruled"] == 0
    shake = [
        np.linalg.norm(np.diff(w.hands["right"].joints[:, 0] - known.joints[:, 0], n=2, axis=0))
        for w in (alone, held)
    ]
    assert shake[1] < shake[0]


def blind_look():
    nothing = np.full((TICKS, 2, 21, 3), np.nan)
    return Readings(nothing[..., :2], nothing, np.zeros((TICKS, 2), dtype=bool))


def test_what_is_not_read_is_counted(scene, camera, rng):
    known, fitted = scene
    look = reading(known, 1, rng=rng)

    def half(view, joints):
        found = look(view, joints)
        found.raw21_px[np.flatnonzero(found.looked[:, 1])[::2]] = np.nan
        return found

    others = OtherCameras([second_view(camera)], half)
    report = cameras_report(fitted(others), others)["head_right"]
    assert (report["used"]["right"], report["rejected"]) == (
        LOOKS // 2,
        {NOT_READ: LOOKS - LOOKS // 2},
    )


def test_distances_are_carried_to_frames_seen_once(scene, camera, rng):
    known, fitted = scene
    look = reading(known, 1, rng=rng)

    def first_half(view, joints):
        found = look(view, joints)
        found.raw21_px[TICKS // 2 :] = np.nan
        return found

    alone = fitted(length_mm=178.0)  # shorter than it is, and said to be sure
    both = fitted(OtherCameras([second_view(camera)], first_half), length_mm=178.0)
    later = slice(TICKS // 2 + 5, None)
    true = np.linalg.norm(known.joints, axis=-1).mean(axis=1)[later]
    errors = [
        np.abs(np.linalg.norm(w.hands["right"].joints, axis=-1).mean(axis=1)[later] - true).mean()
        for w in (alone, both)
    ]
    assert errors[1] < 0.5 * errors[0]


def test_pictures_of_other_moments_are_brought_to_the_ticks():
    own_s = np.arange(6) / 30 + 0.010
    px = np.broadcast_to((300.0 * own_s)[:, None, None], (6, 21, 2)).copy()  # 300 px/s
    px[3] = np.nan
    moved, doubt = at_ticks(px, own_s, np.arange(6) / 30)
    np.testing.assert_allclose(moved[[1, 2, 4, 5], 0, 0], 300.0 * np.array([1, 2, 4, 5]) / 30)
    assert np.isnan(moved[3]).all()
    assert doubt[0] == pytest.approx(300 * np.sqrt(2))  # nothing before it to go along
    assert (doubt[1:] == 0).all()


def test_half_a_hand_in_the_picture_is_looked_for_where_it_is_visible(camera):
    view = second_view(camera, place=SE3.identity())
    joints = np.full((TICKS, 2, 21, 3), np.nan)
    joints[:, 1] = [0.0, 0.0, 0.3]
    joints[:, 1, :9, 0] = 0.4  # nine landmarks far beyond the edge
    expected = expected_px(view, joints)
    assert np.isnan(expected[:, 0]).all()
    assert (expected[:, 1, :9, 0] == camera.size_wh[0] - 1).all()
    joints[:, 1, :12, 0] = 0.4
    assert np.isnan(expected_px(view, joints)).all()


@pytest.fixture
def session(tmp_path, make_session, blank):
    """12 ticks; a second eye, a depth camera and a wrist camera beside the head's."""
    folder = make_session(tmp_path / "test-session", blank(12))
    info, calibration = SessionInfo.read(folder), Calibration.read(folder)
    lens = calibration.stream("head").camera
    names = ("head_right", "head_depth", "left_wrist", "right_wrist")
    streams = [*info.streams, *(StreamInfo(n, "raw/head.mp4", "0" * 64, "video") for n in names)]
    replace(info, streams=tuple(streams)).write(folder)
    known = {
        "head_right": StreamCalibration(lens, BESIDE),
        "head_depth": StreamCalibration(lens, BESIDE, depth_unit_m=0.001),
        "left_wrist": StreamCalibration(lens),
        "right_wrist": StreamCalibration(lens),
    }
    replace(calibration, streams=calibration.streams | known).write(folder)
    frames, ticks = Frames.read(folder), Ticks.read(folder)
    late = {"head_right": 4_000_000, "left_wrist": 9_000_000, "right_wrist": -2_000_000}
    others = [
        replace(frames, stream=np.full(12, name, object), timestamp_ns=frames.timestamp_ns + by)
        for name, by in late.items()
    ]
    Frames.concat([frames, *others]).write(folder)
    index, yes = np.arange(12, dtype=np.int32), np.ones(12, dtype=bool)
    ticks = replace(ticks, left_wrist_frame=index, left_wrist_frame_valid=yes,
                    right_wrist_frame=index, right_wrist_frame_valid=yes)  # fmt: skip
    ticks.write(folder)
    return folder, ticks


def located(ticks, *, sigma_m):
    """A path whose left wrist camera is 0.3 m ahead of the head in every second tick."""
    pose = np.tile([0.1, 0.2, 1.5, 1.0, 0, 0, 0], (12, 1))
    wrist = pose + np.array([0, 0, 0.3, 0, 0, 0, 0])
    there = np.arange(12) % 2 == 0
    return Trajectory(
        tick=ticks.tick,
        timestamp_ns=ticks.timestamp_ns,
        world_from_head=pose,
        world_from_head_valid=np.ones(12, dtype=bool),
        tracked=np.ones(12, dtype=bool),
        map_id=np.zeros(12, np.int32),
        sigma_m=np.full((12, 3), 0.01, np.float32),
        sigma_rad=np.full((12, 3), 0.01, np.float32),
        reason=np.full(12, None, dtype=object),
        world_from_left_wrist_camera=np.where(there[:, None], wrist, np.nan),
        world_from_left_wrist_camera_valid=there,
        left_wrist_camera_sigma_m=np.where(there[:, None], [sigma_m] * 3, np.nan).astype(
            np.float32
        ),
        left_wrist_camera_sigma_rad=np.where(there[:, None], [0.02] * 3, np.nan).astype(np.float32),
    )


def test_cameras_are_chosen_by_rule(session):
    folder, _ = session
    names = ["head_right", "left_wrist", "right_wrist"]  # a depth camera shows no hands
    assert cameras_of(folder, HandsConfig()) == names
    assert cameras_of(folder, HandsConfig(other_cameras=False)) == []
    assert cameras_of(folder, HandsConfig(source="egodex", source_path="raw/x.hdf5")) == []


def test_places_come_from_calibration_and_slam(session, slam_done):
    folder, ticks = session
    names = cameras_of(folder, HandsConfig())
    views, unused = read_second_views(folder, ticks, names)
    assert [view.name for view in views] == ["head_right"]  # slam has not run
    assert unused == {"left_wrist": NO_PLACE, "right_wrist": NO_PLACE}
    np.testing.assert_allclose(views[0].head_from_camera.translation, [[0.25, 0, 0]] * 12)
    np.testing.assert_allclose(views[0].late_s, 0.004)
    path = located(ticks, sigma_m=0.01).write(folder)
    assert list(read_second_views(folder, ticks, names)[1]) == ["left_wrist", "right_wrist"]
    slam_done(folder, path)  # before that the file was one that a stage had not finished
    views, unused = read_second_views(folder, ticks, names)
    assert [view.name for view in views] == ["head_right", "left_wrist"]
    assert list(unused) == ["right_wrist"]
    place = views[1].head_from_camera
    assert place.finite.tolist() == [True] * 11 + [False]  # gaps of a tick are bridged
    np.testing.assert_allclose(place.translation[:11], [[0, 0, 0.3]] * 11, atol=1e-12)
    assert views[1].pose_sigma_m[0] == pytest.approx(np.hypot(0.01, 0.002))
    assert views[1].pose_sigma_m[1] > views[1].pose_sigma_m[0]
    slam_done(folder, located(ticks, sigma_m=np.inf).write(folder))  # a map without metres
    assert list(read_second_views(folder, ticks, names)[1]) == ["left_wrist", "right_wrist"]


def test_left_hands_are_fitted_in_the_mirror_of_both_cameras(camera, hand, rng, length_mm):
    path = np.tile([0.0, 0.03, 0.5], (TICKS, 1))
    known = hand("left", position=path)
    others = OtherCameras([second_view(camera)], reading(known, 0, rng=rng))
    wearer = wearer_hands(
        known.seen_by(camera, noise_px=1.0, rng=rng),
        timestamps_ns=(1e9 + np.arange(TICKS) * 1e9 / 30).astype(np.int64),
        camera=camera,
        shape=hand_shape(0.93 * length_mm),
        config=HandsConfig(lifter=False),
        others=others,
    )
    error = np.linalg.norm((wearer.hands["left"].joints - known.joints).mean(axis=1), axis=1)
    assert cameras_report(wearer, others)["head_right"]["used"]["left"] == LOOKS
    assert error.mean() < 0.010
