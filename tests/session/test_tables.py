"""Every table: what is written comes back; what is wrong is refused, naming file and cell."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadInputError, StorageError
from core.session.columns import columns_of
from core.session.storage import SessionFolder
from core.session.tables import (
    SEGMENT_TRACKS,
    SIDES,
    TABLES,
    Detections,
    EndEffectors,
    Frames,
    Hands,
    Imu,
    MapPoints,
    Redactions,
    Segments,
    Ticks,
    Trajectory,
)

ROOT = Path(__file__).resolve().parents[2]


def assert_same(one, other):
    for f in dataclasses.fields(one):
        left, right = getattr(one, f.name), getattr(other, f.name)
        assert left.dtype == right.dtype, f.name
        assert left.shape == right.shape, f.name
        if left.dtype == object:
            assert left.tolist() == right.tolist(), f.name
        else:
            np.testing.assert_array_equal(left, right, err_msg=f.name)


# any table, drawn at random within its declarations

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def random_column(draw, spec, rows):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if spec.kind == "text":
        words = st.sampled_from(spec.allowed) if spec.allowed else TEXT
        return [draw(st.none() | words if spec.nullable else words) for _ in range(rows)]
    if spec.kind == "maybe_bool":
        return [draw(st.sampled_from([True, False, None])) for _ in range(rows)]
    if spec.kind == "bool":
        return rng.random(spec.shape(rows)) < 0.5
    if spec.kind in {"i32", "i64"}:
        limit = np.iinfo(spec.numpy_type)
        return rng.integers(limit.min, limit.max, spec.shape(rows), dtype=spec.numpy_type)
    values = (rng.normal(size=spec.shape(rows)) * 10.0 ** rng.integers(-20, 20)).astype(
        spec.numpy_type
    )
    if spec.pose:
        values[:, 3:] = rng.normal(size=(rows, 4))
        values[:, 3:] /= np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
    if spec.unbounded:
        values[rng.random(spec.shape(rows)) < 0.3] = np.inf
    return values


def obey_rules(table, columns, rows):
    """Bend random columns to the rules between columns."""
    rising = np.cumsum(np.arange(1, rows + 1, dtype=np.int64) * 7)
    for name in ("tick", "timestamp_ns", "start_ns"):
        if name in columns:
            columns[name] = rising
    if table is Frames:
        columns["frame_index"] = np.arange(rows)
    if table is Segments:
        columns["end_ns"] = rising + 5
        columns["id"] = [f"s{row}" for row in range(rows)]
    if table is Trajectory:
        valid = columns["world_from_head_valid"]
        columns["tracked"] &= valid
        columns["reason"] = [None if ok else "lost" for ok in valid]
    if table in {Hands, EndEffectors}:
        main = "landmarks_in_head" if table is Hands else "head_from_palm"
        valid = columns[f"{main}_valid"]
        columns["state"] = ["measured" if ok else "missing" for ok in valid]
        columns["reason"] = [None if ok else "not seen" for ok in valid]


@st.composite
def tables(draw, kind):
    rows = draw(st.integers(0, 6))
    columns = {}
    for name, spec in columns_of(kind).items():
        columns[name] = random_column(draw, spec, rows)
        if spec.has_twin:
            flags = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
            columns[f"{name}_valid"] = np.array(flags, dtype=bool)
    obey_rules(kind, columns, rows)
    return kind(**columns)


@pytest.mark.parametrize("kind", TABLES, ids=lambda t: t.__name__)
@pytest.mark.parametrize("root", ["", "truth"])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_round_trip(kind, root, tmp_path, data):
    folder = SessionFolder(tmp_path)
    table = data.draw(tables(kind))
    path = table.write(folder, root)
    assert path == f"{root}/{kind.path}".lstrip("/")
    again = kind.read(folder, root)
    assert len(again) == len(table)
    assert_same(table, again)
    digest = folder.sha256(path)
    again.write(folder, root)
    assert folder.sha256(path) == digest


@pytest.mark.parametrize("kind", TABLES, ids=lambda t: t.__name__)
def test_empty_tables_and_remote_folders(kind, tmp_path):
    folder = SessionFolder(f"memory://{tmp_path.name}/anna-0001")
    kind.empty().write(folder)
    assert len(kind.read(folder)) == 0
    assert_same(kind.empty(), kind.concat([]))


@pytest.mark.parametrize("kind", TABLES, ids=lambda t: t.__name__)
def test_other_tools_can_read_the_files(kind, tmp_path):
    folder = SessionFolder(tmp_path)
    kind.empty().write(folder)
    schema = pq.read_schema(tmp_path / kind.path)
    assert schema.names == list(columns_of(kind))
    assert schema.metadata[b"handoff_table"] == kind.__name__.encode()


def hands(**changes):
    n = 4
    valid = np.array([True, True, False, True])
    columns = {
        "tick": np.array([0, 0, 1, 1]),
        "timestamp_ns": np.array([0, 0, 33, 33]),
        "side": ["left", "right", "left", "right"],
        "landmarks_in_head": np.ones((n, 51), np.float32),
        "landmarks_in_head_valid": valid,
        "sigma_lateral_m": np.ones((n, 17), np.float32),
        "sigma_ray_m": np.ones((n, 17), np.float32),
        "visible": np.ones((n, 17), bool),
        "state": ["measured", "measured", "missing", "interpolated"],
        "reason": [None, None, "outside the picture", None],
        "source": ["mediapipe"] * n,
    }
    return Hands(**{**columns, **changes})


def trajectory(**changes):
    n = 4
    poses = np.tile([1.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.0], (n, 1))
    columns = {
        "tick": np.arange(n),
        "timestamp_ns": np.arange(n) * 33,
        "world_from_head": poses,
        "world_from_head_valid": np.ones(n, bool),
        "tracked": np.ones(n, bool),
        "map_id": np.zeros(n, np.int32),
        "sigma_m": np.ones((n, 3)),
        "sigma_rad": np.ones((n, 3)),
        "reason": None,
    }
    return Trajectory(**{**columns, **changes})


def test_missing_cells_are_nan_in_memory_and_null_on_disk(tmp_path):
    table = hands()
    assert np.isnan(table.landmarks_in_head[2]).all()
    assert np.isnan(table.sigma_ray_m[2]).all()
    assert np.isfinite(table.landmarks_in_head[[0, 1, 3]]).all()
    assert not table.aperture_m_valid.any()
    table.write(SessionFolder(tmp_path))
    on_disk = pq.ParquetFile(tmp_path / Hands.path).read()
    for name in ("landmarks_in_head", "sigma_lateral_m"):
        assert on_disk[name].is_null().to_pylist() == [False, False, True, False]
    assert on_disk["aperture_m"].null_count == 4
    ticks = Ticks(
        tick=[0, 1], timestamp_ns=[0, 5], left_wrist_frame=[7, 9],
        left_wrist_frame_valid=[True, False],
    )  # fmt: skip
    assert ticks.left_wrist_frame.tolist() == [7, -1]
    assert ticks.right_wrist_frame.tolist() == [-1, -1]


def test_arrays_are_read_only_copies():
    stamps = np.arange(4) * 33
    table = trajectory(timestamp_ns=stamps)
    stamps[0] = 99
    assert table.timestamp_ns[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        table.world_from_head[0, 0] = 5.0


def test_quaternions_stay_in_one_hemisphere_over_gaps():
    poses = np.tile([0.0, 0, 0, 1, 0, 0, 0], (4, 1))
    poses[3, 3] = -1.0
    valid = np.array([True, True, False, True])
    table = trajectory(
        world_from_head=poses,
        world_from_head_valid=valid,
        tracked=valid,
        reason=[None, None, "lost", None],
    )
    assert table.world_from_head[[0, 1, 3], 3].tolist() == [1.0, 1.0, 1.0]


def test_take_and_concat():
    table = hands()
    left = table.take(np.array([side == "left" for side in table.side]))
    assert left.tick.tolist() == [0, 1]
    right = table.take(slice(1, None, 2))
    both = Hands.concat([left, right])
    assert len(both) == 4
    assert_same(both.take(np.array([0, 2, 1, 3])), table)


def quat_too_long():
    poses = np.tile([0.0, 0, 0, 1, 0, 0, 0], (4, 1))
    poses[2, 4] = 0.5
    return trajectory(world_from_head=poses)


def not_finite():
    values = np.ones((4, 51), np.float32)
    values[1, 5] = np.nan
    return hands(landmarks_in_head=values)


BAD = {
    "backwards": (
        lambda: trajectory(timestamp_ns=[0, 33, 32, 99]),
        r"trajectory\.parquet: column 'timestamp_ns', row 2: 32 is not later than",
    ),
    "repeated per side": (
        lambda: hands(timestamp_ns=[0, 0, 33, 0]),
        r"column 'timestamp_ns', row 3: 0 is not later",
    ),
    "quaternion": (quat_too_long, r"column 'world_from_head', row 2: \[0, 0, 0, 1, 0.5.* length 1"),
    "not finite": (not_finite, r"column 'landmarks_in_head', row 1: \[1, 1.* is not finite"),
    "side": (lambda: hands(side=["left", "rihgt", "left", "right"]), "row 1: 'rihgt' is not one"),
    "state": (
        lambda: hands(state=["measured", "measured", "measured", "measured"]),
        r"column 'state', row 2: measured but no values",
    ),
    "state with values": (
        lambda: hands(state=["missing"] * 4, reason=["x"] * 4),
        r"column 'state', row 0: missing but values are given",
    ),
    "no reason": (lambda: hands(reason=[None] * 4), r"column 'reason', row 2: None is no reason"),
    "shape": (
        lambda: hands(visible=np.ones((4, 16), bool)),
        r"column 'visible': shape \(4, 16\), \(N, 17\) is needed",
    ),
    "rows": (lambda: hands(source=["x"] * 3), r"column 'source' has 3 rows, the others have 4"),
    "type": (
        lambda: trajectory(tick=[0.0, 1.0, 2.0, 3.0]),
        r"column 'tick': values are float64, int64 is needed",
    ),
    "range": (
        lambda: trajectory(map_id=np.array([0, 0, 2**31, 0])),
        r"column 'map_id', row 2: 2147483648 does not fit int32",
    ),
    "twin": (
        lambda: trajectory(world_from_head_valid=None),
        r"column 'world_from_head' is given without 'world_from_head_valid'",
    ),
    "twin alone": (
        lambda: hands(aperture_m_valid=np.ones(4, bool)),
        r"column 'aperture_m' is left out but 'aperture_m_valid' is given",
    ),
    "twin type": (
        lambda: trajectory(world_from_head_valid=np.ones(4)),
        r"column 'world_from_head_valid': float64 \(4,\), bool",
    ),
    "tracked": (
        lambda: trajectory(world_from_head_valid=np.zeros(4, bool), reason=["x"] * 4),
        r"column 'tracked', row 0: True is tracked, but has no pose",
    ),
    "null text": (lambda: hands(source=["a", None, "b", "c"]), r"'source', row 1: None is not str"),
    "negative frame": (
        lambda: Frames(stream=["head"], frame_index=[-1], pts=[0], timestamp_ns=[0], reason=[None]),
        r"column 'frame_index', row 0: -1 is negative in a good frame",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_refused(name):
    build, message = BAD[name]
    with pytest.raises(BadInputError, match=message):
        build()


def segments(**changes):
    columns = {
        "id": ["a", "b"], "track": ["left", "episode"], "start_ns": [0, 0], "end_ns": [5, 9],
        "text": ["pick", ""], "verb": ["", ""], "object": ["", ""], "author": ["anna", "motion"],
        "author_kind": ["human", "machine"], "state": ["reviewed", "proposed"],
        "confidence": [0.0, 0.5], "confidence_valid": [False, True], "success": [None, np.True_],
        "revision": [0, 1],
    }  # fmt: skip
    return Segments(**{**columns, **changes})


def test_segments():
    table = segments()
    assert table.success.tolist() == [None, True]
    assert table.task.tolist() == [None, None]
    with pytest.raises(BadInputError, match="column 'end_ns', row 1: 0 is not after start_ns"):
        segments(end_ns=[5, 0])
    with pytest.raises(BadInputError, match="column 'id', row 1: a is used twice"):
        segments(id=["a", "a"])
    with pytest.raises(BadInputError, match=f"'middle' is not one of {SEGMENT_TRACKS[0]}"):
        segments(track=["left", "middle"])


def test_frames_of_two_streams_and_bad_frames_rise_apart():
    frames = Frames(
        stream=["head", "head", "left_wrist", "head", "left_wrist"],
        frame_index=[0, 1, 0, 2, 1],
        pts=[0, 1, 0, 2, 1],
        timestamp_ns=[10, 20, 5, 20, 15],
        reason=[None, None, None, "duplicate", None],
    )
    assert len(frames) == 5
    with pytest.raises(BadInputError, match="row 3: 20 is not later"):
        dataclasses.replace(frames, reason=None)


def test_optional_columns_may_be_absent_on_disk(tmp_path):
    folder = SessionFolder(tmp_path)
    trajectory().write(folder)
    file = tmp_path / Trajectory.path
    table = pq.ParquetFile(file).read()
    pq.write_table(table.select([n for n in table.column_names if "wrist" not in n]), file)
    assert not Trajectory.read(folder).world_from_left_wrist_camera_valid.any()


def test_an_optional_sigma_that_is_left_out_is_unbounded_where_there_is_a_pose():
    valid = np.array([True, False, True, True])
    poses = np.tile([0.0, 0, 0, 1, 0, 0, 0], (4, 1))
    table = trajectory(world_from_left_wrist_camera=poses, world_from_left_wrist_camera_valid=valid)
    assert np.isposinf(table.left_wrist_camera_sigma_m[valid]).all()
    assert np.isnan(table.left_wrist_camera_sigma_m[~valid]).all()
    with pytest.raises(BadInputError, match=r"column 'sigma_m', row 0: .* is not finite"):
        trajectory(sigma_m=None)


# damaged files

PROBLEMS = {
    "missing column": (
        lambda t: t.drop_columns(["tick"]),
        "column 'tick' is missing; it has timestamp_ns",
    ),
    "other type": (
        lambda t: t.set_column(0, "tick", pa.array([0.0, 1.0, 2.0, 3.0])),
        "column 'tick' is double, int64 is needed",
    ),
    "null where none may be": (
        lambda t: t.set_column(0, "tick", pa.array([0, 1, None, 3])),
        "column 'tick', row 2: is missing, and may not be",
    ),
    "short vector": (
        lambda t: t.set_column(
            2,
            "world_from_head",
            pa.array([[1.0] * 7, None, [1.0] * 6, None], pa.list_(pa.float64())),
        ),
        "column 'world_from_head' row 2: has 6 entries, 7 are needed",
    ),
    "hole in a vector": (
        lambda t: t.set_column(
            2,
            "world_from_head",
            pa.array([[1.0, None, 1, 1, 1, 1, 1], None, None, None], pa.list_(pa.float64())),
        ),
        "column 'world_from_head' holds a vector with a missing entry",
    ),
    "backwards": (
        lambda t: t.set_column(1, "timestamp_ns", pa.array([0, 5, 4, 9])),
        "column 'timestamp_ns', row 2: 4 is not later",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_wrong_files_are_refused_by_name(name, tmp_path):
    change, message = PROBLEMS[name]
    folder = SessionFolder(tmp_path)
    trajectory().write(folder)
    file = tmp_path / Trajectory.path
    pq.write_table(change(pq.ParquetFile(file).read()), file)
    with pytest.raises(BadInputError) as caught:
        Trajectory.read(folder)
    assert str(caught.value).startswith(f"{file}: column")
    assert message in str(caught.value)


@pytest.mark.parametrize("keep", [0, 3, 200, -1])
def test_cut_off_files_are_refused(tmp_path, keep):
    folder = SessionFolder(tmp_path)
    trajectory().write(folder)
    file = tmp_path / Trajectory.path
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(BadInputError, match=r"trajectory\.parquet: not a readable Parquet file"):
        Trajectory.read(folder)


def test_flipped_bits_never_pass(tmp_path):
    """Any byte of the data pages changed: refused, by checksum, structure or value."""
    folder = SessionFolder(tmp_path)
    poses = np.tile([1.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.0], (4, 1))
    poses[:, 0] = np.random.default_rng(0).normal(size=4)
    trajectory(world_from_head=poses).write(folder)
    file = tmp_path / Trajectory.path
    good = file.read_bytes()
    start = good.find(np.float64(poses[0, 0]).tobytes()[:4])
    offsets = [start] if start > 0 else range(60, 400, 17)
    for offset in offsets:
        bad = bytearray(good)
        bad[offset] ^= 0x10
        file.write_bytes(bytes(bad))
        with pytest.raises(BadInputError):
            Trajectory.read(folder)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"hands/hands\.parquet: cannot read: no such file"):
        Hands.read(SessionFolder(tmp_path))


def test_killed_while_writing_a_table(tmp_path):
    folder = SessionFolder(tmp_path)
    Imu(imu=["i"], timestamp_ns=[1], gyro_rad_s=[[1, 2, 3]], accel_m_s2=[[0, 0, 9.8]]).write(folder)
    code = f"""
        import os, signal
        import pyarrow.parquet as pq
        from core.session.storage import SessionFolder
        from core.session.tables import Imu
        whole = pq.write_table
        def half(table, path, **options):
            whole(table, path, **options)
            data = open(path, "rb").read()
            open(path, "wb").write(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        pq.write_table = half
        Imu.empty().write(SessionFolder({str(tmp_path)!r}))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert len(Imu.read(folder)) == 1
    assert folder.ls() == [Imu.path]
    assert len(os.listdir(tmp_path / "capture")) == 2


def test_every_table_has_its_own_place():
    assert len({kind.path for kind in TABLES}) == len(TABLES) == 10
    assert {Detections, MapPoints, Redactions} < set(TABLES)
    assert SIDES == ("left", "right")
