"""An operator's hand from several sessions: nearer to the truth than one, kept, and used."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.cli import main
from core.errors import BadInputError
from core.session.info import UNNAMED, Operator
from core.session.layout import HANDS_REPORT, OPERATORS, SESSION_JSON
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Detections
from hands.config import HandsConfig
from hands.model.proportions import hand_shape
from hands.operator_hand import OperatorHand, kept_hand, operator_hand
from hands.stage import HANDS

CONFIG = HandsConfig(lifter=False, contact_sheet=False)
OWN = {4: 1.10, 0: 0.92}  # little finger and thumb beside the average person's


@pytest.fixture
def seen(make_session, blank, camera, hand, write_detections, rng):
    """A session in which this person's right hand was seen in 40 postures, hands done."""

    def of(root, *, hand_length_mm=None, scale=1.0):
        folder = make_session(
            root, blank(40, camera.size_wh), camera=camera, hand_length_mm=hand_length_mm
        )
        angles = np.deg2rad(rng.normal(0, 12, (40, 21)))
        angles[:, 5::4] += 0.4
        place = rng.uniform([-0.1, -0.1, 0.4], [0.1, 0.1, 0.6], (40, 3))
        known = hand(position=place, turn=rng.normal(0, 0.3, (40, 3)), angles=angles)
        known = replace(known, joints=known.poses.joints(person(scale)))
        write_detections(folder, known.seen_by(camera, noise_px=1.0, rng=rng))
        HANDS.run(folder, CONFIG, NO_PROGRESS)
        return folder

    return of


def person(scale=1.0):
    shape = hand_shape(185.0 * scale)
    bones = shape.bones_m.copy()
    for finger, factor in OWN.items():
        bones[finger, 1:] *= factor
    return replace(shape, bones_m=bones)


def apart(shape):
    """How far the unusual fingers are from the person's, as a share of their length."""
    ratio = shape.bones_m / shape.bones_m[2].sum()
    true = person().bones_m / person().bones_m[2].sum()
    return max(abs(ratio[f, 1:].sum() / true[f, 1:].sum() - 1) for f in OWN)


def test_several_sessions_tell_more_than_one_and_are_kept(tmp_path, seen):
    sessions = [seen(tmp_path / f"session-{k}", hand_length_mm=185.0) for k in range(3)]
    one, all_three = operator_hand("anna", sessions[:1]), operator_hand("anna", sessions)
    assert apart(all_three.shape) < apart(one.shape) < apart(hand_shape(185.0))
    assert HANDS.outside(sessions[0], CONFIG) == {}
    assert main(["hands", "operator", str(tmp_path)]) == 0
    assert list(HANDS.outside(sessions[0], CONFIG)) == ["operators/anna.json"]
    assert HANDS.outside(sessions[0], replace(CONFIG, kept_hand=False)) == {}
    HANDS.run(sessions[0], CONFIG, NO_PROGRESS)
    report = json.loads(sessions[0].read_bytes(HANDS_REPORT))
    kept = kept_hand(sessions[0], "anna")
    assert report["operator_sessions"] == ["session-0", "session-1", "session-2"]
    assert report["bones_mm"]["pinky"] == pytest.approx(1e3 * kept.shape.bones_m[4], abs=0.06)


def test_a_length_measured_once_counts_in_all_sessions(tmp_path, seen):
    sessions = [seen(tmp_path / "session-0", hand_length_mm=185.0), seen(tmp_path / "session-1")]
    found = operator_hand("anna", sessions)
    assert found.shape.scale_source == "measured"
    assert found.shape.length_m == pytest.approx(0.185)
    longer = found.shape_for(Operator("anna", 190.0))
    assert longer.length_m == pytest.approx(0.190)
    assert longer.bones_m == pytest.approx(found.shape.bones_m * 190 / 185)
    assert operator_hand("anna", sessions[1:]).shape.scale_source == "prior"


