"""`handoff hands evaluate`: known errors, hands laid on hands, and the real sets."""

import json
import os
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from app.cli import main
from app.evaluate.hand_picture_errors import aligned_errors, hand_errors
from app.evaluate.hand_pictures import Findings, TruthRow, laid_on, reconstructed
from app.quiet import quiet_libraries
from core.geometry.cameras import pinhole
from core.geometry.rotations import matrix_from_rotvec
from hands.detection.views import FoundHand
from hands.model.proportions import hand_shape
from hands.truth_layouts.picture import TrueHand

CAMERA = pinhole(600.0, (640, 480))
MIRROR = np.array([-1.0, 1.0, 1.0])


def flat_hand(at=(0.0, 0.05, 0.45)):
    """A left hand seen from its back, fingers up: 21 joints in the camera."""
    reach = [[0.03, 0.06, 0.085, 0.11], *([0.09, 0.13, 0.155, 0.178],) * 4]
    aside = [0.5, 0.25, 0.05, -0.12, -0.3]  # the thumb of a left hand, seen so, is at the right
    joints = [np.zeros(3)]
    for distances, slope in zip(reach, aside, strict=True):
        along = np.array([slope, -1.0, 0.1]) / np.linalg.norm([slope, -1.0, 0.1])
        joints += [distance * along for distance in distances]
    return np.array(joints) + at


def row(joints, *, side="left", found=True, label=None, number=0):
    """A true hand and a detector that marks it exactly."""
    truth = TrueHand.seen_by(CAMERA, joints, side)
    hand = FoundHand(label or side or "left", 0.9, truth.px, joints - joints.mean(axis=0))
    return TruthRow(number, "picture", CAMERA, truth, hand if found else None)


def figures(rows, joints, **findings):
    findings = Findings(rows, pictures=len(rows), complete=len(rows), **findings)
    return {f.name: f.value for f in hand_errors(rows, np.array(joints)).figures(findings)}


def test_a_hand_one_centimetre_off():
    true = flat_hand()
    found = figures([row(true)], [true + np.array([0.0, 0.006, 0.008])])
    assert found["MPJPE"] == pytest.approx(10.0)
    assert found["palm position"] == pytest.approx(10.0)
    for name in ("MPJPE wrist-relative", "MPJPE Procrustes", "palm rotation", "pixel error"):
        assert found[name] == pytest.approx(0.0, abs=1e-4)


def test_a_hand_turned_and_too_large():
    true = flat_hand()
    turn = matrix_from_rotvec([0.0, np.radians(20.0), 0.0])
    wrong = (true - true[0]) @ turn.T * 1.2 + true[0]
    found = figures([row(true)], [wrong])
    assert found["MPJPE Procrustes"] == pytest.approx(0.0, abs=1e-6)
    assert found["palm rotation"] == pytest.approx(20.0)
    assert found["MPJPE"] == pytest.approx(found["MPJPE wrist-relative"])


def test_what_was_not_found_or_called_wrong_is_counted_and_not_averaged():
    true = flat_hand()
    nothing = np.full((21, 3), np.nan)
    rows = [row(true), row(true, found=False), row(true, label="right"), row(true, side=None)]
    found = figures(rows, [true + 0.001, nothing, true + 0.001, true + 0.001], invented=3)
    assert found["found"] == pytest.approx(3 / 4)
    assert found["side is right"] == pytest.approx(1 / 2)
    assert found["invented"] == 3
    assert found["MPJPE"] == pytest.approx(np.sqrt(3))


def test_one_depth_for_all_wrists():
    near, far = flat_hand(), flat_hand(at=(0.0, 0.05, 0.65))
    rows = [row(near), row(far)]
    found = figures(rows, [near * (0.55 / 0.45), far * (0.55 / 0.65)])
    assert found["MPJPE at one depth"] == pytest.approx(found["MPJPE"])
    assert figures(rows, [near, far])["MPJPE at one depth"] == pytest.approx(found["MPJPE"])


def test_joints_that_a_set_lacks_are_left_out():
    true = flat_hand()
    true[1] = np.nan
    true[4] = np.nan
    wrong = 1.1 * flat_hand()
    errors = hand_errors([row(true)], wrong[None])
    assert np.isnan(errors.absolute[0, [1, 4]]).all()
    assert np.isfinite(errors.absolute).sum() == 19
    np.testing.assert_allclose(errors.aligned[0, [0, 5, 20]], 0.0, atol=1e-12)
    assert errors.per_joint()["thumb_cmc"]["absolute"] is None
    few = np.full((1, 21, 3), np.nan)
    few[0, :3] = true[[0, 5, 9]]
    assert np.isnan(aligned_errors(wrong[None], few)).all()  # three points fit anything


