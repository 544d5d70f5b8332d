"""Which detection is the wearer's left hand and which the right, decided over the whole track.

Duplicates are dropped, detections linked into tracklets by motion, and one Viterbi pass over the
session picks at most one hand of each side per tick. Evidence for a side: the detector's label,
which way the fingers curl, where the hand is and where its forearm comes from. What is nobody's
left or right is a bystander's. A tracklet changes side only at a price, which is lower where hands
touch.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hands.detection.views import is_fragment, is_same

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
States = tuple[tuple[int, int], ...]  # which alive tracklet is left and which is right, -1 for none

LINK_DISTANCE = 1.2  # mean distance from the predicted place, in palms, that is still the same hand
LINK_GAP = 8  # ticks a tracklet survives unseen
LEFT, RIGHT, OTHER = 0, 1, 2
DUPLICATE, BYSTANDER = "duplicate", "bystander"  # why a detection is not used
LABEL_WEIGHT, CURL_WEIGHT, PLACE_WEIGHT, FOREARM_WEIGHT = 0.3, 0.4, 0.25, 0.25
WEARER_BONUS, FAR_PENALTY, FACING_PENALTY, ORDER_PENALTY = 1.0, 4.0, 1.2, 0.3
OPPOSITE_PENALTY, OPPOSITE_M = 5.0, (0.55, 0.85)  # a forearm from above, at these distances
AS_LIKELY = 3.0  # evidence for a bystander's hand no farther behind the chosen one's: undecided
SWAP_PRICE, CROSSING_SWAP_PRICE, ADOPT_PRICE = 30.0, 8.0, 8.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """M detections, sorted by tick.

    row: ``(M,)`` tick row 0 … T-1.   left_label: ``(M,)`` probability of "left" by the label.
    raw21_px: ``(M,21,2)``.   points: ``(M,21,3)`` the detector's 3D hand, camera axes.
    depth_m: ``(M,)`` distance of the hand, from its size.   width_px: of the image.
    """

    row: Ints
    left_label: Floats
    raw21_px: Floats
    points: Floats
    depth_m: Floats
    width_px: int

    @cached_property
    def palm_px(self) -> Floats:
        """A size ``(M,)`` that foreshortening spares: the larger of the palm's two extents."""
        px = self.raw21_px
        long = np.linalg.norm(px[:, 9] - px[:, 0], axis=1)
        wide = 1.4 * np.linalg.norm(px[:, 5] - px[:, 17], axis=1)
        return np.asarray(np.maximum(np.maximum(long, wide), 4.0))


@dataclass(frozen=True, eq=False)
class Association:
    """chosen: ``(T,2)`` index of the detection that is the left and right hand, -1 for none.

    reason: ``(M,)`` why a detection was not chosen: duplicate, bystander; "" for chosen ones.
    relabelled: chosen detections whose label said the other side.   undecided: ticks in which a
    bystander's hand is about as likely the wearer's as the chosen one.
    """

    chosen: Ints
    reason: NDArray[np.object_]
    relabelled: int
    undecided: int = 0


def associate(found: Candidates, ticks: int, *, farthest_m: float) -> Association:
    """Decide every detection's side. ``ticks`` is the number of tick rows."""
    kept = ~duplicates(found)
    tracklet = link(found, kept)
    evidence = side_evidence(found, farthest_m=farthest_m)
    side = _decide(found, tracklet, evidence)
    chosen = np.full((ticks, 2), -1, dtype=np.int64)
    reason = np.full(len(found.row), "", dtype=object)
    reason[~kept] = DUPLICATE
    reason[kept & (side == OTHER)] = BYSTANDER
    for s in (LEFT, RIGHT):
        mine = np.flatnonzero(kept & (side == s))
        chosen[found.row[mine], s] = mine
    said_left = found.left_label > 0.5
    relabelled = int(np.sum(kept & (side != OTHER) & (said_left != (side == LEFT))))
    theirs = np.flatnonzero(reason == BYSTANDER)
    rivals = chosen[found.row[theirs]]
    held = np.where(rivals >= 0, evidence[rivals, [LEFT, RIGHT]], np.inf)
    close = (evidence[theirs] > held - AS_LIKELY).any(axis=1)
    undecided = len(np.unique(found.row[theirs[close]]))
    return Association(chosen, reason, relabelled, undecided)


