"""Evaluation on a session whose errors are known exactly."""

import json
import math

import numpy as np
import pytest

from app.cli import main
from app.evaluate import evaluate
from app.evaluate.figures import Figure, as_text
from app.evaluate.hands import compare_hands
from app.matching import match_times
from core.errors import BadInputError
from core.geometry.landmarks import FLIPPED_SIDE
from core.session.layout import HANDS
from core.session.tables import EndEffectors, Hands


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
    palms = EndEffectors.read(session), EndEffectors.read(session, "truth")
    sides = np.array([FLIPPED_SIDE[side] for side in hands.side], dtype=object)
    order = np.argsort(sides, kind="stable")
    columns = {name: getattr(hands, name)[order] for name in hands.__dict__}
    swapped = Hands(**columns | {"side": sides[order]})
    comparison = compare_hands((swapped, truth), palms)
    assert comparison.swapped == len(comparison.landmarks) == 162


def test_without_hands_there_are_no_errors_of_hands(handless):
    found = values(handless)
    assert found["hands", "found"] == 0.0
    assert math.isnan(found["hands", "MPJPE"])
    assert math.isnan(found["hands", "palm rotation"])


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
    assert "ATE RMSE" in capsys.readouterr().out
    assert main(["evaluate", session.url, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["session"] == "anna-0001"
    assert len(document["figures"]) == 21
