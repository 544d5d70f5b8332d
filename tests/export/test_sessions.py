"""From finished sessions to a dataset whose every number is known."""

import json

import numpy as np
import pytest

from core.dataset.chunks import ChunkSettings, encode_chunk
from core.dataset.lerobot_reader import Dataset
from core.errors import BadInputError, StaleError, StorageError
from core.session.layout import HANDS, REDACTIONS
from core.session.marks import remove_mark
from core.session.tables import Redactions
from export.config import ExportConfig
from export.sessions import export_sessions

EPISODES = (
    ("episode", 0.0, 1.0, "first", "accepted", "put an egg away", True),
    ("episode", 1.5, 2.5, "second", "reviewed", None, False),
    ("left", 0.0, 0.5, "reach for the egg", "accepted", None, None),
    ("right", 0.2, 1.0, "hold the carton", "accepted", None, None),
    ("left", 0.3, 1.0, "wrong guess", "disputed", None, None),
    ("both", 1.5, 2.0, "turn the carton", "accepted", None, None),
)


def export(folders, tmp_path, name="eggs", **settings):
    config = ExportConfig(**settings)
    report = export_sessions(folders, tmp_path / "datasets", name=name, config=config)
    return report, Dataset(report.path)


def test_labelled_episodes_become_episodes(tmp_path, make_session):
    report, dataset = export([make_session(tmp_path, segments=EPISODES)], tmp_path)
    assert dataset.lengths == [30, 30]
    first, second = dataset.episodes
    assert (first.task, first.success) == ("put an egg away", True)
    assert (second.task, second.success) == ("second", False)
    assert first.session == "anna-0001"
    assert report.frames == 60
    words = [first.subtask_texts[row] for row in first.subtask]
    assert words[0] == "left: reach for the egg"
    assert words[10] == "left: reach for the egg; right: hold the carton"
    assert words[20] == "right: hold the carton"
    assert first.subtask_texts[second.subtask[0]] == "turn the carton"
    assert second.subtask[-1] == second.subtask_left[0] == 0


def test_poses_actions_and_pictures_belong_together(tmp_path, make_session, grey_of):
    _, dataset = export([make_session(tmp_path, segments=EPISODES)], tmp_path)
    episode = dataset.episode(1)
    seconds = 1.5 + np.arange(30) / 30
    np.testing.assert_allclose(episode.state[:, 0], 0.2 * seconds, atol=1e-6)
    np.testing.assert_allclose(episode.state[:, 8], -0.2 * seconds, atol=1e-6)
    np.testing.assert_allclose(episode.action[:, 0], 0.2 * (seconds + 1 / 30), atol=1e-6)
    np.testing.assert_allclose(episode.head_pose[:, 0], 0.1 * seconds, atol=1e-6)
    np.testing.assert_allclose(episode.action[:, 16], 0.1 * (seconds + 1 / 30), atol=1e-6)
    assert episode.valid[:, [0, 2, 4]].all()
    assert episode.action_valid[:, [0, 2, 4]].all()
    assert not episode.valid[:, [1, 3]].any()  # people have no gripper
    assert episode.landmarks_valid.all()
    np.testing.assert_array_equal(episode.landmarks[:, 0:3], episode.state[:, 0:3])
    for frame in (0, 7, 29):
        grey = dataset.image("head", 30 + frame).mean()
        assert abs(grey - grey_of(45 + frame)) < 2  # neighbours are 4 apart


def test_chunks_of_an_exported_session(tmp_path, make_session):
    """The left palm moves 0.2 m/s along the head's right, the head 0.1 m/s forward."""
    _, dataset = export([make_session(tmp_path)], tmp_path)
    episode = dataset.episode(0)
    chunk = encode_chunk(episode, 10, ChunkSettings())
    last = chunk.values[-1]
    np.testing.assert_allclose(last[[0, 1, 2]], [0.2, 0.0, 0.1], atol=1e-5)  # palm axes = head's
    np.testing.assert_allclose(last[[14, 15, 16, 17]], [0.1, 0, 0, 0], atol=1e-5)
    assert chunk.mask[:, [0, 7, 14, 19]].all()


@pytest.mark.parametrize("rate_hz", [20, 50])
def test_sources_of_other_rates_are_resampled_by_time(tmp_path, make_session, rate_hz):
    folder = make_session(tmp_path, seconds=2.0, rate_hz=rate_hz)
    _, dataset = export([folder], tmp_path)
    episode = dataset.episode(0)
    assert episode.fps == 30
    seconds = np.arange(len(episode)) / 30
    inside = episode.valid[:, 0]
    assert inside[: len(episode) - 2].all()
    np.testing.assert_allclose(
        episode.state[inside, 0], 0.2 * seconds[inside], atol=2e-4
    )  # snapping moves a time by at most a fiftieth of a frame


