"""The stage, and what the machine proposes for motion that is known."""

from dataclasses import replace

import numpy as np
import pytest

from annotate.config import AnnotateConfig
from annotate.label_store import IMPORTED, import_labels
from annotate.motion import Motion, episodes, movements, palm_motion
from annotate.stage import ANNOTATE
from core.errors import BadInputError
from core.session.documents import write_document
from core.session.layout import SLAM_REPORT
from core.session.marks import remove_mark
from core.session.stage import NO_PROGRESS
from core.session.tables import EndEffectors, Segments, Trajectory

CONFIG = AnnotateConfig()


def run(session) -> Segments:
    ANNOTATE.run(session, CONFIG, NO_PROGRESS)
    return Segments.read(session)


def spans_s(segments: Segments, track: str) -> np.ndarray:
    rows = segments.track == track
    return np.stack([segments.start_ns[rows], segments.end_ns[rows]], -1) / 1e9 - 5.0


def test_movements_are_proposed_where_the_hands_move(session):
    segments = run(session)
    np.testing.assert_allclose(spans_s(segments, "left"), [[1.0, 2.5], [4.0, 6.0]], atol=0.35)
    np.testing.assert_allclose(spans_s(segments, "right"), [[7.0, 9.0]], atol=0.35)
    np.testing.assert_allclose(spans_s(segments, "episode"), [[1.0, 9.0]], atol=0.35)


def test_proposals_say_that_they_are_and_invent_no_words(session):
    segments = run(session)
    assert set(segments.author_kind) == {"machine"}
    assert set(segments.state) == {"proposed"}
    assert set(segments.text) == {""}
    assert segments.confidence_valid.all()
    assert ((segments.confidence >= 0) & (segments.confidence <= 1)).all()


def test_nothing_is_proposed_where_people_labelled(session):
    session.write_bytes("raw/labels.csv", b"track,start_s,end_s,text\nleft,0,3,pick the egg\n")
    segments = run(session)
    left = segments.track == "left"
    assert segments.text[left].tolist() == ["pick the egg"]
    assert segments.author_kind[left].tolist() == ["human"]
    assert segments.state[left].tolist() == ["accepted"]
    assert (segments.track == "right").sum() == 1


def test_a_label_for_both_hands_covers_each(session):
    session.write_bytes("raw/labels.csv", b"track,start_s,end_s,text\nboth,0,3,fold\n")
    assert set(run(session).track) == {"both", "episode"}


def test_a_turning_head_is_no_moving_hand_once_the_trajectory_is_metric(session, ticks, finish):
    """A still hand in the world, seen from a head that moves: only the head frame shows motion."""
    still = np.tile([0.0, 0.0, 0.4], (len(ticks), 1))
    sway = 0.2 * np.sin(np.arange(len(ticks)) / 15.0)[:, None] * [1.0, 0, 0]
    hands = EndEffectors.read(session)
    pose = np.array(hands.head_from_palm)
    pose[:, :3] = np.tile(still - sway, (2, 1))
    replace(hands, head_from_palm=pose).write(session)
    finish(session, "hands", EndEffectors.path)
    trajectory = Trajectory.read(session)
    head = np.array(trajectory.world_from_head)
    head[:, :3] = sway
    replace(trajectory, world_from_head=head).write(session)
    finish(session, "slam", Trajectory.path)
    assert len(run(session)) == 0
    write_document(session, SLAM_REPORT, {"scale_source": "unknown"})
    outcome = ANNOTATE.run(session, CONFIG, NO_PROGRESS)
    assert "head frame" in outcome.warnings[0]
    assert len(Segments.read(session)) > 0


@pytest.mark.parametrize(
    ("missing", "warning"),
    [(("slam",), "in the head frame"), (("slam", "hands"), "no hands: no boundaries are proposed")],
)
def test_people_label_where_stages_before_failed(session, missing, warning):
    """What an earlier run of them left is not trusted."""
    for stage in missing:
        remove_mark(session, stage, stage)
    session.write_bytes("raw/labels.csv", b"track,start_s,end_s,text\nleft,0,3,pick the egg\n")
    outcome = ANNOTATE.run(session, CONFIG, NO_PROGRESS)
    segments = Segments.read(session)
    assert warning in outcome.warnings[0]
    assert "pick the egg" in segments.text
    assert ("machine" in segments.author_kind) == ("hands" not in missing)


def test_labels_are_inputs_so_that_new_ones_make_the_stage_stale(session, tmp_path):
    before = ANNOTATE.inputs(session, CONFIG)
    path = tmp_path / "new.csv"
    path.write_text("track,start_s,end_s,text\nright,7,9,push\n", "utf-8")
    import_labels(session, path)
    assert set(ANNOTATE.inputs(session, CONFIG)) - set(before) == {IMPORTED}
    segments = run(session)
    assert segments.text[segments.track == "right"].tolist() == ["push"]


def test_labels_beyond_the_recording_stop_the_stage(session):
    session.write_bytes("raw/labels.csv", b"track,start_s,end_s,text\nleft,0,99,pick\n")
    with pytest.raises(BadInputError, match=r"raw/labels.csv: line 2: .* outside the recording"):
        run(session)


def test_a_long_movement_is_cut_at_its_deepest_minimum():
    seconds = np.arange(0, 10, 1 / 30)
    speed = 0.3 + 0.1 * np.cos(seconds) - 0.15 * np.exp(-((seconds - 4.0) ** 2) / 0.1)
    first, second = movements(Motion(seconds, speed), AnnotateConfig(max_segment_s=7.0))
    assert first.last == second.first
    assert seconds[first.last] == pytest.approx(4.0, abs=0.1)


def test_an_unseen_hand_has_no_speed_and_short_gaps_are_bridged():
    seconds = np.arange(60) / 30
    palm = np.stack([seconds * 0.5, 0 * seconds, 0 * seconds], -1)
    palm[10:14] = np.nan
    palm[30:50] = np.nan
    motion = palm_motion(seconds, palm, smoothing_s=0.05, max_gap_s=0.3)
    assert np.isnan(motion.speed_m_s[30:50]).all()
    np.testing.assert_allclose(motion.speed_m_s[6:24], 0.5, rtol=1e-3)


def test_long_pauses_separate_episodes_and_short_ones_do_not():
    seconds = np.arange(0, 20, 0.1)
    active = ((seconds > 1) & (seconds < 3)) | ((seconds > 4) & (seconds < 6)) | (seconds > 15)
    cuts = episodes(seconds, active, CONFIG)
    assert [(round(seconds[c.first]), c.last) for c in cuts] == [(1, 60), (15, 200)]


def test_wrong_settings_are_refused():
    with pytest.raises(BadInputError, match=r"annotate.max_segment_s = 0.5"):
        AnnotateConfig(max_segment_s=0.5)
