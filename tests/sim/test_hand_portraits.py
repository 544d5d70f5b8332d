"""Hands of other people's proportions, for the time of a scene."""

import numpy as np
import pytest

from sim.hand.skeleton import SHAPES, posture
from sim.hand_portraits import proportioned


def _palm_share() -> float:
    joints = posture(np.zeros((1, 5)), side="right").joints[0]
    palm = np.linalg.norm(joints[11])  # middle MCP
    return float(palm / (palm + sum(SHAPES["middle"].lengths)))


def test_proportions_differ_from_scene_to_scene_and_come_back():
    before = _palm_share()
    shares = []
    for seed in range(12):
        with proportioned(np.random.default_rng(seed)):
            shares.append(_palm_share())
    assert 0.005 < np.std(shares) < 0.05
    assert _palm_share() == before


def test_proportions_come_back_after_an_error():
    before = dict(SHAPES)
    with pytest.raises(ZeroDivisionError), proportioned(np.random.default_rng(0)):
        raise ZeroDivisionError
    assert before == SHAPES