def test_without_labels_the_session_is_one_episode_and_it_says_so(tmp_path, make_session):
    report, dataset = export([make_session(tmp_path)], tmp_path)
    assert dataset.lengths == [90]
    assert dataset.episode(0).task == "sort the eggs"
    assert "no episode is labelled, so the whole session is one" in report.lines()[-1]
    last = dataset.episode(0).action_valid[-1]
    assert not last.any()  # nothing is known one frame after the recording


def test_frames_without_hands_are_trimmed_and_long_holes_cut(tmp_path, make_session):
    nobody = {*range(12), *range(50, 61), *range(100, 150), *range(172, 180)}
    lost = {"left": nobody | {20, 21, 22}, "right": nobody}
    folder = make_session(tmp_path, seconds=6.0, lost=lost)
    report, dataset = export([folder], tmp_path)
    assert dataset.lengths == [88, 22]  # 12..99 with a short hole inside, 150..171
    assert report.dropped["frame trimmed"] == 70
    first = dataset.episode(0)
    assert first.timestamp_ns[0] == 7_000_000_000 + 12 * 33_333_333 + 4  # frame 12
    assert first.valid[8:11, 0].tolist() == [False] * 3  # 20 to 22
    assert first.state[8, 0] == first.state[7, 0]  # the nearest valid pose
    np.testing.assert_array_equal(first.valid[8:11, 2], True)
    assert not first.action_valid[7, 0]
    assert not first.landmarks_valid[8, :17].any()


def test_a_new_map_is_never_bridged(tmp_path, make_session):
    maps = np.repeat([0, 1], 45)
    _, dataset = export([make_session(tmp_path, maps=maps)], tmp_path)
    episode = dataset.episode(0)
    assert episode.map_id.tolist() == maps.tolist()
    assert not episode.action_valid[44].any()
    mask = encode_chunk(episode, 35, ChunkSettings(steps=10)).mask
    assert mask[:, 0].sum() == 3


def test_unknown_scale_and_gravity_reach_the_masks(tmp_path, make_session):
    blind = make_session(tmp_path, "blind-0001", slam={"scale_source": "unknown"})
    seeing = make_session(tmp_path, "seeing-0001")
    report, dataset = export([blind, seeing], tmp_path)
    first, second = (encode_chunk(e, 0, ChunkSettings()).mask for e in dataset.episodes)
    assert not first[:, 14:20].any()
    assert second[:, 14:20].all()
    assert [s["metric_scale"] for s in dataset.handoff["sessions"]] == [False, True]
    assert any("scale unknown" in text for text in report.warnings)
    assert any("gravity unknown" in text for text in report.warnings)


def test_a_wrist_camera_only_one_session_has(tmp_path, make_session, grey_of):
    with_wrist = make_session(tmp_path, "wrist-0001", cameras=("head", "left_wrist"))
    without = make_session(tmp_path, "plain-0001")
    _, dataset = export([with_wrist, without], tmp_path)
    assert dataset.cameras == ["head", "left_wrist"]
    first, second = dataset.episodes
    assert first.camera_valid.all(axis=0).tolist() == [True, True, False]
    assert second.camera_valid.any(axis=0).tolist() == [True, False, False]
    assert abs(dataset.image("left_wrist", 40).mean() - grey_of(40) - 1) < 2.1
    assert dataset.image("left_wrist", 90 + 40).max() <= 16
    _, only_head = export([with_wrist], tmp_path, name="head-only", cameras=("head",))
    assert only_head.cameras == ["head"]


def test_pictures_are_fitted_and_their_camera_goes_along(tmp_path, make_session):
    large = make_session(tmp_path, "large-0001", size_wh=(192, 128))
    small = make_session(tmp_path, "small-0001", size_wh=(96, 96))
    _, dataset = export([large, small], tmp_path, image_size=(96, 96))
    assert dataset.image("head", 0).shape == (96, 96, 3)
    assert dataset.image("head", 40)[0].max() < 25  # padding
    assert dataset.image("head", 40)[48].min() > 80
    camera = dataset.handoff["sessions"][0]["cameras"]["head"]
    assert camera["size_wh"] == [96, 64]
    assert camera["offset_px"] == [0, 16]
    assert camera["params"][0] == pytest.approx(40.0)


