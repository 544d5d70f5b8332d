"""Times: nearest samples, gaps of known length, clock maps that invert."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInputError
from core.geometry import clock

T0 = 1_403_638_518_577_829_376  # a real recording's start: more digits than a float64 holds


def test_nearest_is_the_nearer_neighbour():
    times = T0 + np.array([0, 10, 20])
    found = clock.nearest_index(times, T0 + np.array([-5, 4, 5, 6, 19, 99]))
    assert found.tolist() == [0, 0, 0, 1, 2, 2]
    with pytest.raises(BadInputError, match="no times"):
        clock.nearest_index([], [1])


@given(st.lists(st.integers(0, 1000), min_size=1, unique=True), st.integers(-50, 1050))
def test_nearest_agrees_with_looking_at_all(times, query):
    rising = np.array(sorted(times))
    found = clock.nearest_index(rising, [query])[0]
    assert abs(rising[found] - query) == np.abs(rising - query).min()


def test_far_samples_are_not_taken():
    index, near = clock.resample_indices([0, 100], [40, 49, 60], max_distance_ns=40)
    assert index.tolist() == [0, -1, 1]
    assert near.tolist() == [True, False, True]
    assert clock.resample_indices([], [1], max_distance_ns=9)[0].tolist() == [-1]


def test_gaps_count_what_is_missing():
    times = T0 + np.delete(np.arange(20), [5, 6, 12]) * 50_000_000
    at, missing = clock.gaps(times)
    assert at.tolist() == [4, 9]
    assert missing.tolist() == [2, 1]
    assert clock.gaps([1])[0].size == 0
    assert clock.median_period_ns(times) == 50_000_000


def test_rising_means_strictly():
    assert clock.is_strictly_rising(T0 + np.arange(3))
    assert not clock.is_strictly_rising([T0, T0])


def test_regular_times_do_not_drift():
    times = clock.regular_times(T0, T0 + 100 * clock.SECOND_NS, rate_hz=30)
    assert len(times) == 3001
    assert times[-1] == T0 + 100 * clock.SECOND_NS
    assert len(clock.regular_times(5, 4, rate_hz=30)) == 0


@given(st.integers(-(10**15), 10**15), st.floats(-1e-4, 1e-4))
def test_clock_maps_invert_and_are_found_from_pairs(offset, drift):
    source = T0 + np.arange(50) * clock.SECOND_NS
    there = clock.ClockMap(offset_ns=offset, drift=drift, origin_ns=T0)
    target = there.apply(source)
    assert np.abs(there.inverse().apply(target) - source).max() <= 1
    found = clock.ClockMap.fit(source, target)
    assert np.abs(found.apply(source) - target).max() <= 2
    assert found.drift == pytest.approx(drift, abs=1e-9)


def test_an_offset_alone_is_exact():
    found = clock.ClockMap.fit([T0, T0 + 7], [T0 + 5, T0 + 12], with_drift=False)
    assert found.apply([T0]).tolist() == [T0 + 5]
    with pytest.raises(BadInputError, match="at least two"):
        clock.ClockMap.fit([T0], [T0])
