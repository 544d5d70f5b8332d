"""Times as int64 nanoseconds: nearest samples, gaps, and the map from one clock to another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.errors import BadInputError
from core.geometry.arrays import Bools, Ints

SECOND_NS = 1_000_000_000


def is_strictly_rising(times_ns: ArrayLike) -> bool:
    """Whether every time is later than the one before."""
    return bool(np.all(np.diff(np.asarray(times_ns, dtype=np.int64)) > 0))


def nearest_index(times_ns: ArrayLike, query_ns: ArrayLike) -> Ints:
    """For each query the index of the nearest of the rising ``times_ns``; of two equally near the
    earlier.
    """
    times = np.asarray(times_ns, dtype=np.int64)
    query = np.asarray(query_ns, dtype=np.int64)
    if len(times) == 0:
        raise BadInputError("nearest time: there are no times to choose from")
    after = np.clip(np.searchsorted(times, query), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    earlier = query - times[before] <= times[after] - query
    return np.asarray(np.where(earlier, before, after), dtype=np.int64)


def resample_indices(
    times_ns: ArrayLike, query_ns: ArrayLike, *, max_distance_ns: int
) -> tuple[Ints, Bools]:
    """The nearest sample per query and whether it is no further than ``max_distance_ns``; -1 where
    not.
    """
    times = np.asarray(times_ns, dtype=np.int64)
    query = np.asarray(query_ns, dtype=np.int64)
    if len(times) == 0:
        return np.full(query.shape, -1, dtype=np.int64), np.zeros(query.shape, dtype=bool)
    index = nearest_index(times, query)
    near = np.asarray(np.abs(times[index] - query) <= max_distance_ns)
    return np.asarray(np.where(near, index, -1), dtype=np.int64), near


def median_period_ns(times_ns: ArrayLike) -> int:
    """The median distance of neighbours; 0 with fewer than two times."""
    steps = np.diff(np.asarray(times_ns, dtype=np.int64))
    return int(np.median(steps)) if len(steps) else 0


def gaps(times_ns: ArrayLike, *, factor: float = 1.5) -> tuple[Ints, Ints]:
    """Where samples are missing from a regular stream.

    Returns the indices i with times[i + 1] - times[i] > factor * median period, and how many
    samples are missing there (at least 1).
    """
    steps = np.asarray(np.diff(np.asarray(times_ns, dtype=np.int64)), dtype=np.int64)
    period = median_period_ns(times_ns)
    if period <= 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    at = np.flatnonzero(np.greater(steps, factor * period)).astype(np.int64)
    return at, np.maximum(np.rint(steps[at] / period).astype(np.int64) - 1, 1)


def regular_times(start_ns: int, end_ns: int, *, rate_hz: float) -> Ints:
    """``start_ns`` and every 1 / rate after it up to ``end_ns`` (included), each rounded to 1
    ns.
    """
    count = int(np.floor((end_ns - start_ns) * rate_hz / SECOND_NS + 1e-9)) + 1
    steps = np.rint(np.arange(max(count, 0)) * (SECOND_NS / rate_hz)).astype(np.int64)
    return np.asarray(start_ns + steps, dtype=np.int64)


@dataclass(frozen=True)
class ClockMap:
    """target = source + offset_ns + drift * (source - origin_ns). drift: seconds gained per
    second.
    """

    offset_ns: int
    drift: float = 0.0
    origin_ns: int = 0

    def apply(self, source_ns: ArrayLike) -> Ints:
        """Times on the source clock to times on the target clock, to the nanosecond."""
        source = np.asarray(source_ns, dtype=np.int64)
        gained = np.rint(self.drift * (source - self.origin_ns)).astype(np.int64)
        return np.asarray(source + self.offset_ns + gained, dtype=np.int64)

    def inverse(self) -> "ClockMap":
        """The map from the target clock back to the source clock."""
        return ClockMap(
            offset_ns=-self.offset_ns,
            drift=-self.drift / (1 + self.drift),
            origin_ns=self.origin_ns + self.offset_ns,
        )

    @staticmethod
    def fit(source_ns: ArrayLike, target_ns: ArrayLike, *, with_drift: bool = True) -> "ClockMap":
        """From pairs of the same instants on both clocks, by least squares about their middle."""
        source = np.asarray(source_ns, dtype=np.int64)
        target = np.asarray(target_ns, dtype=np.int64)
        if source.shape != target.shape or len(source) < (2 if with_drift else 1):
            raise BadInputError(
                f"clock fit: {source.shape} and {target.shape} times; expected two equal lists of "
                "at least two"
            )
        origin = int(source[0] + np.rint(np.mean(source - source[0])))
        offset = target - source
        mean = float(np.mean(offset - offset[0]))
        x = (source - origin).astype(np.float64)
        spread = float(np.sum(x * x))
        slope = 0.0
        if with_drift and spread > 0:
            slope = float(np.sum(x * (offset - offset[0] - mean)) / spread)
        return ClockMap(offset_ns=int(offset[0] + np.rint(mean)), drift=slope, origin_ns=origin)
