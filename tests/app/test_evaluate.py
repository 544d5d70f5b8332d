"""Evaluation on a session whose errors are known exactly."""

import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from app.cli import main
from app.evaluate import evaluate
from app.evaluate.figures import Figure, as_text
from app.evaluate.hands import compare_hands
from app.evaluate.summary import over_all
from app.matching import match_times
from app.report.comparison import trajectory_errors
from core.errors import BadInputError
from core.geometry.landmarks import FLIPPED_SIDE
from core.session.documents import write_document
from core.session.layout import (
    END_EFFECTORS,
    HANDS,
    HANDS_REPORT,
    POINTS,
    SLAM_REPORT,
    TRAJECTORY,
)
from core.session.marks import Mark, hashes_of, write_mark
from core.session.storage import SessionFolder
from core.session.tables import Hands


def values(session) -> dict[tuple[str, str], float]:
    return {(figure.stage, figure.name): figure.value for figure in evaluate(session).figures}


def test_figures_of_a_known_session(session):
    found = values(session)
    assert found["slam", "tracked"] == pytest.approx(84 / 90)
    assert found["slam", "ATE RMSE"] == pytest.approx(0.0, abs=1e-6)
    assert found["slam", "scale error"] == pytest.approx(0.0, abs=1e-9)
    assert found["slam", "gravity error"] == pytest.approx(0.0, abs=1e-4)
    assert found["slam", "rotation error"] == pytest.approx(0.0, abs=1e-4)
    assert found["hands", "found"] == pytest.approx(81 / 90)
    assert found["hands", "MPJPE"] == pytest.approx(10.0, abs=1e-3)
    assert found["hands", "MPJPE wrist-relative"] == pytest.approx(0.0, abs=1e-3)
    assert found["hands", "palm position"] == pytest.approx(10.0, abs=1e-3)
    assert found["hands", "palm rotation"] == pytest.approx(0.0, abs=1e-4)
    assert found["hands", "swapped"] == 0.0
    assert found["hands", "invented"] == 0.0
    assert found["annotate", "proposed boundary F1 at 0.5 s"] > 0.5


def test_swapped_hands_are_counted(session):
    hands, truth = Hands.read(session), Hands.read(session, "truth")
    sides = np.array([FLIPPED_SIDE[side] for side in hands.side], dtype=object)
    order = np.argsort(sides, kind="stable")
    columns = {name: getattr(hands, name)[order] for name in hands.__dict__}
    swapped = Hands(**columns | {"side": sides[order]})
    comparison = compare_hands(swapped, truth)
    assert comparison.swapped == len(comparison.landmarks) == 162


def test_without_hands_there_are_no_errors_of_hands(handless):
    found = values(handless)
    assert found["hands", "found"] == 0.0
    assert math.isnan(found["hands", "MPJPE"])
    assert math.isnan(found["hands", "palm rotation"])


def rewrite_slam_report(session, report) -> None:
    write_document(session, SLAM_REPORT, report)
    outputs = hashes_of(session, [TRAJECTORY, POINTS, SLAM_REPORT])
    write_mark(session, "slam", Mark("slam", 1, {}, {}, outputs, {}, [], 1.0))


@pytest.mark.parametrize(
    ("report", "gone", "left"),
    [
        ({"gravity_source": "imu"}, "ATE RMSE", "gravity error"),
        ({"gravity_source": "imu"}, "RPE over 1 s", "rotation error"),
        ({"scale_source": "imu"}, "rotation error", "scale error"),
        ({"scale_source": "imu"}, "gravity error", "RPE over 1 s"),
    ],
)
def test_what_needs_an_unknown_scale_or_gravity_is_missing(session, report, gone, left):
    rewrite_slam_report(session, report)
    by_name = {f.name: f for f in evaluate(session).figures if f.stage == "slam"}
    assert math.isnan(by_name[gone].value)
    assert "unknown to the estimate" in by_name[gone].note
    assert by_name[left].value == pytest.approx(0.0, abs=1e-4)
    assert by_name["ATE RMSE, scale fitted"].value == pytest.approx(0.0, abs=1e-6)
    assert "position within 1 sigma" not in by_name
    assert trajectory_errors(evaluate(session).trajectory) is None


def test_an_unfinished_table_is_not_measured(session):
    session.remove("hands/_done.hands.json")
    assert session.exists(HANDS)
    assert {figure.stage for figure in evaluate(session).figures} == {"slam"}


