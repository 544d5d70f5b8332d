"""Where a hand moves and where it rests, from the speed of its palm. Arrays in, spans out.

Spans are half-open ``[first, last)`` index ranges into the ticks. T: number of ticks.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from annotate.config import AnnotateConfig

Span = tuple[int, int]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Motion:
    """Speed of one palm. seconds ``(T,)`` rising; speed_m_s ``(T,)``, NaN where it is unknown."""

    seconds: Floats
    speed_m_s: Floats

    def duration(self, span: Span) -> float:
        """Seconds from the first tick of a span to its end."""
        first, last = span
        return float(self.seconds[min(last, len(self.seconds) - 1)] - self.seconds[first])


@dataclass(frozen=True)
class Cut:
    """A proposed span, with how sure the machine is of its two ends: 0 … 1."""

    first: int
    last: int
    confidence: float


def runs(flags: Flags) -> list[Span]:
    """The spans where `flags` ``(T,)`` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def inner_runs(flags: Flags) -> list[Span]:
    """The spans of `flags` that touch neither end."""
    return [(first, last) for first, last in runs(flags) if first > 0 and last < len(flags)]


def palm_motion(
    seconds: Floats, palm_in_world: Floats, *, smoothing_s: float, max_gap_s: float
) -> Motion:
    """Smoothed speed of positions ``(T,3)``, NaN where the palm is unknown.

    Gaps up to `max_gap_s` are bridged by straight motion; longer ones stay unknown.
    """
    known = np.asarray(np.isfinite(palm_in_world).all(-1))
    near = known.copy()
    for first, last in inner_runs(~known):
        near[first:last] = seconds[last] - seconds[first - 1] <= max_gap_s
    speed = np.full(len(seconds), np.nan)
    for first, last in runs(near):
        if last - first >= 3:
            path, t = palm_in_world[first:last], seconds[first:last]
            speed[first:last] = _speed(t, path, smoothing_s)
    return Motion(seconds, speed)


def _speed(seconds: Floats, path: Floats, smoothing_s: float) -> Floats:
    known = np.isfinite(path).all(-1)
    filled = np.stack([np.interp(seconds, seconds[known], path[known, k]) for k in range(3)], -1)
    sigma = smoothing_s / float(np.median(np.diff(seconds)))
    smooth = gaussian_filter1d(filled, sigma, axis=0, mode="nearest")
    return np.asarray(np.linalg.norm(np.gradient(smooth, seconds, axis=0), axis=-1))


def moving(motion: Motion, config: AnnotateConfig) -> Flags:
    """``(T,)``: from where the speed leaves rest to where it is back, once it was fast enough.

    Pauses shorter than `min_pause_s` count as moving; an unseen hand never does.
    """
    speed = np.nan_to_num(motion.speed_m_s, nan=-1.0)
    active = np.zeros(len(speed), dtype=bool)
    for first, last in runs(speed >= config.stop_speed_m_s):
        active[first:last] = speed[first:last].max() >= config.start_speed_m_s
    seen = np.isfinite(motion.speed_m_s)
    for first, last in inner_runs(~active):
        short = motion.duration((first, last)) < config.min_pause_s
        active[first:last] = short and bool(seen[first:last].all())
    return active


def movements(motion: Motion, config: AnnotateConfig) -> list[Cut]:
    """Spans in which the hand moves, at most `max_segment_s` long where a minimum allows a cut."""
    return [cut for span in runs(moving(motion, config)) for cut in _split(motion, span, config)]


def _split(motion: Motion, span: Span, config: AnnotateConfig) -> list[Cut]:
    if motion.duration(span) < config.min_segment_s:
        return []
    deepest = _deepest_minimum(motion, span, config.min_segment_s)
    if motion.duration(span) <= config.max_segment_s or deepest is None:
        return [Cut(*span, confidence=_confidence(motion.speed_m_s, span))]
    before, after = (span[0], deepest), (deepest, span[1])
    return _split(motion, before, config) + _split(motion, after, config)


def _deepest_minimum(motion: Motion, span: Span, margin_s: float) -> int | None:
    first, last = span
    seconds, speed = motion.seconds, motion.speed_m_s
    inner = np.arange(first + 1, last - 1)
    far = np.minimum(seconds[inner] - seconds[first], seconds[last - 1] - seconds[inner])
    dip = (speed[inner] <= speed[inner - 1]) & (speed[inner] <= speed[inner + 1])
    candidates = inner[(far >= margin_s) & dip]
    return int(candidates[np.argmin(speed[candidates])]) if len(candidates) else None


def _confidence(speed: Floats, span: Span) -> float:
    """How far the speed falls at both ends, against the peak between them: 1 = to rest."""
    first, last = span
    ends = np.array([speed[first], speed[last - 1]])
    return float(np.clip(1.0 - ends.mean() / max(float(speed[first:last].max()), 1e-9), 0.0, 1.0))


def episodes(seconds: Floats, active: Flags, config: AnnotateConfig) -> list[Cut]:
    """Spans of work: longer pauses of both hands than `episode_pause_s` separate them.

    active: ``(T,)`` either hand moves. Confidence grows with the shorter pause beside an episode;
    where the recording itself ends it is 0.5.
    """
    joined = active.copy()
    for first, last in inner_runs(~active):
        joined[first:last] = seconds[last] - seconds[first] < config.episode_pause_s
    clock = Motion(seconds, np.zeros(len(seconds)))
    found = [span for span in runs(joined) if clock.duration(span) >= config.min_segment_s]
    pauses = [seconds[b[0]] - seconds[a[1] - 1] for a, b in pairwise(found)]
    around = [np.inf, *pauses, np.inf]
    cuts = []
    for number, (first, last) in enumerate(found):
        pause = float(min(around[number], around[number + 1]))
        sure = 1.0 - 0.5 * config.episode_pause_s / pause if np.isfinite(pause) else 0.5
        cuts.append(Cut(first, last, confidence=float(np.clip(sure, 0.0, 1.0))))
    return cuts
