"""What the writer puts on disk, and that the reader gives it back."""

import errno
import json
import pickle
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.dataset.chunks import ChunkEncoder, ChunkSettings
from core.dataset.embodiments import HUMAN, TWO_ARM_ROBOT
from core.dataset.episode import LEFT_POSE, Extra, fill_poses
from core.dataset.handoff_meta import chunk_statistics
from core.dataset.lerobot_reader import Dataset
from core.dataset.lerobot_writer import DatasetWriter
from core.dataset.meta_tables import read_json
from core.dataset.quantiles import normalise, scale_from_statistics
from core.errors import BadInputError, StorageError

HEIGHT, WIDTH = 48, 64


def painted(frames, offset=0):
    """Frames whose flat grey level names them."""
    for index in range(frames):
        yield np.full((HEIGHT, WIDTH, 3), 20 + 4 * index + offset, dtype=np.uint8)


def moving_hand(frames, speed=0.01):
    hand = np.tile([0, 0, 0.4, 1.0, 0, 0, 0], (frames, 1))
    hand[:, 0] = np.arange(frames) * speed
    return hand


@pytest.fixture
def written(tmp_path, episode_from):
    texts = ("", "reach", "left: reach", "grasp")
    first = episode_from(
        left=moving_hand(20),
        subtask_texts=texts,
        subtask=np.repeat([0, 2], 10),
        subtask_left=np.repeat([0, 1], 10),
        success=True,
    )
    second = episode_from(
        left=moving_hand(31, speed=0.02),
        task="pour",
        subtask_texts=("", "grasp"),
        subtask_right=np.ones(31, dtype=int),
        metric_scale=False,
        session="other-session",
    )
    writer = DatasetWriter(tmp_path / "set", fps=30, cameras={"head": (HEIGHT, WIDTH)})
    writer.add_episode(first, {"head": painted(20)})
    writer.add_episode(second, {"head": painted(31, offset=2)})
    writer.finish(redaction="nothing was redacted", sessions=[{"id": "test-session"}])
    return first, second, tmp_path / "set"


def test_episodes_come_back_equal(written):
    first, second, root = written
    dataset = Dataset(root)
    assert len(dataset) == 51
    assert dataset.lengths == [20, 31]
    for episode, back in zip((first, second), dataset.episodes, strict=True):
        for name in (
            "state",
            "head_pose",
            "action",
            "valid",
            "landmarks",
            "timestamp_ns",
            "map_id",
        ):
            np.testing.assert_array_equal(getattr(back, name), getattr(episode, name))
        for name in ("task", "session", "success", "metric_scale", "gravity", "embodiment", "fps"):
            assert getattr(back, name) == getattr(episode, name)
        for name in ("subtask", "subtask_left", "subtask_right"):
            texts = [episode.subtask_texts[row] for row in getattr(episode, name)]
            assert [back.subtask_texts[row] for row in getattr(back, name)] == texts
    assert dataset.tasks == ["move the cup", "pour"]
    assert dataset.subtasks == ["", "reach", "left: reach", "grasp"]
    assert dataset.handoff["redaction"] == "nothing was redacted"


def test_every_frame_is_the_frame_that_was_written(written):
    dataset = Dataset(written[2])
    assert dataset.image("head", 0).mean() < 22  # a fresh reader at its first frame
    rng = np.random.default_rng(0)
    for index in rng.permutation(len(dataset)):
        episode, frame = dataset.locate(int(index))
        expected = 20 + 4 * frame + 2 * episode
        image = dataset.image("head", int(index))
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert abs(float(image.mean()) - expected) < 1.5
    window = dataset.images("head", [25, 22, 25])
    np.testing.assert_allclose(window.mean(axis=(1, 2, 3)), [42, 30, 42], atol=1.5)


def test_a_reader_can_be_sent_to_another_process(written):
    dataset = Dataset(written[2])
    dataset.image("head", 3)
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy.image("head", 3), dataset.image("head", 3))


