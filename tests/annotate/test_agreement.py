"""Agreement figures with known answers, and the matching that must be one to one."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from annotate.agreement import (
    boundaries,
    boundary_agreement,
    overlap_iou,
    segment_agreement,
)


def test_boundaries_within_the_tolerance_match_once():
    found = boundary_agreement(np.array([0, 95, 105]), np.array([0, 100]), tolerance_ns=10)
    assert (found.matched, found.precision, found.recall) == (2, 2 / 3, 1.0)
    assert found.f1 == 0.8


def test_every_pair_that_can_match_does():
    """Greedy nearest-first would take 10 with 12 and leave 8 alone."""
    found = boundary_agreement(np.array([10, 13]), np.array([4, 12]), tolerance_ns=6)
    assert found.matched == 2


def test_overlap_of_half_open_spans():
    a, b = np.array([[0, 10], [10, 20]]), np.array([[0, 10], [5, 15], [20, 30]])
    np.testing.assert_allclose(overlap_iou(a, b), [[1, 1 / 3, 0], [0, 1 / 3, 0]])


def test_segments_match_by_overlap():
    a, b = np.array([[0, 10], [10, 20]]), np.array([[1, 10], [14, 20]])
    assert segment_agreement(a, b, iou=0.5).f1 == 1.0
    assert segment_agreement(a, b, iou=0.7).f1 == 0.5


def test_nothing_against_nothing_is_no_figure():
    empty = np.zeros((0, 2), dtype=np.int64)
    assert math.isnan(segment_agreement(empty, empty, iou=0.5).f1)
    assert segment_agreement(empty, np.array([[0, 1]]), iou=0.5).f1 == 0.0
    assert len(boundaries(empty)) == 0


times = st.lists(st.integers(0, 1000), max_size=20, unique=True).map(sorted)


@given(times, times, st.integers(0, 50))
def test_agreement_is_symmetric_and_full_with_itself(a, b, tolerance_ns):
    a, b = np.array(a, dtype=np.int64), np.array(b, dtype=np.int64)
    there = boundary_agreement(a, b, tolerance_ns=tolerance_ns)
    back = boundary_agreement(b, a, tolerance_ns=tolerance_ns)
    assert there.matched == back.matched <= min(len(a), len(b))
    assert boundary_agreement(a, a, tolerance_ns=tolerance_ns).matched == len(a)