def test_without_truth_the_error_says_where_truth_comes_from(session):
    for name in session.ls("truth"):
        session.remove(name)
    with pytest.raises(BadInputError, match="handoff sim record"):
        evaluate(session)


def test_times_match_within_a_quarter_period():
    rows, exact = match_times(np.array([0, 100, 200, 300]), np.array([10, 130, 205]))
    assert rows.tolist() == [0, 2]
    assert exact.tolist() == [0, 2]
    empty = np.zeros(0, dtype=np.int64)
    assert [len(part) for part in match_times(empty, np.array([1]))] == [0, 0]


def test_what_could_not_be_measured_is_none_not_zero():
    figure = Figure("slam", "ATE RMSE", math.nan, "mm")
    assert figure.shown() == "none"
    assert figure.to_dict()["value"] is None
    assert "none" in as_text([figure])


def test_the_command_prints_a_table_and_json(session, capsys):
    assert main(["evaluate", session.url]) == 0
    printed = capsys.readouterr().out
    for words in ("ATE RMSE", "jitter at rest", "position after 1 s", "pinky_tip"):
        assert words in printed
    assert main(["evaluate", session.url, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (one,) = document["sessions"]
    assert one["session"] == "anna-0001"
    assert one["landmarks_mm"]["wrist"]["absolute"] == pytest.approx(10.0, abs=1e-3)
    assert len(one["sigmas"]["expected"]) == len(one["sigmas"]["slam: position"])
    assert len(document["summary"]) == len(one["figures"])


def test_several_sessions_have_a_row_each_and_one_for_all(session, tmp_path, capsys):
    other = SessionFolder(tmp_path / "sessions" / "berta-0002")
    shutil.copytree(session.url, other.url)
    hands = Hands.read(other)
    further = hands.landmarks_in_head + np.tile(np.float32([0.02, 0, 0]), 17)
    replace(hands, landmarks_in_head=further).write(other)  # 30 mm off instead of 10
    outputs = hashes_of(other, [HANDS, END_EFFECTORS, HANDS_REPORT])
    write_mark(other, "hands", Mark("hands", 1, {}, {}, outputs, {}, [], 1.0))
    root = str(tmp_path / "sessions")
    assert main(["evaluate", root]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != "-"] == [
        "session", "anna-0001", "berta-0002", "median", "mean",
    ]  # fmt: skip
    assert main(["evaluate", root, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    both = {(one["stage"], one["name"]): one for one in document["summary"]}
    assert both["hands", "MPJPE"]["mean"] == pytest.approx(20.0, abs=1e-3)
    assert both["hands", "MPJPE"]["note"] == "2 of 2 sessions"


def test_a_session_without_truth_is_left_out_by_name(session, tmp_path, capsys):
    plain = SessionFolder(tmp_path / "sessions" / "carla-0003")
    shutil.copytree(session.url, plain.url)
    for name in plain.ls("truth"):
        plain.remove(name)
    assert main(["evaluate", str(tmp_path / "sessions")]) == 0
    captured = capsys.readouterr()
    assert "ATE RMSE" in captured.out
    assert "carla-0003: left out: no truth" in captured.err
    assert main(["evaluate", plain.url, str(tmp_path / "sessions" / "carla-0003")]) == 1
    assert "handoff sim record" in capsys.readouterr().err


def test_a_figure_that_one_session_lacks_is_averaged_over_the_others():
    parts = [[Figure("slam", "ATE RMSE", value, "mm")] for value in (1.0, 2.0, 6.0, math.nan)]
    ((middle, average),) = over_all(parts)
    assert (middle.value, average.value) == (2.0, 3.0)
    assert middle.note == "3 of 4 sessions"


def test_the_page_has_plots_and_needs_nothing_from_elsewhere(session, tmp_path, capsys):
    out = tmp_path / "errors.html"
    assert main(["evaluate", session.url, "--html", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    page = out.read_text("utf-8")
    assert page.count("data:image/png") == 5
    assert all(
        place.startswith("data:image/") for place in re.findall(r"(?:src|href)=\"([^\"]*)\"", page)
    )
    assert "MPJPE Procrustes" in page


def test_the_page_of_a_session_without_hands_leaves_their_plots_out(handless, tmp_path):
    out = tmp_path / "errors.html"
    assert main(["evaluate", handless.url, "--html", str(out)]) == 0
    assert "Error of each landmark" not in out.read_text("utf-8")