def test_faces_are_painted_before_they_leave(tmp_path, make_session):
    folder = make_session(tmp_path)
    assert "NOT REDACTED" in card_of(export([folder], tmp_path, "open")[0])
    box = np.array([[10, 10, 40, 30]], dtype=np.float32)
    Redactions(
        stream=np.array(["head"], dtype=object),
        frame_index=np.array([50], dtype=np.int32),
        track=np.array([0], dtype=np.int32),
        kind=np.array(["face"], dtype=object),
        box_xyxy_px=box,
    ).write(folder)
    assert folder.exists(REDACTIONS)
    report, dataset = export([folder], tmp_path, "closed")
    assert dataset.image("head", 50)[15:25, 15:35].max() < 25
    assert dataset.image("head", 49)[15:25, 15:35].min() > 100
    assert "A redactor ran on all 1 sessions" in card_of(report)


def card_of(report):
    return (report.path / "README.md").read_text(encoding="utf-8")


def test_the_card_names_sources_and_shares(tmp_path, make_session):
    folder = make_session(tmp_path, lost={"left": range(45)})
    report, _ = export([folder], tmp_path)
    text = card_of(report)
    assert "- left hand: 50.0%" in text
    assert "| anna-0001 | anna | desk | rig | research | imu | imu | prior | no |" in text
    assert "human (18 action dimensions" in text


def test_unfinished_and_changed_sessions_are_named(tmp_path, make_session):
    folder = make_session(tmp_path)
    remove_mark(folder, "slam", "slam")
    with pytest.raises(BadInputError, match=r"anna-0001: stage slam is not done; run: handoff run"):
        export([folder], tmp_path)
    other = make_session(tmp_path, "other-0001")
    other.write_bytes(HANDS, other.read_bytes(HANDS) + b"x")
    with pytest.raises(StaleError, match="changed since hands made it"):
        export([other], tmp_path)


def test_wrong_requests_are_refused(tmp_path, make_session):
    folder = make_session(tmp_path, lost={"left": range(90), "right": range(90)})
    with pytest.raises(BadInputError, match="neither hand is ever valid"):
        export([folder], tmp_path)
    with pytest.raises(BadInputError, match="given twice"):
        export([folder, folder], tmp_path)
    with pytest.raises(BadInputError, match="no session was given"):
        export([], tmp_path)
    with pytest.raises(BadInputError, match="fps is 0"):
        ExportConfig(fps=0)
    with pytest.raises(BadInputError, match="keep head"):
        ExportConfig(cameras=("left_wrist",))


def test_exporting_again_does_nothing(tmp_path, make_session):
    folder = make_session(tmp_path, segments=EPISODES)
    first, _ = export([folder], tmp_path)
    before = {p: p.stat().st_mtime_ns for p in first.path.rglob("*")}
    again, _ = export([folder], tmp_path)
    assert again.lines()[0].startswith("nothing to do")
    assert again.lines()[1:] == first.lines()
    assert {p: p.stat().st_mtime_ns for p in first.path.rglob("*")} == before
    with pytest.raises(BadInputError, match=r"is there already.*--replace"):
        export([folder], tmp_path, fps=15)
    config = ExportConfig(fps=15)
    slower = export_sessions(
        [folder], tmp_path / "datasets", name="eggs", config=config, replace=True
    )
    assert (slower.frames, first.frames) == (30, 60)
    assert Dataset(slower.path).fps == 15


def test_a_place_that_cannot_be_written_is_named(tmp_path, make_session):
    (tmp_path / "datasets").write_text("a file in the way")
    with pytest.raises(StorageError, match=r"eggs.*cannot be written"):
        export([make_session(tmp_path)], tmp_path)


def test_an_interrupted_export_goes_on_and_ends_identical(tmp_path, make_session, monkeypatch):
    folder = make_session(tmp_path, segments=EPISODES)
    whole, _ = export([folder], tmp_path, "whole")

    class Stop:
        def total(self, n, unit):
            pass

        def note(self, text):
            pass

        def advance(self, k=1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_sessions(
            [folder], tmp_path / "datasets", name="cut", config=ExportConfig(), progress=Stop()
        )
    assert not (tmp_path / "datasets/cut").exists()
    staged = tmp_path / "datasets/.cut.partial/episodes/000000/head.mp4"
    before = staged.stat().st_mtime_ns
    export([folder], tmp_path, "cut")
    resumed = tmp_path / "datasets/cut"
    video = resumed / "videos/observation.images.head/chunk-000/file-000.mp4"
    assert video.stat().st_mtime_ns == before  # not encoded again
    for path in whole.path.rglob("*"):
        if path.is_file() and path.name != "README.md":
            twin = resumed / path.relative_to(whole.path)
            assert twin.read_bytes() == path.read_bytes(), path
    assert not staged.exists()
    assert json.loads((resumed / "meta/info.json").read_text())["total_frames"] == 60