def test_what_cannot_be_one_person_is_refused(tmp_path, seen, make_session, blank):
    sessions = [seen(tmp_path / f"session-{n}", hand_length_mm=n) for n in (185.0, 200.0)]
    with pytest.raises(
        BadInputError, match=r"given as 185 in .*session-185.0 and 200 in .*session-200.0;"
    ):
        operator_hand("anna", sessions)
    fresh = make_session(tmp_path / "session-x", blank(2))
    with pytest.raises(BadInputError, match=r"session-x: its hands are not done; run: handoff run"):
        operator_hand("anna", [fresh])


def test_one_persons_trouble_keeps_nobody_elses_hand_back(
    tmp_path, seen, make_session, blank, camera, capsys
):
    seen(tmp_path / "session-0")
    other = make_session(tmp_path / "session-1", blank(2, camera.size_wh), camera=camera)
    document = json.loads(other.read_bytes(SESSION_JSON))
    document["operator"]["name"] = "bob"
    other.write_bytes(SESSION_JSON, json.dumps(document).encode())
    Detections.empty().write(other)
    HANDS.run(other, CONFIG, NO_PROGRESS)
    assert main(["hands", "operator", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "0 hands of bob in 1 sessions; their bones need" in said.err
    assert "anna: 182 ± 12 mm (prior)" in said.out
    assert [path.name for path in (tmp_path / OPERATORS).iterdir()] == ["anna.json"]


def test_a_report_of_another_kind_is_named(tmp_path, seen):
    folder = seen(tmp_path / "session-0")
    folder.write_bytes(HANDS_REPORT, b"{}")
    with pytest.raises(BadInputError, match=r"hands/report.json: 'scale_source' is missing"):
        operator_hand("anna", [folder])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bones_mm": {"thumb": [1, 2, 3]}}, r"'thumb' is \[1, 2, 3\]; a list of 4 numbers"),
        ({"scale_source": "guess"}, "'scale_source' is 'guess'; known are measured, marker"),
        ({"hand_length_mm": 20.0}, "'hand_length_mm' is 20.0; millimetres from 100"),
        ({"hand_length_sigma_mm": -1.0}, "'hand_length_sigma_mm' is -1.0"),
        ({"bones_mm": None}, "'bones_mm' is None"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, change, words):
    operators = SessionFolder(tmp_path / OPERATORS)
    OperatorHand("anna/b", person(), ("session-0",)).write(operators)
    assert OperatorHand.read(operators, "anna/b").shape.bones_known
    path = tmp_path / OPERATORS / "anna%2Fb.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadInputError, match=rf"anna%2Fb\.json.*{words}"):
        OperatorHand.read(operators, "anna/b")


def test_the_folder_of_operators_is_no_session(tmp_path, seen, capsys):
    folder = seen(tmp_path / "session-0")
    OperatorHand("anna", person(), ("session-0",)).write(SessionFolder(tmp_path / OPERATORS))
    assert main(["hands", "operator", folder.url, str(tmp_path / OPERATORS)]) == 0
    assert "anna: 182 ± 12 mm (prior)" in capsys.readouterr().out
    assert main(["hands", "operator", str(tmp_path / OPERATORS)]) == 1
    assert "no session here" in capsys.readouterr().err


def test_sessions_of_nobody_and_unfinished_ones_are_left_out(
    tmp_path, seen, make_session, blank, capsys
):
    seen(tmp_path / "session-0")
    make_session(tmp_path / "session-x", blank(2))
    assert main(["hands", "operator", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "session-x: left out: its hands are not done" in said.err
    assert f"next, so that their sessions use it: handoff run {tmp_path}" in said.out
    nobody = make_session(tmp_path / "session-y", blank(2))
    document = json.loads(nobody.read_bytes(SESSION_JSON))
    document["operator"]["name"] = UNNAMED
    nobody.write_bytes(SESSION_JSON, json.dumps(document).encode())
    assert main(["hands", "operator", nobody.url]) == 1
    assert "no session names its operator" in capsys.readouterr().err
