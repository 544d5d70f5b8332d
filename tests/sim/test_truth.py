"""The truth tables: the stages' own schemas, the project's world, the same bytes for a seed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.errors import BadInputError
from core.geometry.landmarks import LANDMARKS
from core.session.calibration import Calibration
from core.session.storage import SessionFolder
from core.session.tables import EndEffectors, Hands, Segments, Trajectory
from sim.record import about, perform, write_truth
from sim.rig import find_preset, find_rig
from sim.scene.company import invite
from sim.truth.tables import TruthWriter
from sim.variation import Variation


def _truth(folder: Path, seed: int) -> dict[str, str]:
    rig, preset = find_rig("head"), find_preset("default")
    show = perform("blocks_to_tray", seconds=4.5, seed=seed, rig=rig, preset=preset)
    write_truth(SessionFolder(str(folder)), show)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    first, again, other = (_truth(tmp_path / n, s) for n, s in (("a", 3), ("b", 3), ("c", 4)))
    assert first == again
    assert set(first) == set(other)
    for path in ("truth/slam/trajectory.parquet", "truth/hands/hands.parquet"):
        assert first[path] != other[path]


def test_tables_are_complete_and_agree(show, tmp_path):
    folder = SessionFolder(str(tmp_path))
    write_truth(folder, show)
    trajectory = Trajectory.read(folder, "truth")
    hands = Hands.read(folder, "truth")
    effectors = EndEffectors.read(folder, "truth")
    segments = Segments.read(folder, "truth")
    ticks = len(show.times["head"])
    assert len(trajectory) == ticks
    assert len(hands) == len(effectors) == 2 * ticks
    assert Calibration.read(folder, "truth").stream("head").camera.size_wh == (640, 480)
    first = trajectory.world_from_head[0]
    np.testing.assert_allclose(first[:3], 0.0, atol=1e-12)
    lengths = np.linalg.norm(
        hands.landmarks_in_head.reshape(-1, 17, 3)[:, 1] - effectors.head_from_palm[:, :3], axis=1
    )
    assert lengths.max() < 1e-6
    tracks = segments.track.tolist()
    assert tracks.count("episode") == 1
    assert segments.success[tracks.index("episode")] is True
    assert {"left", "right", "phase"} <= set(tracks)
    words = [t for t, k in zip(segments.text, tracks, strict=True) if k in {"left", "right"}]
    assert all(t.startswith("put the ") for t in words)


def test_outside_means_outside_the_picture_of_a_fisheye_too(tmp_path):
    rig, preset = find_rig("fisheye-head"), find_preset("clean")
    show = perform("blocks_to_tray", seconds=6.0, seed=1, rig=rig, preset=preset)
    write_truth(SessionFolder(str(tmp_path)), show)
    hands = Hands.read(SessionFolder(str(tmp_path)), "truth")
    joints = pq.read_table(tmp_path / "truth/sim/joints.parquet")
    points = hands.landmarks_in_head.reshape(-1, 17, 3)
    uv, valid = rig.head.camera().project(points)
    seen = valid & rig.head.camera().in_image(uv)
    narrow, ahead = find_rig("head").head.camera().project(points)
    in_narrow = ahead & find_rig("head").head.camera().in_image(narrow)
    for k, name in enumerate(LANDMARKS):
        hidden = np.array(joints[f"hidden_by_{name}"].to_pylist(), object)
        np.testing.assert_array_equal(hidden == "outside", ~seen[:, k])
    assert seen.mean() > in_narrow.mean() + 0.005


def test_tables_written_in_parts_are_the_same_tables(show, tmp_path, monkeypatch):
    """Long takes: groups of rows, and quaternions that never jump to the other hemisphere."""
    whole, parts = (SessionFolder(str(tmp_path / name)) for name in ("whole", "parts"))
    write_truth(whole, show)
    monkeypatch.setattr("sim.truth.parts.ROWS", 70)
    monkeypatch.setattr("sim.truth.parts.GROUP_ROWS", 100)
    write_truth(parts, show)
    for path in whole.ls():
        if not path.endswith(".parquet"):
            continue
        one, other = (pq.ParquetFile(f.local_path(path)) for f in (whole, parts))
        assert one.read().equals(other.read()), path
    long = parts.local_path("truth/slam/trajectory.parquet")
    assert pq.ParquetFile(long).num_row_groups > 1


def test_first_heading_is_x(show, tmp_path):
    folder = SessionFolder(str(tmp_path))
    write_truth(folder, show)
    from core.geometry.heading import levelled_heading
    from core.geometry.se3 import SE3

    head = SE3.from_pose7(Trajectory.read(folder, "truth").world_from_head[:1])
    np.testing.assert_allclose(levelled_heading(head.rotation)[0], np.eye(3), atol=1e-9)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"task": "juggle"}, "juggle"), ({"seconds": 1.0}, "1.0"), ({"seed": -1}, "-1")],
)
def test_refuses_what_it_cannot_do(change, word):
    given = {"task": "blocks_to_tray", "seconds": 5.0, "seed": 0} | change
    with pytest.raises(BadInputError, match=word):
        perform(given.pop("task"), rig=find_rig("head"), preset=find_preset("clean"), **given)


def test_a_take_says_what_was_drawn_so_that_it_can_be_chosen_by():
    asked = Variation(scene="bedroom", task_variant="rubbish")
    show = perform(
        "bus_table", seconds=4.0, seed=2, rig=find_rig("head"), preset=find_preset("harsh"),
        variation=asked, company=invite(1, 0, seed=2),
    )  # fmt: skip
    told = about(show, asked)
    assert (told["scene"], told["task_variant"], told["objects"]) == (
        "bedroom", "rubbish", "dinnerware",
    )  # fmt: skip
    assert "cup" in told["things"]
    assert told["onlookers"] == ["face"]
    assert (told["sleeve"], told["seed"], told["preset"]) == (show.look.sleeve, 2, "harsh")
    json.dumps(told)


def test_unknown_rig_and_preset_name_the_choices():
    with pytest.raises(BadInputError, match="default"):
        find_rig("gopro")
    with pytest.raises(BadInputError, match="harsh"):
        find_preset("awful")


def test_the_sample_is_what_its_seed_makes():
    sample = SessionFolder(str(Path(__file__).resolve().parents[2] / "samples" / "session"))
    rig, preset = find_rig("small"), find_preset("default")
    steady = Variation(manner="steady")
    show = perform("there_and_back", seconds=15, seed=3, rig=rig, preset=preset, variation=steady)
    shipped = Trajectory.read(sample, "truth")
    writer = TruthWriter(
        sample, show.human, show.task, clock=show.clock, seconds=show.times["head"]
    )
    head = writer.world_from_desk @ show.human.head.pose(show.times["head"])
    np.testing.assert_array_equal(show.clock.ns(show.times["head"]), shipped.timestamp_ns)
    np.testing.assert_allclose(head.to_pose7(), shipped.world_from_head, atol=1e-6)
    palm = show.human.hand("right", show.times["head"]).desk_from_palm
    local = show.human.head.pose(show.times["head"]).inverse() @ palm
    effectors = EndEffectors.read(sample, "truth")
    right = effectors.head_from_palm[effectors.side == "right"]
    np.testing.assert_allclose(local.translation, right[:, :3], atol=1e-6)
