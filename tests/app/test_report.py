"""The page: self-contained, escaped, with the numbers of the files."""

import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest

from app.cli import main
from app.hand_figures import hand_figures
from app.report import write_report
from app.report.errors_table import as_text, rows_of
from app.report.motion import _titles, _tracks
from app.report.overlay import window_around
from app.report.training_part import training_part, verdict
from app.scene import Scene
from core.errors import BadInputError
from core.geometry.cameras import pinhole
from core.session.documents import write_document
from core.session.layout import HANDS_REPORT, SLAM_REPORT
from core.session.marks import Mark, hashes_of, write_mark

HAND_ROW = re.compile(r"^  (\S.*?)   +(\S.*?)   +(\S.*)$", re.MULTILINE)


@pytest.fixture
def page(session, tmp_path) -> str:
    return write_report([session], tmp_path / "page.html").read_text("utf-8")


def test_the_page_needs_nothing_from_elsewhere(page):
    addresses = re.findall(r"(?:src|href)=\"([^\"]*)\"", page)
    assert len(addresses) >= 9 + 4
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert "<script" not in page
    assert "url(" not in page


def test_words_from_outside_are_escaped(page):
    assert "put the &lt;b&gt;brown&lt;/b&gt; egg &amp; the cup down" in page
    assert "<b>brown" not in page
    assert "sort &lt;eggs&gt;" in page


def test_the_page_says_what_the_session_is(page):
    for words in ("anna-0001", "usable, with losses", "head: a bit dark", "no redactor", "185 mm"):
        assert words in page
    assert "90 % (not seen)" in page.replace('<span class="note">', "").replace("</span>", "")
    assert "93 %" in page
    assert "boundaries were proposed by machine" in page


def test_hands_are_told_in_numbers(session, page, capsys):
    assert main(["hands", "report", session.url]) == 0
    said = capsys.readouterr().out
    for words in (
        "hand length 185 ± 2 mm, as measured with a ruler",
        "of 170 detections 7 left out (4 duplicate, 3 bystander), 1 given the other side",
        "left_wrist: located in 50 % of the frames; of 72 looks for a hand 24 used, 48 not",
        "right_wrist: not used: its place is not known",
    ):
        assert words in said
        assert words in page
    rows = {name.strip(): values for name, *values in HAND_ROW.findall(said)}
    assert rows["measured"] == ["90 %", "90 %"]
    assert rows["missing: not seen"] == ["10 %", "10 %"]
    assert rows["landmarks inside the picture"] == ["99.5 %", "99.5 %"]
    assert rows["palm jitter while calm: mm · °"] == ["none", "none"]
    assert rows["thumb to index tip, mm: 5 · 50 · 95 %"] == ["71.3 · none · 89.9"] * 2
    assert re.search(r"reprojection, px: median · 95 %</td><td class=\"n\">4.6 · 15.98</td>", page)


def test_what_only_some_sources_tell_is_told_of_them(session, tmp_path):
    report = json.loads(session.read_bytes(HANDS_REPORT))
    assert "beside a marker" not in hand_figures(session).as_text()
    for hand in report["hands"].values():
        hand |= {"detected_share": 0.8, "from_detections_palms_median": 0.25}
    marker = {"length_mm": 187.2, "sigma_mm": 2.1, "pictures": 14}
    report |= {"source_rate_hz": 10.0, "scale_source": "aria_mps", "hand_length_sigma_mm": None}
    write_document(session, HANDS_REPORT, {**report, "beside_marker": marker})
    said = hand_figures(session)
    assert said.about[:3] == [
        "hands from mediapipe at 10 Hz",
        "hand length 185 mm, as aria_mps has it",
        "beside a marker 187 ± 2 mm, of 14 pictures",
    ]
    assert said.rows[-1] == ("apart from those, in palm lengths: median", "0.25", "0.25")
    write_document(session, HANDS_REPORT, {"hands": report["hands"]})
    with pytest.raises(BadInputError, match=r"hands/report.json: has no 'ticks'; run: handoff run"):
        hand_figures(session)
    write_mark(session, "hands", Mark("hands", 1, {}, {}, hashes_of(session, [HANDS_REPORT])))
    page = write_report([session], tmp_path / "page.html").read_text("utf-8")
    assert "has no &#39;ticks&#39;; run: handoff run" in page


def test_hands_that_are_not_done_are_named(session, capsys):
    session.remove("hands/_done.hands.json")
    assert main(["hands", "report", session.url]) == 1
    assert "hands/report.json: no finished stage made this file; run: handoff run" in (
        capsys.readouterr().err
    )


def test_paths_of_two_maps_are_not_joined(session):
    scene = Scene.read(session)
    second = np.arange(len(scene.trajectory)) >= 50
    parts = replace(scene.trajectory, map_id=second.astype(np.int32))
    places = [_tracks(one)["head"][0] for one in (scene, replace(scene, trajectory=parts))]
    known = [np.isfinite(place).all(axis=1) for place in places]
    assert np.flatnonzero(known[0] & ~known[1]).tolist() == [np.flatnonzero(known[0][50:])[0] + 50]
    np.testing.assert_array_equal(places[0][known[1]], places[1][known[1]])
    write_document(session, SLAM_REPORT, {"scale_source": "imu", "gravity_source": "imu"})
    assert _titles(scene) == ("from above", "height")
    write_document(session, SLAM_REPORT, {"scale_source": "unknown", "gravity_source": "none"})
    apart = "x and y, up unknown; 2 maps that share no place"
    assert _titles(replace(scene, trajectory=parts)) == (apart, "z, up unknown")