def test_layout_on_disk(written):
    root = written[2]
    info = json.loads((root / "meta/info.json").read_text())
    assert (info["total_episodes"], info["total_frames"], info["fps"]) == (2, 51, 30)
    table = pq.ParquetFile(root / "data/chunk-000/file-000.parquet")
    assert table.num_row_groups == 2
    declared = {k for k, f in info["features"].items() if f["dtype"] != "video"}
    assert set(table.schema_arrow.names) == declared
    column = table.metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert "BYTE_STREAM_SPLIT" in column.encodings
    subtasks = pq.read_table(root / "meta/subtasks.parquet")
    assert json.loads(subtasks.schema.metadata[b"pandas"])["index_columns"] == ["subtask"]
    assert (root / "videos/observation.images.head/chunk-000/file-001.mp4").is_file()
    assert [p.name for p in root.parent.iterdir()] == ["set"]
    assert sorted(p.name for p in root.iterdir()) == ["data", "meta", "videos"]


def test_tables_look_to_pandas_like_its_own(written):
    import pandas

    frame = pandas.read_parquet(written[2] / "meta/tasks.parquet")
    assert frame.index.name == "task"
    assert frame.loc["pour"].task_index == 1
    assert frame.iloc[0].name == "move the cup"


def test_statistics_are_true_quantiles_of_valid_values(written):
    first, second, root = written
    stats = json.loads((root / "meta/stats.json").read_text())
    x = np.concatenate([first.state[:, 0], second.state[:, 0]])
    assert stats["observation.state"]["q99"][0] == pytest.approx(np.quantile(x, 0.99), rel=1e-5)
    assert stats["observation.state"]["mean"][0] == pytest.approx(x.mean(), rel=1e-5)
    assert stats["observation.state"]["count"] == [51]
    task = stats["task_index"]
    assert task["q01"] == [0.0]  # a count-weighted mean of episodes would say 0.6
    assert task["q99"] == [1.0]
    image = stats["observation.images.head"]
    assert np.shape(image["mean"]) == (3, 1, 1)
    assert 0.1 < image["mean"][0][0][0] < 0.5


def test_chunk_statistics_pool_valid_steps(written):
    first, second, root = written
    handoff = Dataset(root).handoff
    for reference in ("chunk_head", "per_tick"):
        settings = ChunkSettings(reference=reference)
        parts = [ChunkEncoder(e, settings).encode(np.arange(len(e))) for e in (first, second)]
        values = np.concatenate([v.reshape(-1, 32) for v, _ in parts])
        mask = np.concatenate([m.reshape(-1, 32) for _, m in parts])
        stored = chunk_statistics(handoff, settings)["human"]
        assert stored["count"] == mask.sum(axis=0).tolist()
        assert stored["count"][6] == 0  # a hand has no gripper
        assert all(stored[name][6] is None for name in ("min", "max", "mean", "std", "q01", "q99"))
        scale = scale_from_statistics(stored)
        assert scale.known.tolist() == mask.any(axis=0).tolist()
        assert np.isfinite(normalise(values, scale)).all()
        expected = np.quantile(values[mask[:, 0], 0], [0.01, 0.99])
        assert [stored["q01"][0], stored["q99"][0]] == pytest.approx(expected.tolist(), rel=1e-4)
    assert chunk_statistics(handoff, ChunkSettings(steps=7)) is None


