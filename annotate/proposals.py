"""Boundaries a machine proposes on tracks that nobody has labelled. It proposes times, never words.

Text stays empty, which training reads as "unlabelled". Speeds are those of the palm in the world;
without a trajectory in metres they are those in the head frame, where a turning head looks like a
moving hand: the result says which it was.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.config import AnnotateConfig
from annotate.motion import Cut, Motion, episodes, movements, moving, palm_motion
from core.geometry.landmarks import SIDES
from core.geometry.se3 import SE3
from core.session.tables import EndEffectors, Ticks, Trajectory

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Proposal:
    """One proposed span of a track."""

    track: str
    start_ns: int
    end_ns: int
    confidence: float


def palm_in_head(ticks: Ticks, hands: EndEffectors, side: str) -> Floats:
    """Palm positions ``(T,3)`` at the ticks, NaN where the hand is missing."""
    rows = np.flatnonzero((hands.side == side) & hands.head_from_palm_valid)
    place = np.searchsorted(ticks.tick, hands.tick[rows])
    positions = np.full((len(ticks), 3), np.nan)
    known = place < len(ticks)
    known[known] = ticks.tick[place[known]] == hands.tick[rows][known]
    positions[place[known]] = hands.head_from_palm[rows[known], :3]
    return positions


def palm_motions(
    ticks: Ticks,
    hands: EndEffectors,
    trajectory: Trajectory | None,
    *,
    config: AnnotateConfig,
) -> dict[str, Motion]:
    """Side -> its motion; measured per map, since positions of two maps cannot be compared."""
    seconds = (ticks.timestamp_ns - ticks.timestamp_ns[0]) / 1e9
    smoothing, gap = config.smoothing_s, config.max_gap_s
    motions = {}
    for side in SIDES:
        palm = palm_in_head(ticks, hands, side)
        if trajectory is None:
            motions[side] = palm_motion(seconds, palm, smoothing_s=smoothing, max_gap_s=gap)
            continue
        speed = np.full(len(ticks), np.nan)
        for there in _in_world(ticks, palm, trajectory):
            part = palm_motion(seconds, there, smoothing_s=smoothing, max_gap_s=gap).speed_m_s
            speed = np.where(np.isfinite(part), part, speed)
        motions[side] = Motion(seconds, speed)
    return motions


def _in_world(ticks: Ticks, palm: Floats, trajectory: Trajectory) -> list[Floats]:
    """One track of world positions ``(T,3)`` per map, NaN at ticks of other maps."""
    place = np.searchsorted(trajectory.tick, ticks.tick)
    place = np.minimum(place, max(len(trajectory) - 1, 0))
    usable = (trajectory.tick[place] == ticks.tick) & trajectory.tracked[place]
    usable &= trajectory.world_from_head_valid[place]
    tracks = []
    for map_id in np.unique(trajectory.map_id[place[usable]]):
        here = usable & (trajectory.map_id[place] == map_id)
        there = np.full((len(ticks), 3), np.nan)
        poses = SE3.from_pose7(trajectory.world_from_head[place[here]])
        there[here] = poses.apply(palm[here])
        tracks.append(there)
    return tracks


def propose(
    ticks: Ticks,
    motions: Mapping[str, Motion],
    *,
    config: AnnotateConfig,
    labelled: Collection[str],
) -> list[Proposal]:
    """Proposals for every track that is not in `labelled`; `both` covers left and right."""
    taken = set(labelled) | ({"left", "right"} if "both" in labelled else set())
    found: list[Proposal] = []
    if "episode" not in taken:
        active = np.logical_or.reduce([moving(motions[side], config) for side in SIDES])
        seconds = motions[SIDES[0]].seconds
        found += _timed("episode", episodes(seconds, active, config), ticks)
    for side in SIDES:
        if side not in taken:
            found += _timed(side, movements(motions[side], config), ticks)
    return found


def _timed(track: str, cuts: list[Cut], ticks: Ticks) -> list[Proposal]:
    times = np.append(ticks.timestamp_ns, recording_span_ns(ticks)[1])
    return [Proposal(track, int(times[c.first]), int(times[c.last]), c.confidence) for c in cuts]


def recording_span_ns(ticks: Ticks) -> tuple[int, int]:
    """First tick, and one tick period after the last."""
    times = ticks.timestamp_ns
    period = int(np.median(np.diff(times))) if len(times) > 1 else 1
    return int(times[0]), int(times[-1]) + period