def test_found_hands_are_laid_on_the_nearest_true_ones():
    one = row(flat_hand(at=(-0.12, 0.05, 0.45)))
    two = row(flat_hand(at=(0.12, 0.05, 0.45)))
    truths = [one.truth, two.truth]
    assert laid_on([two.found, one.found], truths) == [1, 0]
    assert laid_on([one.found], truths) == [0, -1]
    assert laid_on([], truths) == [-1, -1]
    elsewhere = replace(one.found, raw21_px=one.found.raw21_px + np.array([0.0, 300.0]))
    assert laid_on([elsewhere], [one.truth]) == [-1]


def test_a_right_hand_is_reconstructed_as_a_left_one_in_the_mirror():
    left = flat_hand(at=(0.05, 0.05, 0.45))
    rows = [row(left), row(left * MIRROR, side="right"), row(left, found=False)]
    joints = reconstructed(rows, hand_shape(None))
    np.testing.assert_allclose(joints[1], joints[0] * MIRROR, atol=1e-6)
    assert np.isnan(joints[2]).all()
    palm_m = np.linalg.norm(joints[0, 9] - joints[0, 0])
    assert 0.07 < palm_m < 0.11
    assert np.linalg.norm(joints[0] - left, axis=1).mean() < 0.04


def test_handgraph_as_people_measure_it(recordings, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    folder = str(recordings / "hands3d_handgraph")
    words = ["hands", "evaluate", folder, "--limit", "12", "--json", "--sheet", str(sheet)]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["layout"], document["pictures"]) == ("handgraph", 12)
    found = {figure["name"]: figure["value"] for figure in document["figures"]}
    assert found["found"] >= 0.9
    assert found["side is right"] >= 0.9
    assert found["MPJPE wrist-relative"] < 25
    assert found["MPJPE Procrustes"] < 12
    assert found["palm rotation"] < 25
    assert len(document["joints_mm"]) == 21
    assert document["joints_mm"]["wrist"]["relative"] == pytest.approx(0.0)
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_freihand_pictures_without_depth(recordings, capsys):
    assert main(["hands", "evaluate", str(recordings / "hands3d_freihand")]) == 0
    shown = capsys.readouterr().out
    assert "keypoints, 8 of 8 pictures" in shown
    assert "pixel error" in shown
    assert "MPJPE" not in shown


def test_a_folder_of_nothing_is_one_line(tmp_path, capsys):
    assert main(["hands", "evaluate", str(tmp_path)]) == 1
    assert "no data set whose layout is known" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--hand-length-mm", "0.19"], "'0.19': give millimetres from the wrist crease"),
        (["--sheet", "sheet.jpg"], "sheet.jpg: the sheet is a picture; give a name ending in .png"),
        (["--layout", "handgraph", "--split", "test"], "has no parts; leave out --split test"),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(tmp_path, capsys, given, words):
    with suppress(SystemExit):  # of argparse
        assert main(["hands", "evaluate", str(tmp_path), *given]) == 1
    assert words in capsys.readouterr().err


def test_libraries_are_quiet_and_python_is_not(capfd):
    with quiet_libraries():
        os.write(2, b"noise of a library")
        with pytest.raises(BrokenPipeError):
            raise BrokenPipeError
    os.write(2, b"a word of ours")
    assert capfd.readouterr().err == "a word of ours"


def test_layouts_on_the_command_line_are_those_there_are():
    from app.commands.hands import KINDS
    from hands.truth_layouts.layouts import LAYOUTS

    assert set(KINDS) == set(LAYOUTS)


@pytest.mark.parametrize("room", ["slam", "hands"])
def test_the_pages_of_evaluate_teach(room, capsys):
    with pytest.raises(SystemExit):
        main([room, "evaluate", "--help"])
    page = capsys.readouterr().out
    assert f"example:\n  handoff {room} evaluate" in page
    assert max(len(line) for line in page.splitlines()) <= 100


def test_without_a_verb_the_page_is_shown(capsys):
    assert main(["hands"]) == 2
    assert "handoff hands evaluate" in capsys.readouterr().out
