"""Frames judged by their times alone: whatever was dropped is found, and nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capture.config import CaptureConfig
from capture.frame_index import index_frames, make_ticks

CONFIG = CaptureConfig()
PERIOD = 33_333_333


def indexed(times):
    return index_frames("head", np.arange(len(times)), times_ns=np.asarray(times), config=CONFIG)


@given(st.integers(0, 2**32 - 1), st.integers(40, 120), st.floats(0, 0.12))
def test_dropped_frames_are_found_under_jitter(seed, count, share):
    rng = np.random.default_rng(seed)
    true = np.arange(count) * PERIOD
    jitter = rng.uniform(-0.1, 0.1, count) * PERIOD
    lost = rng.random(count) < share
    lost[[0, -1]] = False
    times = np.rint(true + jitter).astype(np.int64)[~lost]
    frames = indexed(times)
    dropped = frames.reason == "dropped"
    assert dropped.sum() == lost.sum()
    np.testing.assert_allclose(frames.timestamp_ns[dropped], true[lost], atol=0.35 * PERIOD)
    np.testing.assert_array_equal(frames.timestamp_ns[~dropped], times)
    assert set(frames.reason[~dropped]) == {None}
    assert (np.diff(frames.timestamp_ns) > 0).all()


@given(st.lists(st.integers(0, 400_000_000), min_size=1, max_size=40))
def test_any_rising_times_make_valid_tables(steps):
    """Repeats, holes, one picture alone: every picture keeps its row, and ticks rise."""
    times = np.cumsum(steps)
    frames = indexed(times)
    seen = frames.frame_index >= 0
    np.testing.assert_array_equal(frames.frame_index[seen], np.arange(len(times)))
    np.testing.assert_array_equal(frames.timestamp_ns[seen], times)
    ticks = make_ticks({"head": frames})
    assert (np.diff(ticks.timestamp_ns) > 0).all()
    assert 1 <= len(ticks) <= len(times)