def test_no_statistic_is_touched_by_masked_values(tmp_path, episode_from):
    """The same recording with other numbers under its masks has the same statistics."""

    def statistics(junk, name):
        episode = episode_from(left=moving_hand(24))
        valid, action_valid = episode.valid.copy(), episode.action_valid.copy()
        valid[5:9, LEFT_POSE] = action_valid[4:8, LEFT_POSE] = action_valid[-1] = False
        valid[:, 2] = action_valid[:, 2] = False  # the right hand is never seen
        state, action = episode.state.copy(), episode.action.copy()
        state[~valid[:, LEFT_POSE], 0:3] = junk
        action[~action_valid[:, LEFT_POSE], 0:3] = junk
        state[:, 8:11] = action[:, 8:11] = action[-1, 16:19] = junk
        episode = replace(
            episode, state=state, action=action, valid=valid, action_valid=action_valid
        )
        writer = DatasetWriter(tmp_path / name, fps=30, cameras={})
        writer.add_episode(episode, {})
        root = writer.finish()
        stats = json.loads((root / "meta/stats.json").read_text())
        state_stats = {k: v[:8] for k, v in stats["observation.state"].items()}
        return state_stats, stats["action"]["max"][16], Dataset(root).handoff

    assert statistics(0.0, "zeros") == statistics(1e9, "junk")


def test_nearest_valid_pose_is_what_naive_readers_see():
    poses = moving_hand(6)
    poses[2:4] = np.nan
    valid = np.isfinite(poses).all(axis=1)
    assert fill_poses(poses, valid)[:, 0].tolist() == [0, 0.01, 0.01, 0.04, 0.04, 0.05]


def test_robot_and_human_share_one_dataset(tmp_path, episode_from):
    writer = DatasetWriter(tmp_path / "both", fps=30, cameras={})
    writer.add_episode(episode_from(left=moving_hand(12)), {})
    writer.add_episode(episode_from(left=moving_hand(12, 0.03), embodiment=TWO_ARM_ROBOT), {})
    dataset = Dataset(writer.finish())
    assert [e.embodiment for e in dataset.episodes] == [HUMAN, TWO_ARM_ROBOT]
    stored = chunk_statistics(dataset.handoff, ChunkSettings())
    assert stored["robot"]["count"][6] > 0
    assert stored["robot"]["q99"][0] > 2 * stored["human"]["q99"][0]
    with pytest.raises(BadInputError, match="several embodiments"):
        dataset.embodiment  # noqa: B018


def test_extra_columns_are_carried_declared_and_alike(tmp_path, episode_from):
    joints = np.arange(24, dtype=np.float32).reshape(12, 2)
    extra = {"observation.joints": Extra(("left_1_rad", "left_lift_m"), joints)}
    episode = episode_from(left=moving_hand(12), extra=extra)
    writer = DatasetWriter(tmp_path / "arm", fps=30, cameras={})
    writer.add_episode(episode, {})
    dataset = Dataset(writer.finish())
    found = dataset.episode(0).extra["observation.joints"]
    assert found.names == ("left_1_rad", "left_lift_m")
    assert (found.values == joints).all()
    declared = dataset.info["features"]["observation.joints"]
    assert declared == {"dtype": "float32", "shape": [2], "names": ["left_1_rad", "left_lift_m"]}
    assert read_json(dataset.root / "meta/stats.json")["observation.joints"]["max"] == [22.0, 23.0]
    mixed = DatasetWriter(tmp_path / "mixed", fps=30, cameras={})
    mixed.add_episode(episode, {})
    mixed.add_episode(episode_from(left=moving_hand(12)), {})
    with pytest.raises(BadInputError, match=r"observation\.joints"):
        mixed.finish()
    with pytest.raises(BadInputError, match="shape"):
        replace(episode, extra={"j": Extra(("a",), joints)})


def test_a_missing_camera_is_black_and_masked(tmp_path, episode_from):
    cameras = {"head": (HEIGHT, WIDTH), "left_wrist": (HEIGHT, WIDTH)}
    writer = DatasetWriter(tmp_path / "set", fps=30, cameras=cameras)
    episode = episode_from(left=moving_hand(4))
    writer.add_episode(episode, {"head": painted(4)})
    seen = np.tile([True, True, False], (4, 1))
    with pytest.raises(BadInputError, match="no frames for left_wrist"):
        writer.add_episode(replace(episode, camera_valid=seen), {"head": painted(4)})
    dataset = Dataset(writer.finish())
    assert dataset.image("left_wrist", 2).max() <= 16
    assert not dataset.episode(0).camera_valid[:, 1].any()


