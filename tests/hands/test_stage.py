"""Both stages on whole session folders: hands written, none found, labels, streams, quiet
terminals.
"""

import json

import numpy as np
import pytest

from core.errors import BadInputError, HandoffError
from core.geometry.cameras import camera_from_dict
from core.session.calibration import Calibration, StreamCalibration
from core.session.frames import open_video
from core.session.layout import HANDS_REPORT, REFINED_CALIBRATION
from core.session.stage import NO_PROGRESS
from core.session.tables import Detections, EndEffectors, Hands
from hands.config import HandsConfig, HandsDetectConfig
from hands.detection.detect import Run, runs_of
from hands.pictures.contact_sheet import CONTACT_SHEET
from hands.stage import HANDS, HANDS_DETECT

TFJS = "tfjs_handpose/hand-pose-detection/test_data"


class Counting:
    """A progress that remembers."""

    def __init__(self):
        self.of, self.done = 0, 0

    def total(self, n, unit):
        self.of = n

    def advance(self, k=1):
        self.done += k

    def note(self, text):
        pass


def test_no_hand_in_any_frame_is_said_and_written(tmp_path, capfd, make_session, blank):
    folder = make_session(tmp_path / "test-session", blank(12))
    progress = Counting()
    found = HANDS_DETECT.run(folder, HandsDetectConfig(), progress)
    assert (progress.of, progress.done) == (12, 12)
    assert found.warnings == ["no hand was found in any frame"]
    assert len(Detections.read(folder)) == 0
    outcome = HANDS.run(folder, HandsConfig(), NO_PROGRESS)
    hands = Hands.read(folder)
    assert len(hands) == 24
    assert set(hands.state) == {"missing"}
    assert set(hands.reason) == {"not seen"}
    assert any("left hand was never seen" in warning for warning in outcome.warnings)
    assert capfd.readouterr() == ("", "")  # LiteRT's log stays off the terminal


def test_known_hands_come_out_of_the_stage(
    tmp_path, hand, merge, camera, length_mm, make_session, blank, write_detections
):
    folder = make_session(
        tmp_path / "test-session",
        blank(30, camera.size_wh),
        hand_length_mm=length_mm,
        camera=camera,
    )
    places = {"left": [-0.1, 0.05, 0.5], "right": [0.1, 0.05, 0.5]}
    known = {side: hand(side, position=np.tile(p, (30, 1))) for side, p in places.items()}
    write_detections(folder, merge(*(k.seen_by(camera) for k in known.values())))
    outcome = HANDS.run(folder, HandsConfig(lifter=False), NO_PROGRESS)
    assert outcome.outputs[-1] == CONTACT_SHEET
    assert outcome.warnings == []
    hands, palms = Hands.read(folder), EndEffectors.read(folder)
    assert hands.side.tolist() == ["left", "right"] * 30
    assert set(hands.state) == {"measured"}
    for k, side in enumerate(("left", "right")):
        wrist = hands.landmarks_in_head[k::2, :3]
        np.testing.assert_allclose(wrist, np.tile(places[side], (30, 1)), atol=0.008)
        visible = hands.visible[k::2]
        assert visible[:, [0, 1, 5, 8, 11, 14]].all()  # wrist, palm and knuckles, from the back
        assert visible.mean() < 0.7  # tips that lean away are hidden
    assert palms.head_from_palm_valid.all()
    assert np.isfinite(palms.sigma_m).all()
    report = json.loads(folder.read_bytes(HANDS_REPORT))
    assert report["scale_source"] == "measured"
    assert report["both_hands_share"] == 1.0
    assert report["hands"]["left"]["reprojection_px_median"] < 3.0
    assert report["hands"]["left"]["calm_jitter_mm"] < 0.5


def test_hands_are_seen_through_the_lens_that_slam_found(
    tmp_path, hand, camera, length_mm, make_session, blank, write_detections, slam_done
):
    folder = make_session(
        tmp_path / "test-session",
        blank(10, camera.size_wh),
        hand_length_mm=length_mm,
        camera=camera.refocused(0.8),
    )
    place = [0.05, 0.05, 0.5]
    write_detections(folder, hand("right", position=np.tile(place, (10, 1))).seen_by(camera))
    found = Calibration({"head": StreamCalibration(camera)})
    slam_done(folder, found.write(folder, path=REFINED_CALIBRATION))
    HANDS.run(folder, HandsConfig(lifter=False, contact_sheet=False), NO_PROGRESS)
    wrist = Hands.read(folder).landmarks_in_head[1::2, :3]
    np.testing.assert_allclose(wrist, np.tile(place, (10, 1)), atol=0.01)  # else 0.1 m too near


