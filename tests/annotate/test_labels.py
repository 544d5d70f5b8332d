"""People's labels: what is taken, and the one clear line for everything else."""

import json

import pytest

from annotate.label_store import IMPORTED, import_labels, read_labels
from annotate.labels import check_labels, parse_labels
from core.errors import BadInputError

HEADER = "track,start_s,end_s,text,task,success\n"
SECOND = 1_000_000_000


def parse(rows: str, name: str = "labels.csv"):
    return parse_labels(rows.encode(), name, origin_ns=0)


def test_a_row_becomes_a_label_in_nanoseconds():
    (label,) = parse_labels(
        (HEADER + 'left,0.1,2.5,"put the egg, the brown one, down",,\n').encode(),
        "labels.csv",
        origin_ns=7,
    )
    assert (label.track, label.start_ns, label.end_ns) == ("left", 100_000_007, 2_500_000_007)
    assert label.text == "put the egg, the brown one, down"
    assert label.success is None


def test_json_and_csv_say_the_same():
    rows = [{"track": "both", "start_s": 1, "end_s": 2, "text": "fold", "success": True}]
    (from_json,) = parse(json.dumps({"labels": rows}), "a.json")
    (from_csv,) = parse("track,start_s,end_s,text,success\nboth,1,2,fold,true\n", "a.csv")
    assert from_json.success is True
    assert vars(from_json) | {"source": ""} == vars(from_csv) | {"source": ""}


def test_an_episode_may_carry_only_its_task():
    (label,) = parse(HEADER + "episode,0,5,,sort eggs,true\n")
    assert (label.text, label.task, label.success) == ("sort eggs", "sort eggs", True)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("nose,0,1,x,,\n", "line 2: track 'nose'; use one of episode"),
        ("left,zero,1,x,,\n", "line 2: start_s is 'zero'; write a number"),
        ("left,nan,1,x,,\n", "write a finite number"),
        ("left,2,1,x,,\n", "ends 1 s before"),
        ("left,0,1,,,\n", "line 2: empty text on track 'left'"),
        ("left,0,1,x,,maybe\n", "success is 'maybe'; use true, false"),
        ("left,0,1,a,b,,c,d\n", "more values than columns"),
    ],
)
def test_bad_rows_are_refused_with_file_row_and_value(rows, says):
    with pytest.raises(BadInputError) as error:
        parse(HEADER + rows)
    assert str(error.value).startswith("labels.csv: line 2: ")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"\xff\xfe\x00", "labels.csv", "not UTF-8"),
        (b"track,text\nleft,x\n", "labels.csv", "column 'start_s' is missing"),
        (b"track,start_s,end_s,text,colour\n", "labels.csv", "unknown column 'colour'"),
        (b"{", "labels.json", "line 1: not JSON"),
        (b"3", "labels.json", "expected a list"),
        (b"", "labels.txt", "read from .csv or .json"),
    ],
)
def test_files_that_hold_no_labels_are_refused(data, name, says):
    with pytest.raises(BadInputError, match=says):
        parse_labels(data, name, origin_ns=0)


def test_overlaps_on_one_track_are_refused_and_touching_is_fine():
    touching = parse(HEADER + "left,0,1,a,,\nleft,1,2,b,,\nright,0.5,1.5,c,,\n")
    assert len(check_labels(touching, start_ns=0, end_ns=2 * SECOND)) == 3
    overlapping = parse(HEADER + "left,0,1.2,a,,\nleft,1,2,b,,\n")
    with pytest.raises(BadInputError, match=r"line 3: overlaps line 2 on track 'left' by 0\.200 s"):
        check_labels(overlapping, start_ns=0, end_ns=2 * SECOND)


def test_times_outside_the_recording_are_refused_and_a_hair_is_clipped():
    labels = parse(HEADER + "left,0,2.05,a,,\n")
    (clipped,) = check_labels(labels, start_ns=0, end_ns=2 * SECOND, edge_ns=SECOND // 10)
    assert clipped.end_ns == 2 * SECOND
    with pytest.raises(BadInputError, match="outside the recording"):
        check_labels(labels, start_ns=0, end_ns=2 * SECOND)


def test_import_replaces_its_tracks_and_keeps_the_others(session, tmp_path):
    session.write_bytes("raw/labels.csv", b"track,start_s,end_s,text\nleft,1,2,rig\n")
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("track,start_s,end_s,text\nleft,1,2,pick\nright,7,9,place\n", "utf-8")
    second.write_text("track,start_s,end_s,text\nright,7,8,push\n", "utf-8")
    assert import_labels(session, first) == {"left": 1, "right": 1}
    import_labels(session, second)
    assert sorted((x.track, x.text) for x in read_labels(session)) == [
        ("left", "pick"),
        ("right", "push"),
    ]


def test_a_refused_import_changes_nothing(session, tmp_path):
    late = tmp_path / "late.csv"
    late.write_text("track,start_s,end_s,text\nleft,1,99,pick\n", "utf-8")
    with pytest.raises(BadInputError, match=r"late.csv: line 2: 1.000 to 99.000 s lies outside"):
        import_labels(session, late)
    assert not session.exists(IMPORTED)


def test_import_before_capture_names_the_cure(session, tmp_path):
    session.remove("capture/ticks.parquet")
    with pytest.raises(BadInputError, match="--until capture"):
        import_labels(session, tmp_path / "a.csv")
