"""Both hands of the wearer over a session: arrays in, arrays out, head frame = head camera.

Time is worked through in windows, so that memory grows by what is kept of a tick.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import SIDES
from hands.association import Association, Candidates, associate
from hands.cameras.joined import Joined, joined
from hands.cameras.look_again import OtherCameras
from hands.config import HandsConfig
from hands.described import WearerHand, described
from hands.lift import candidates, cut_by_the_edge, evidence_of
from hands.model.bones import own_bones, spread_rows
from hands.model.evidence import Evidence
from hands.model.lifter import lifted
from hands.model.poses import HandPoses
from hands.model.proportions import HandShape
from hands.reconstruct import HandTrack, reconstruct
from hands.sources import SourceHands

Floats = NDArray[np.float64]
Told = Callable[[Any], list[Evidence]]  # what is known of the left and right hand at some ticks

WINDOW = 2000  # ticks that are worked on at once
OVERLAP = 60  # solved beside each window and thrown away


@dataclass(frozen=True, eq=False)
class Wearer:
    """hands: by side.   shape: the operator's hand as it was fitted.   association: what became of
    every detection.   joined: what other views added; None without them.
    """

    hands: dict[str, WearerHand]
    shape: HandShape
    association: Association
    joined: Joined | None = None


def wearer_hands(
    hands: SourceHands,
    *,
    timestamps_ns: NDArray[np.int64],
    camera: Camera,
    shape: HandShape,
    config: HandsConfig,
    others: OtherCameras | None = None,
) -> Wearer:
    """Associate, estimate bones, fit, smooth and describe both hands. ``shape``: before the bones
    are known.   others: cameras whose pictures are fitted together with the head's.
    """
    found = candidates(hands, camera)
    association = associate(found, len(timestamps_ns), farthest_m=config.farthest_m)
    times_s = (timestamps_ns - timestamps_ns[0]) / 1e9 if len(timestamps_ns) else np.zeros(0)

    def told(rows: Any) -> list[Evidence]:
        here = replace(association, chosen=association.chosen[rows])
        return _evidence(found, here, camera=camera, config=config)

    samples = [spread_rows(seen, config.bone_frames // 2) for seen in (association.chosen >= 0).T]
    sample = [told(rows)[s] for s, rows in enumerate(samples)]
    shape = own_bones(sample, shape, guess_sigma_m=config.guess_sigma_m, frames=config.bone_frames)
    together, start = None, None
    if others is not None and others.views:
        evidence, tracks = _fitted_over_session(told, shape, times_s=times_s, config=config)
        together = joined(evidence, tracks, shape, others=others, times_s=times_s, config=config)
        if together.helps:
            shape, start, told = together.shape, together.tracks, _rows_of(together.evidence)
    parts = []
    for keep, solve in windows(len(times_s)):
        evidence, earlier = told(solve), start and [track.poses.rows(solve) for track in start]
        tracks = _fitted(evidence, shape, times_s=times_s[solve], config=config, start=earlier)
        px = _found_px(found, association.chosen[solve])
        both = described(evidence, tracks, shape, px=px, camera=camera, config=config)
        parts.append([both[side].stored(_inside(keep, solve)) for side in SIDES])
    sides = zip(SIDES, zip(*parts, strict=True), strict=True)
    result = {side: WearerHand.concat(hands) for side, hands in sides}
    return Wearer(result, shape, association, together)


def _fitted_over_session(
    told: Told, shape: HandShape, *, times_s: Floats, config: HandsConfig
) -> tuple[list[Evidence], list[HandTrack]]:
    """Both sides by the head alone, at all ticks."""
    evidence, tracks = [], []
    for keep, solve in windows(len(times_s)):
        here, inside = told(solve), _inside(keep, solve)
        fitted = _fitted(here, shape, times_s=times_s[solve], config=config)
        evidence.append([one[inside] for one in here])
        tracks.append([one.rows(inside) for one in fitted])
    return (
        [Evidence.concat(list(side)) for side in zip(*evidence, strict=True)],
        [HandTrack.concat(side) for side in zip(*tracks, strict=True)],
    )


def windows(count: int) -> list[tuple[slice, slice]]:
    """``(keep, solve)`` ticks: equal windows of bounded length that overlap where they are
    solved.
    """
    parts = max(1, -(-count // WINDOW))
    edges = [count * part // parts for part in range(parts + 1)]
    return [
        (slice(start, stop), slice(max(0, start - OVERLAP), min(count, stop + OVERLAP)))
        for start, stop in pairwise(edges)
    ]


def _inside(keep: slice, solve: slice) -> slice:
    """The kept ticks among the solved ones."""
    return slice(keep.start - solve.start, keep.stop - solve.start)


def _fitted(
    evidence: Sequence[Evidence],
    shape: HandShape,
    *,
    times_s: Floats,
    config: HandsConfig,
    start: Sequence[HandPoses] | None = None,
) -> list[HandTrack]:
    """Both sides beside each other: numpy lets go of the interpreter while it works."""

    def one(side: int) -> HandTrack:
        poses = start[side] if start else None
        return reconstruct(evidence[side], shape, times_s=times_s, config=config, start=poses)

    with ThreadPoolExecutor(len(SIDES)) as threads:
        return list(threads.map(one, range(len(SIDES))))


def evidence_in(
    hands: SourceHands, *, ticks: int, camera: Camera, config: HandsConfig
) -> tuple[Candidates, Association, list[Evidence]]:
    """What was found, whose each of it is, and what it says of the left and the right hand."""
    found = candidates(hands, camera)
    association = associate(found, ticks, farthest_m=config.farthest_m)
    return found, association, _evidence(found, association, camera=camera, config=config)


def _evidence(
    found: Candidates, association: Association, *, camera: Camera, config: HandsConfig
) -> list[Evidence]:
    """Of the left and the right hand, at the ticks of the association."""
    evidence = []
    for side in range(len(SIDES)):
        one = evidence_of(
            found,
            association,
            side=side,
            camera=camera,
            landmark_sigma=config.landmark_sigma,
        )
        if config.source == "mediapipe" and config.lifter:
            one = lifted(one)
        evidence.append(cut_by_the_edge(one, found, association, side=side, camera=camera))
    return evidence


def _rows_of(evidence: Sequence[Evidence]) -> Told:
    return lambda rows: [one[rows] for one in evidence]


def _found_px(found: Candidates, chosen: NDArray[np.int64]) -> Floats:
    """``(T,2,21,2)`` the pixels of chosen ``(T,2)`` detections, NaN without one."""
    px = np.full((*chosen.shape, 21, 2), np.nan)
    px[chosen >= 0] = found.raw21_px[chosen[chosen >= 0]]
    return px