def test_aperture_is_told_only_where_both_tips_are_seen(
    tmp_path, hand, camera, length_mm, make_session, blank, write_detections
):
    folder = make_session(
        tmp_path / "test-session",
        blank(10, camera.size_wh),
        hand_length_mm=length_mm,
        camera=camera,
    )
    known = hand("right", position=np.tile([0.05, 0.05, 0.5], (10, 1)))
    write_detections(folder, known.seen_by(camera))
    HANDS.run(folder, HandsConfig(contact_sheet=False), NO_PROGRESS)
    hands = Hands.read(folder)
    given = hands.aperture_m_valid
    np.testing.assert_array_equal(given, hands.visible[:, 4] & hands.visible[:, 7])
    assert not given[::2].any()
    truth = np.linalg.norm(known.joints[0, 4] - known.joints[0, 8])
    if given.any():
        np.testing.assert_allclose(hands.aperture_m[given], truth, atol=0.015)


def test_the_same_run_twice_gives_the_same_bytes(
    tmp_path, hand, camera, length_mm, make_session, blank, write_detections
):
    folder = make_session(tmp_path / "test-session", blank(15, camera.size_wh), camera=camera)
    write_detections(
        folder, hand("left", position=np.tile([0.0, 0.0, 0.5], (15, 1))).seen_by(camera)
    )
    digests = []
    for _ in range(2):
        outputs = HANDS.run(folder, HandsConfig(), NO_PROGRESS).outputs
        digests.append([folder.sha256(path) for path in outputs])
    assert digests[0] == digests[1]


def test_unknown_source_and_bad_settings_are_refused(tmp_path, camera, make_session, blank):
    folder = make_session(tmp_path / "test-session", blank(3, camera.size_wh), camera=camera)
    with pytest.raises(BadInputError, match="mediapipe"):
        HANDS.run(folder, HandsConfig(source="crystal_ball"), NO_PROGRESS)
    with pytest.raises(BadInputError, match="max_gap_s"):
        HandsConfig(max_gap_s=0.0)
    with pytest.raises(BadInputError, match="min_tracking_confidence"):
        HandsDetectConfig(min_tracking_confidence=1.5)


