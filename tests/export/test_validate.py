"""A sound dataset passes; every kind of damage is named."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from core.dataset.lerobot_reader import Dataset
from core.errors import BadInputError
from export.config import ExportConfig
from export.sessions import export_sessions
from export.validate import check_dataset

VIDEO = "videos/observation.images.head/chunk-000/file-000.mp4"


@pytest.fixture(scope="module", name="sound")
def sound_dataset(tmp_path_factory, make_session):
    root = tmp_path_factory.mktemp("sound")
    folders = [make_session(root, name, seconds=1.0) for name in ("one-0001", "two-0002")]
    return export_sessions(folders, root, name="set", config=ExportConfig()).path


@pytest.fixture
def copy(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "set")


def test_a_sound_dataset_has_no_problem(sound):
    report = check_dataset(sound)
    assert report.ok, report.problems
    assert (report.episodes, report.frames, report.videos) == (2, 60, 2)
    assert report.lines()[0].endswith("60 frames, 2 videos: sound")


def problem(root):
    report = check_dataset(root)
    assert not report.ok
    return "\n".join(report.lines())


def test_missing_and_wrong_videos(copy):
    (copy / VIDEO).unlink()
    assert "not a readable video" in problem(copy)
    shutil.copy(copy / VIDEO.replace("file-000", "file-001"), copy / VIDEO)
    (copy / VIDEO).write_bytes((copy / VIDEO).read_bytes()[:400])
    assert "not a readable video" in problem(copy)


def test_wrong_counts(copy):
    path = copy / "meta/info.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, "total_frames": 61}))
    assert "total_frames is 61, found 60" in problem(copy)


def test_an_undeclared_column(copy):
    path = copy / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("extra", table.column("index")), path, row_group_size=30)
    assert "['extra'] not declared" in problem(copy)


def test_damaged_numbers(copy):
    path = copy / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    where = table.column_names.index("timestamp_ns")
    times = table.column("timestamp_ns").to_numpy().copy()
    times[40:] += 5_000_000_000
    pq.write_table(table.set_column(where, "timestamp_ns", [times]), path, row_group_size=30)
    assert "episode 1: timestamp_ns jumps by 151.00 frames" in problem(copy)


def test_missing_statistics(copy):
    path = copy / "meta/stats.json"
    stats = json.loads(path.read_text())
    del stats["action"]
    path.write_text(json.dumps(stats))
    assert "nothing about action" in problem(copy)


def test_a_folder_that_is_no_dataset(tmp_path):
    with pytest.raises(BadInputError, match="is this folder a dataset"):
        check_dataset(tmp_path)


def test_reading_does_not_change_a_dataset(sound):
    before = {p: p.stat().st_mtime_ns for p in sound.rglob("*")}
    Dataset(sound).image("head", 3)
    check_dataset(sound)
    assert {p: p.stat().st_mtime_ns for p in sound.rglob("*")} == before
