"""The detection benchmark counts hands that were missed and findings that lie on no hand."""

from types import SimpleNamespace

import numpy as np

from benchmarks.detection import head_figures, longest_run, nearest
from core.geometry.cameras import pinhole

CAMERA = pinhole(500.0, (640, 480))
FLAT = np.random.default_rng(2).uniform(-0.05, 0.05, (21, 3)) * [1, 1, 0]


def truth(places, *, visible):
    """Left hands at places ``(N,3)``, one a tick."""
    points = np.array([FLAT + place for place in places])
    count = len(points)
    return SimpleNamespace(
        tick=np.arange(count),
        side=np.full(count, "left", dtype=object),
        landmarks_in_head=points[:, :17].reshape(count, 51),
        landmarks_in_head_valid=np.ones(count, dtype=bool),
        raw21_in_head=points.reshape(count, 63),
        raw21_in_head_valid=np.ones(count, dtype=bool),
        visible=np.tile(np.array(visible, dtype=bool)[:, None], (1, 17)),
    )


def test_hands_found_missed_hidden_and_findings_astray():
    hands = truth([[0, 0, 0.4]] * 4, visible=[True, True, True, False])
    px = CAMERA.project(hands.raw21_in_head.reshape(-1, 21, 3))[0]
    points = {0: px[:1], 1: np.array([px[1] + 200.0]), 2: np.zeros((0, 21, 2)), 3: px[3:]}
    figures = head_figures(points, hands, CAMERA)
    assert figures["wanted"] == 3
    assert figures["found"] == round(1 / 3, 4)
    assert figures["longest_run_without"] == 2
    assert figures["findings"] == 3
    assert figures["astray"] == round(1 / 3, 4)
    assert figures["on_hidden_hands"] == round(1 / 3, 4)


def test_a_hand_whose_projection_explodes_takes_no_findings():
    px = np.random.default_rng(3).uniform(0, 60, (21, 2))
    truths = np.array([px * 1000.0, px + 10.0, np.full((21, 2), np.nan)])
    palms, hidden = nearest(px, truths, np.array([True, False, True]))
    assert 0 < palms < 0.5
    assert not hidden
    assert nearest(px, truths[2:], np.array([True])) == (np.inf, False)


def test_runs_are_counted_within_a_side():
    wanted = SimpleNamespace(
        tick=np.array([0, 1, 2, 3, 5, 6]), side=np.array(["left"] * 3 + ["right"] * 3, dtype=object)
    )
    assert longest_run(wanted, np.array([True, True, False, True, True, True])) == 2
    assert longest_run(wanted, np.zeros(6, dtype=bool)) == 0