def test_a_video_cut_off_is_named(tmp_path, make_session, blank):
    folder = make_session(tmp_path / "test-session", blank(40))
    video = tmp_path / "test-session" / "raw" / "head.mp4"
    data = video.read_bytes()
    broken = bytearray(data)
    middle = data.find(b"mdat") + 40
    broken[middle : middle + len(data) // 2] = bytes(len(data) // 2)
    video.write_bytes(bytes(broken[: len(data) // 3]))
    with pytest.raises(HandoffError, match=r"head\.mp4"):
        HANDS_DETECT.run(folder, HandsDetectConfig(), NO_PROGRESS)


def test_runs_cover_every_frame_once_whatever_the_workers():
    config = HandsDetectConfig(chunk_frames=900, overlap_frames=20)
    assert runs_of("head", 100, config) == [Run("head", 0, 0, 100, 100)]
    assert runs_of("head", 451, config) == [
        Run("head", 0, 0, 225, 245),
        Run("head", 205, 225, 451, 451),
    ]
    spans = [(run.start, run.stop) for run in runs_of("head", 2000, config)]
    assert spans == [(0, 500), (500, 1000), (1000, 1500), (1500, 2000)]
    assert runs_of("head", 0, config) == []


def test_labels_are_the_persons_own_sides(tmp_path, recordings, make_session):
    """Two backs of left hands; in the mirror they are right hands. Positions as published, too."""
    import cv2

    path = recordings / TFJS / "hands.jpg"
    picture = cv2.imread(str(path))[..., ::-1]
    expected = json.loads((path.parent / "hands_expected.json").read_text(encoding="utf-8"))
    truth = np.array(expected["keypoints_xy"], dtype=np.float64)
    for mirrored, side in ((False, "left"), (True, "right")):
        image = picture[:, ::-1] if mirrored else picture
        folder = make_session(tmp_path / f"session-{side}", [image] * 8)
        HANDS_DETECT.run(folder, HandsDetectConfig(), NO_PROGRESS)
        table = Detections.read(folder)
        last = table.take(table.tick == 7)
        assert last.side.tolist() == [side, side]
        px = last.raw21_px.reshape(-1, 21, 2).astype(np.float64)
        if mirrored:
            px[..., 0] = picture.shape[1] - 1 - px[..., 0]
        order = np.argsort(px[:, 0, 0])
        miss = np.linalg.norm(px[order] - truth[np.argsort(truth[:, 0, 0])], axis=-1)
        assert np.median(miss) < 8.0


def test_both_hands_of_a_person_at_work(tmp_path, recordings, make_session):
    """Forty frames of a real head view: both hands in every frame, no swap, calm."""
    with open_video(recordings / "ego_video" / "egodex_sample.mp4") as frames:
        images = [frame.image_rgb[::2, ::2] for frame in frames.iterate(start=20, stop=60)]
    known = {"model": "pinhole_radtan", "params": [736.63, 736.63, 960, 540, 0, 0, 0, 0]}
    camera = camera_from_dict({**known, "size_wh": [1920, 1080]}).scaled((960, 540))
    folder = make_session(tmp_path / "test-session", images, camera=camera)
    HANDS_DETECT.run(folder, HandsDetectConfig(), NO_PROGRESS)
    HANDS.run(folder, HandsConfig(), NO_PROGRESS)
    hands = Hands.read(folder)
    assert np.mean(hands.state == "measured") > 0.95
    wrist = hands.landmarks_in_head.reshape(-1, 2, 51)[:, :, 0]
    assert (wrist[:, 0] < wrist[:, 1]).all()  # the left hand is left of the right one here


def test_a_wrong_focal_length_is_told_from_hands_too_far(
    tmp_path, hand, camera, length_mm, make_session, blank, write_detections
):
    """Hands seen at half a metre, read with a calibration of three times the focal length."""
    fx, fy, *centre = camera.params[:4]
    wrong = camera_from_dict({**camera.to_dict(), "params": [3 * fx, 3 * fy, *centre, 0, 0, 0, 0]})
    folder = make_session(
        tmp_path / "test-session",
        blank(30, camera.size_wh),
        hand_length_mm=length_mm,
        camera=wrong,
    )
    known = hand("right", position=np.tile([0.05, 0.05, 0.5], (30, 1)))
    write_detections(folder, known.seen_by(camera))
    outcome = HANDS.run(folder, HandsConfig(), NO_PROGRESS)
    hands = Hands.read(folder)
    assert set(hands.state) == {"missing"}
    assert any("check the focal length" in warning for warning in outcome.warnings)


@pytest.mark.parametrize("count", [1, 2])
def test_a_session_of_hardly_any_frames(
    count, tmp_path, hand, camera, length_mm, make_session, blank, write_detections
):
    folder = make_session(
        tmp_path / "test-session", blank(count, camera.size_wh), hand_length_mm=length_mm,
        camera=camera,
    )  # fmt: skip
    known = hand("right", position=np.tile([0.05, 0.05, 0.5], (count, 1)))
    write_detections(folder, known.seen_by(camera))
    HANDS.run(folder, HandsConfig(), NO_PROGRESS)
    assert Hands.read(folder).state.tolist() == ["missing", "measured"] * count


def test_pictures_without_a_hand_give_none(tmp_path, make_session):
    """Black, white, noise and a photograph-like texture: nothing is found and all of it is said."""
    rng = np.random.default_rng(5)
    noise = [rng.integers(0, 255, (240, 320, 3), dtype=np.uint8) for _ in range(4)]
    waves = np.sin(np.add.outer(np.arange(240) / 9, np.arange(320) / 5))[..., None]
    wood = (120 + 60 * waves * [1.0, 0.7, 0.4]).astype(np.uint8)
    flat = [np.full((240, 320, 3), shade, dtype=np.uint8) for shade in (0, 0, 0, 255, 255, 255)]
    folder = make_session(tmp_path / "test-session", [*flat, *noise, wood, wood, wood])
    found = HANDS_DETECT.run(folder, HandsDetectConfig(), NO_PROGRESS)
    assert found.counts == {"frames": 13, "hands": 0}
    outcome = HANDS.run(folder, HandsConfig(), NO_PROGRESS)
    assert set(Hands.read(folder).reason) == {"not seen"}
    assert sum("was never seen" in warning for warning in outcome.warnings) == 2