def test_palms_have_no_place_in_a_map_without_metres(session, tmp_path):
    assert set(_tracks(Scene.read(session))) == {"head", "left palm", "right palm"}
    write_document(session, SLAM_REPORT, {"scale_source": "unknown", "gravity_source": "none"})
    assert set(_tracks(Scene.read(session))) == {"head"}
    page = write_report([session], tmp_path / "page.html").read_text("utf-8")
    assert "so the palms, which are in metres, are left out" in page


def test_truth_figures_are_those_of_evaluate(page):
    assert re.search(r"<td>MPJPE</td><td class=\"n\">10.0 mm</td>", page)
    assert re.search(r"<td>found</td><td class=\"n\">90.0 %</td>", page)


def test_a_session_with_capture_alone_has_a_page(session, tmp_path):
    for path in [*session.ls("hands"), *session.ls("slam"), *session.ls("annotate")]:
        session.remove(path)
    page = write_report([session], tmp_path / "page.html").read_text("utf-8")
    assert "no head path" in page
    assert "Against the truth" not in page


def test_a_session_in_which_no_hand_was_found_has_a_page(handless, tmp_path):
    page = write_report([handless], tmp_path / "page.html").read_text("utf-8")
    assert page.count("left missing (not seen) · right missing (not seen)") >= 9
    assert re.search(r"<td>MPJPE</td><td class=\"n\">none</td>", page)


def test_the_command_writes_the_page_where_it_is_told(session, tmp_path, capsys):
    out = tmp_path / "deep" / "page.html"
    assert main(["report", session.url, "--out", str(out)]) == 0
    assert out.stat().st_size > 20_000
    assert str(out) in capsys.readouterr().out


def test_nothing_to_report_on_is_said(capsys):
    assert main(["report"]) == 1
    assert "name a session folder" in capsys.readouterr().err


def test_the_window_holds_all_hands_and_stays_in_the_view():
    camera = pinhole(100.0, (200, 100))
    corner = np.array([[[0.9, 0.4, 1.0], [0.6, 0.1, 1.0]]])
    x0, y0, x1, y1 = window_around(camera, [corner])
    assert 0 <= x0 < 159 < 189 < x1 <= 200
    assert 0 <= y0 < 59 < 89 < y1 <= 100
    assert window_around(camera, [corner * np.nan]) == (0, 0, 200, 100)


def errors(scale: float) -> dict:
    figures = {"mean": 10.0 * scale, "final": 20.0 * scale, "steps": 5, "chunks": 1}
    return {"arms": {"position_mm": figures}, "left": {"position_mm": figures}}


def write_run(root):
    """A run folder as training leaves it: two embodiments, one prediction."""
    (root / "predictions").mkdir(parents=True)
    chunk = {"steps": 4, "duration_s": 1.0, "reference": "chunk_head"}
    config = {"datasets": ["a/people"], "policy": "small", "chunk": chunk, "batch": 8}
    (root / "config.json").write_text(json.dumps(config), "utf-8")
    lines = [
        {"step": step, "loss": {"human": 1 / step, "robot": 2 / step}, "seconds": step / 2.0}
        for step in (10, 20, 30)
    ]
    lines[-1]["held_out_loss"] = {"human": 0.5}
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (root / "log.jsonl").write_text(text + '{"step": 40, "lo', "utf-8")
    report = {
        "errors": {"policy": errors(0.5), "still": errors(1.0), "neighbour": errors(0.8)},
        "embodiment": "human",
        "frames": "held_out",
        "count": 3,
        "samples_averaged": 8,
        "chunk": chunk,
        "dataset": "nowhere/people",
        "held_out": {"protocol": "blocks of time"},
    }
    (root / "predictions" / "people.json").write_text(json.dumps(report), "utf-8")
    zeros = np.zeros((3, 4, 32), dtype=np.float32)
    np.savez(
        root / "predictions" / "people.npz",
        row=np.arange(3),
        episode=np.zeros(3, int),
        tick=np.arange(3),
        predicted=zeros + 0.01,
        true=zeros,
        still=zeros + 0.02,
        neighbour=zeros + 0.03,
        mask=np.ones((3, 4, 32), bool),
        predicted_in_head=np.zeros((3, 2, 4, 7)),
        true_in_head=np.zeros((3, 2, 4, 7)),
        arm_valid=np.ones((3, 2, 4), bool),
    )
    return root


def test_a_training_run_alone_makes_a_page(tmp_path):
    run = write_run(tmp_path / "first")
    page = write_report([], tmp_path / "page.html", run_folder=run).read_text("utf-8")
    assert "Training: first" in page
    assert "The policy is 5.0 mm off, 38 % less than the nearest training frame (8.0 mm)." in page
    assert '<td>both arms, position</td><td>mean of all steps</td><td class="n best">5 mm' in page


def test_a_torn_log_line_is_left_out(tmp_path):
    part = training_part(write_run(tmp_path / "first"))
    assert ("steps", "30") in part.facts


def test_predictions_older_than_the_training_say_so(tmp_path):
    run = write_run(tmp_path / "first")
    assert "predict again" not in training_part(run).predictions[0].protocol
    later = (run / "predictions" / "people.json").stat().st_mtime_ns + 1_000_000_000
    os.utime(run / "log.jsonl", ns=(later, later))
    assert "predict again" in training_part(run).predictions[0].protocol


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="a training run"):
        training_part(tmp_path)


def test_the_verdict_says_so_when_a_baseline_wins():
    report = {"errors": {"policy": errors(2), "still": errors(1), "neighbour": errors(3)}}
    assert verdict(rows_of(report)) == (
        "The policy is 20.0 mm off; staying still does better with 10.0 mm."
    )
    report |= {"embodiment": "human", "count": 3, "frames": "held_out"}
    assert "neighbour" in as_text(report)