def test_an_interrupted_writer_goes_on_and_ends_identical(tmp_path, episode_from):
    episodes = [episode_from(left=moving_hand(12, 0.01 * k)) for k in (1, 2, 3)]

    def whole(root):
        writer = DatasetWriter(root, fps=30, cameras={"head": (HEIGHT, WIDTH)}, key="a")
        for episode in episodes[writer.staged :]:
            writer.add_episode(episode, {"head": painted(12)})
        writer.finish()

    def dying():
        yield from painted(5)
        raise KeyboardInterrupt

    whole(tmp_path / "one")
    writer = DatasetWriter(tmp_path / "two", fps=30, cameras={"head": (HEIGHT, WIDTH)}, key="a")
    writer.add_episode(episodes[0], {"head": painted(12)})
    with pytest.raises(KeyboardInterrupt):
        writer.add_episode(episodes[1], {"head": dying()})
    assert not (tmp_path / "two").exists()
    again = DatasetWriter(tmp_path / "two", fps=30, cameras={"head": (HEIGHT, WIDTH)}, key="a")
    assert again.staged == 1
    whole(tmp_path / "two")
    files = {p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()}
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), (
            path
        )
    other = DatasetWriter(tmp_path / "three", fps=30, cameras={}, key="a")
    other.add_episode(episodes[0], {})
    assert DatasetWriter(tmp_path / "three", fps=30, cameras={}, key="b").staged == 0


def test_a_full_disk_is_named_and_finished_episodes_stay(tmp_path, episode_from, monkeypatch):
    writer = DatasetWriter(tmp_path / "set", fps=30, cameras={"head": (HEIGHT, WIDTH)})
    writer.add_episode(episode_from(left=moving_hand(4)), {"head": painted(4)})

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("core.dataset.lerobot_writer.encode_video", full)
        with pytest.raises(
            StorageError, match=r"000001: cannot be written: No space left.*elsewhere"
        ):
            writer.add_episode(episode_from(left=moving_hand(4)), {"head": painted(4)})
    assert writer.staged == 1
    writer.add_episode(episode_from(left=moving_hand(4)), {"head": painted(4)})
    assert Dataset(writer.finish()).lengths == [4, 4]


def test_wrong_input_is_refused_in_one_line(tmp_path, episode_from, written):
    with pytest.raises(BadInputError, match=r"is there already.*--replace"):
        DatasetWriter(written[2], fps=30, cameras={})
    with pytest.raises(BadInputError, match="no episode was added"):
        DatasetWriter(tmp_path / "new", fps=30, cameras={}).finish()
    writer = DatasetWriter(tmp_path / "odd", fps=30, cameras={"head": (HEIGHT, WIDTH)})
    with pytest.raises(BadInputError, match="20 fps, not 30"):
        writer.add_episode(episode_from(left=moving_hand(4), fps=20), {"head": painted(4)})
    with pytest.raises(BadInputError, match="3 frames for an episode of 4"):
        writer.add_episode(episode_from(left=moving_hand(4)), {"head": painted(3)})
    with pytest.raises(BadInputError, match="is this folder a dataset"):
        Dataset(tmp_path / "nothing")
    with pytest.raises(BadInputError, match="no camera 'left_wrist'"):
        Dataset(written[2]).image("left_wrist", 0)


def test_an_unnamed_task_is_a_text_for_others_and_none_for_us(tmp_path, episode_from):
    writer = DatasetWriter(tmp_path / "set", fps=30, cameras={"head": (HEIGHT, WIDTH)})
    writer.add_episode(episode_from(left=moving_hand(4), task=""), {"head": painted(4)})
    dataset = Dataset(writer.finish())
    assert dataset.tasks == ["task not named"]
    assert dataset.episode(0).task == ""
