"""Distances carried to frames that only the head saw: its guesses are not carried on."""

from dataclasses import replace

import numpy as np
import pytest

from hands.cameras import carried as room
from hands.cameras.carried import carried, distances
from hands.config import HandsConfig
from hands.model.poses import HandPoses
from hands.model.proportions import hand_shape
from hands.model.uncertainty import Sigmas
from hands.reconstruct import HandTrack

TICKS, GUESSED = 60, slice(20, 30)
SHAPE = hand_shape(190.0)


class Told:
    """Evidence as far as `carried` asks: others tell of the first half, the head of all."""

    def __init__(self):
        self.read = np.ones(TICKS, bool)
        self.twice = np.arange(TICKS) < 30
        self.distance = np.full(TICKS, np.nan)
        self.distance_sigma = np.full(TICKS, np.inf)

    def __getitem__(self, rows):
        return self


@pytest.mark.parametrize("known", [True, False])
def test_a_guess_of_the_head_is_not_carried_on(known, monkeypatch):
    position = np.tile([0.0, 0.0, 0.4], (TICKS, 1))
    angles = np.zeros((TICKS, 21))
    poses = HandPoses(np.tile(np.eye(3), (TICKS, 1, 1)), position, angles)
    true = replace(poses, position=position.copy())
    poses.position[GUESSED, 2] += 0.06  # seen too far, half out of the picture
    sigma = np.full(TICKS, 0.025)
    if not known:
        sigma[GUESSED] *= 10
    states = np.full(TICKS, "measured", object)
    sigmas = Sigmas(*np.zeros((4, TICKS, 1)), sigma)
    track = HandTrack(poses, states, states, np.zeros(TICKS), sigmas)
    monkeypatch.setattr(
        room, "fitted_apart", lambda _, start, *__, **___: (_like(start, true), None)
    )
    monkeypatch.setattr(room, "replace", lambda _, **columns: columns)
    found = carried(Told(), track, SHAPE, times_s=np.arange(TICKS) / 30, config=HandsConfig())
    off = found["distance"][30:] * SHAPE.length_m / distances(true, SHAPE)[30:] - 1
    assert (np.abs(off).max() < 0.01) == (not known)


def _like(start, true):
    return true.rows(np.arange(len(start.position)))
