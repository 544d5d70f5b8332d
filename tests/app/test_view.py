"""The Rerun recording holds what the session holds, and opens again."""

from dataclasses import replace

import numpy as np
import pytest

from app.cli import main
from app.scene import Scene
from app.view import write_recording
from core.errors import BadInputError, MissingExtraError

RrdReader = pytest.importorskip("rerun.experimental", reason="rerun is not installed").RrdReader


def test_a_recording_can_be_read_and_holds_every_part(session, tmp_path):
    path = tmp_path / "deep" / "anna.rrd"
    assert main(["view", session.url, "--save", str(path)]) == 0
    names = set(RrdReader(path).store().schema().entity_paths())
    for name in (
        "/world/head",
        "/world/head/camera",
        "/world/head/hands/left/bones",
        "/world/head/hands/right/joints",
        "/world/head/palm/left",
        "/world/head/truth_right/bones",
        "/world/path/head",
        "/world/path/palm_right",
        "/world/truth/head",
        "/world/map",
        "/labels/left",
        "/speed/right",
        "/seen/left",
    ):
        assert name in names


def test_the_aperture_is_shown_where_it_is_known(session, tmp_path):
    scene = Scene.read(session)
    hands = scene.hands
    known = (hands.side == "right") & (hands.tick % 2 == 0)
    opening = np.where(known, 0.001 * hands.tick, np.nan).astype(np.float32)
    scene = replace(scene, hands=replace(hands, aperture_m=opening, aperture_m_valid=known))
    even = scene.ticks.tick % 2 == 0
    expected = np.where(even, 0.001 * scene.ticks.tick, np.nan)
    np.testing.assert_allclose(scene.aperture_m("right"), expected, atol=1e-6)
    assert np.isnan(scene.aperture_m("left")).all()
    path = write_recording(scene, tmp_path / "anna.rrd")
    assert "/aperture/right" in RrdReader(path).store().schema().entity_paths()


def test_only_finished_stages_are_shown(session, tmp_path):
    session.remove("slam/_done.slam.json")
    scene = Scene.read(session)
    assert scene.trajectory is None
    assert scene.hands is not None


def test_a_session_without_hands_has_a_recording(handless, tmp_path):
    path = tmp_path / "anna.rrd"
    assert main(["view", handless.url, "--save", str(path)]) == 0
    names = set(RrdReader(path).store().schema().entity_paths())
    assert "/world/head/hands/left/bones" not in names
    assert "/world/head/camera" in names


def test_before_capture_there_is_nothing_to_see(session):
    session.remove("capture/_done.capture.json")
    with pytest.raises(BadInputError, match="handoff run"):
        Scene.read(session)


def test_a_missing_extra_names_its_cure(session, tmp_path, monkeypatch):
    from app.view import write_recording

    monkeypatch.setitem(__import__("sys").modules, "rerun", None)
    with pytest.raises(MissingExtraError, match=r"handoff-ego\[view\]"):
        write_recording(Scene.read(session), tmp_path / "x.rrd")


def test_serving_binds_this_machine_alone(monkeypatch, tmp_path):
    from app import view

    seen = []
    monkeypatch.setattr(view, "_rerun", lambda words: seen.append(words) or 0)
    view.serve(tmp_path / "x.rrd", port=9090, grpc_port=9876)
    assert seen[0][seen[0].index("--bind") + 1] == "127.0.0.1"
