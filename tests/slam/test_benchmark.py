"""The benchmark's own sums: what it calls an error, and which run of the peer it shows."""

import numpy as np
import pytest

from benchmarks.slam import Peer
from core.geometry.cameras import pinhole
from core.geometry.rotations import matrix_from_rotvec

TRUTH = np.stack([np.linspace(0, 4, 40), np.sin(np.linspace(0, 6, 40)), np.zeros(40)], axis=1)


@pytest.fixture
def peer():
    return Peer(lambda: iter(()), pinhole(300.0, (320, 240)), TRUTH, step=4)


def test_a_moved_scaled_path_has_no_error(peer):
    moved = 0.3 * TRUTH @ matrix_from_rotvec([0.3, 0.2, 0.1]).T + [1.0, 2, 3]
    assert peer.error_of(moved) == 0


def test_only_the_pictures_it_was_given_count(peer):
    other = TRUTH.copy()
    other[1::4] += 5.0
    assert peer.error_of(other) == 0
    off = TRUTH.copy()
    off[::8, 2] += 0.02  # every other picture of its ten
    assert peer.error_of(off) == pytest.approx(0.01, abs=1e-3)


def test_pictures_it_did_not_register_do_not_count(peer):
    some = TRUTH.copy()
    some[8:16] = np.nan
    assert peer.error_of(some) == 0


def test_the_median_run_is_shown_and_a_run_without_a_model_is_the_worst(peer, monkeypatch):
    errors = iter([0.3, None, 0.1])
    monkeypatch.setattr(peer, "_run", lambda: {"ate_similarity_m": next(errors)})
    shown = peer.median_of(3)
    assert shown["ate_similarity_m"] == 0.3
    assert shown["ate_of_every_run_m"] == [0.1, 0.3, None]
