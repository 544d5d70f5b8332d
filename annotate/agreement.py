"""How well two labellings of one track agree: boundaries within a tolerance, segments by overlap.

Segments are half-open ``[start_ns, end_ns)`` rows of ``(N,2)`` arrays; each is matched at most
once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class Agreement:
    """Matched and unmatched counts; `f1` is NaN when neither side has anything."""

    matched: int
    predicted: int
    reference: int

    @property
    def precision(self) -> float:
        """Share of predictions that have a partner."""
        return self.matched / self.predicted if self.predicted else float("nan")

    @property
    def recall(self) -> float:
        """Share of references that were found."""
        return self.matched / self.reference if self.reference else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of both: 2 matched / (predicted + reference)."""
        total = self.predicted + self.reference
        return 2 * self.matched / total if total else float("nan")


def boundaries(segments: NDArray[np.int64]) -> NDArray[np.int64]:
    """The distinct start and end times of segments ``(N,2)``, rising."""
    return np.unique(np.asarray(segments, dtype=np.int64))


def boundary_agreement(
    predicted_ns: NDArray[np.int64], reference_ns: NDArray[np.int64], *, tolerance_ns: int
) -> Agreement:
    """As many boundaries as can be matched one to one within the tolerance."""
    gap = np.abs(np.asarray(predicted_ns)[:, None] - np.asarray(reference_ns)[None, :])
    matched = _count_matches(gap <= tolerance_ns, gap / max(tolerance_ns, 1))
    return Agreement(matched, len(predicted_ns), len(reference_ns))


def segment_agreement(
    predicted: NDArray[np.int64], reference: NDArray[np.int64], *, iou: float
) -> Agreement:
    """Segments ``(N,2)`` and ``(M,2)`` matched one to one where they overlap by at least `iou`."""
    overlaps = overlap_iou(predicted, reference)
    matched = _count_matches((overlaps >= iou) & (overlaps > 0), 1.0 - overlaps)
    return Agreement(matched, len(predicted), len(reference))


def overlap_iou(predicted: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union ``(N,M)`` in time of every pair."""
    a = np.asarray(predicted, dtype=np.int64).reshape(-1, 1, 2)
    b = np.asarray(reference, dtype=np.int64).reshape(1, -1, 2)
    shared = np.clip(np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0]), 0, None)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - shared
    return np.asarray(shared / np.maximum(union, 1), dtype=np.float64)


def _count_matches(allowed: NDArray[np.bool_], cost: NDArray[np.float64]) -> int:
    """Size of the largest one-to-one matching within `allowed`; among those the cheapest."""
    if not allowed.any():
        return 0
    far = float(min(allowed.shape)) + 1.0  # dearer than any full set of allowed pairs (cost <= 1)
    rows, columns = linear_sum_assignment(np.where(allowed, cost, far))
    return int(allowed[rows, columns].sum())