def duplicates(found: Candidates) -> NDArray[np.bool_]:
    """Detections ``(M,)`` that repeat a surer one of the same image, or are pieces of one."""
    repeated = np.zeros(len(found.row), dtype=bool)
    px, sureness = found.raw21_px, np.abs(found.left_label - 0.5)
    middle = px.mean(axis=1)
    for members in _groups(found.row):
        for n, a in enumerate(members):
            for b in members[n + 1 :]:
                if math.dist(middle[a], middle[b]) > max(found.palm_px[a], found.palm_px[b]):
                    continue  # apart for sure
                if is_same(px[a], px[b]):
                    repeated[a if sureness[a] < sureness[b] else b] = True
                for piece, hand in ((a, b), (b, a)):
                    repeated[piece] |= is_fragment(px[piece], px[hand])
    return repeated


def link(found: Candidates, kept: NDArray[np.bool_]) -> Ints:
    """Tracklet number ``(M,)`` of every kept detection, -1 for the rest. Constant-velocity
    prediction.
    """
    tracklet = np.full(len(found.row), -1, dtype=np.int64)
    palm = found.palm_px
    last: dict[int, tuple[int, Floats]] = {}  # tracklet -> (detection, velocity in px per tick)
    count = 0
    for members in _groups(found.row):
        now = [m for m in members if kept[m]]
        row = found.row[members[0]]
        last = {t: v for t, v in last.items() if row - found.row[v[0]] <= LINK_GAP}
        names = list(last)
        before = [m for m, _ in last.values()]
        steps = [speed * (row - found.row[m]) for m, speed in last.values()]
        predicted = found.raw21_px[before] + np.reshape(steps, (-1, 1, 2))
        apart = np.linalg.norm(found.raw21_px[now] - predicted[:, None], axis=-1).mean(axis=-1)
        for i, j in _assigned(apart / np.maximum.outer(palm[before], palm[now])):
            m = now[j]
            tracklet[m] = names[i]
            shift = (found.raw21_px[m] - found.raw21_px[before[i]]).mean(axis=0)
            last[names[i]] = (m, 0.7 * shift / (row - found.row[before[i]]))
        for m in now:
            if tracklet[m] < 0:
                tracklet[m] = count
                last[count] = (m, np.zeros(2))
                count += 1
    return tracklet


def _assigned(cost: Floats) -> list[tuple[int, int]]:
    if not cost.size:
        return []
    pairs = zip(*linear_sum_assignment(np.minimum(cost, 1e3)), strict=True)
    return [(int(i), int(j)) for i, j in pairs if cost[i, j] < LINK_DISTANCE]


def side_evidence(found: Candidates, *, farthest_m: float) -> Floats:
    """``(M,2)`` log-odds of being the wearer's left and right hand against being nobody's."""
    p = np.clip(found.left_label, 0.03, 0.97)
    palm = found.palm_px[:, None]
    px = found.raw21_px
    forearm = (px[:, 0] - px[:, [9, 13]].mean(axis=1)) / palm
    leftness = (
        LABEL_WEIGHT * np.log(p / (1 - p))
        - CURL_WEIGHT * curl_chirality(found.points)
        - PLACE_WEIGHT * (2 * px[:, 0, 0] / found.width_px - 1)
        - FOREARM_WEIGHT * forearm[:, 0]
    )
    # a forearm from above: someone opposite; the farther, the surer, as arms end somewhere
    from_above = np.clip(-forearm[:, 1] - 0.3, 0, 1)
    low_m, high_m = OPPOSITE_M
    reach = np.clip((found.depth_m - low_m) / (high_m - low_m), 0, 1)
    wearer = (
        WEARER_BONUS
        - FAR_PENALTY * np.clip(found.depth_m / farthest_m - 0.9, 0, 1)
        - (FACING_PENALTY + OPPOSITE_PENALTY * reach) * from_above
    )
    return np.stack([wearer + leftness, wearer - leftness], axis=1)


def curl_chirality(points: Floats) -> Floats:
    """``(M,)`` from -1 (left) to 1 (right): fingers and thumb lie on the palm's side of the palm
    plane.
    """
    normal = np.cross(points[:, 5] - points[:, 0], points[:, 17] - points[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    beyond = points[:, [8, 12, 16, 20]] - points[:, [5, 9, 13, 17]]
    size = np.linalg.norm(points[:, 9] - points[:, 0], axis=1) + 1e-12
    height = (beyond @ normal[..., None])[..., 0].mean(axis=1) / size
    return np.asarray(np.nan_to_num(np.clip(3.0 * height, -1.0, 1.0)))  # 0: no 3D points


def _decide(found: Candidates, tracklet: Ints, evidence: Floats) -> Ints:
    """Viterbi over the states of every tick."""
    side = np.full(len(found.row), OTHER, dtype=np.int64)
    spans = _spans(found.row, tracklet)
    steps = _timeline(found.row, tracklet, spans)
    back: list[Ints] = []
    states: list[States] = []
    score = np.zeros(1)
    for n, (alive, seen) in enumerate(steps):
        now = _states(frozenset(alive))
        unary = np.array([_unary(state, seen, found=found, evidence=evidence) for state in now])
        if n == 0:
            total, origin = unary, np.zeros(len(now), dtype=np.int64)
        else:
            common = frozenset(alive & steps[n - 1][0])
            prices = _prices(states[-1], now, common, crossing=_touching(seen, found))
            reached = score[:, None] - prices
            origin = np.argmax(reached, axis=0)
            total = unary + reached[origin, np.arange(len(now))]
        score = total - total.max() if len(total) else total
        states.append(now)
        back.append(origin)
    best = int(np.argmax(score)) if states else 0
    for n in range(len(steps) - 1, -1, -1):
        for s, name in enumerate(states[n][best]):
            if name in steps[n][1]:
                side[steps[n][1][name]] = s
        best = int(back[n][best])
    return side


def _spans(row: Ints, tracklet: Ints) -> dict[int, tuple[int, int]]:
    spans: dict[int, tuple[int, int]] = {}
    for r, t in zip(row.tolist(), tracklet.tolist(), strict=True):
        if t >= 0:
            spans[t] = (spans[t][0] if t in spans else r, r)
    return spans


def _timeline(
    row: Ints, tracklet: Ints, spans: dict[int, tuple[int, int]]
) -> list[tuple[set[int], dict[int, int]]]:
    """Per row with anything alive: tracklets alive, and the detection of those seen."""
    alive: dict[int, set[int]] = {}
    for name, (first, last) in spans.items():
        for r in range(first, last + 1):
            alive.setdefault(r, set()).add(name)
    seen: dict[int, dict[int, int]] = {r: {} for r in alive}
    for m, (r, t) in enumerate(zip(row.tolist(), tracklet.tolist(), strict=True)):
        if t >= 0:
            seen[r][t] = m
    return [(alive[r], seen[r]) for r in sorted(alive)]


@lru_cache(maxsize=16)
def _states(alive: frozenset[int]) -> States:
    names = [-1, *sorted(alive)]
    return tuple((a, b) for a in names for b in names if a != b or a < 0)


def _unary(
    state: tuple[int, int], seen: dict[int, int], *, found: Candidates, evidence: Floats
) -> float:
    held = [seen.get(name, -1) for name in state]
    total = sum(float(evidence[m, s]) for s, m in enumerate(held) if m >= 0)
    if min(held) >= 0:
        left_x, right_x = found.raw21_px[held[0], 0, 0], found.raw21_px[held[1], 0, 0]
        total -= ORDER_PENALTY * float(left_x > right_x)
    return total


@lru_cache(maxsize=16)  # most ticks ask what the one before asked
def _prices(before: States, now: States, common: frozenset[int], *, crossing: bool) -> Floats:
    """``(before, now)``: what it costs that tracklets alive in both change their role."""
    swap = CROSSING_SWAP_PRICE if crossing else SWAP_PRICE
    price = np.zeros((len(before), len(now)))
    for name in common:
        was = np.array([_role(state, name) for state in before])[:, None]
        is_now = np.array([_role(state, name) for state in now])[None, :]
        nobody = (was == OTHER) | (is_now == OTHER)
        price += np.where(was == is_now, 0.0, np.where(nobody, ADOPT_PRICE, swap))
    return price


def _role(state: tuple[int, int], name: int) -> int:
    return state.index(name) if name in state else OTHER


def _touching(seen: dict[int, int], found: Candidates) -> bool:
    members = list(seen.values())
    if len(members) < 2:
        return True  # a hand may be hidden behind the other
    centre = found.raw21_px[members].mean(axis=1)
    gaps = np.linalg.norm(centre[:, None] - centre[None], axis=-1)
    gaps[np.diag_indices(len(members))] = np.inf
    return bool(gaps.min() < 1.5 * found.palm_px[members].max())


def _groups(row: Ints) -> list[list[int]]:
    """Indices of equal consecutive rows."""
    cuts = np.flatnonzero(np.diff(row)) + 1
    return [part.tolist() for part in np.split(np.arange(len(row)), cuts) if len(part)]
