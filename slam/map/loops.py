"""Places seen again: joins the tracks of one scene point that was left and found anew.

Corners of every anchor frame carry a descriptor. Frames that the map puts near one another are
matched by it, and a match counts only where the later frame can be localised from the earlier one's
points. Drift must be less than about the scene's depth; whole maps are joined in `joining`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from core.geometry.arrays import Bools, Ints
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.map.scene import Scene
from slam.sight.localise import View, ransac_pose, refine_pose
from slam.sight.places import Place
from slam.sight.rays import angular_error
from slam.sight.tracks import Observed, Tracks

REACH = 1.0  # how far apart two places may be, in scene depths
MAX_VIEW_COS = np.cos(np.deg2rad(50))
CANDIDATES = 5  # earlier places tried for every place
FEW_SHARED = 30  # places that still share this many corners are no loop
MIN_INLIERS, MIN_SHARE = 15, 0.4
RATIO = 0.85  # best over second-best descriptor distance
MAX_BITS = 70  # of 256 that may differ
GATE_RAD = 0.12  # how far drift may have moved a point in the later view
FAR_RAD = GATE_RAD / 10  # moved so far in the median, others may have been missed
MOST_LOOKS = 3  # for them


@dataclass(frozen=True)
class Drift:
    """How far the path was off at a place met again, before the loop was closed.

    off: distance, in the map's unit.   turn_rad.   between: length of the path since the first
    visit, in the same unit.   moved_rad: how far from where the view had them its points were, in
    the median.
    """

    off: float
    turn_rad: float
    between: float
    moved_rad: float


def find_loops(
    tracks: Observed, scene: Scene, places: list[Place], *, frames: Ints, config: SlamConfig
) -> tuple[Ints, list[Drift]]:
    """Pairs ``(M,2)`` of tracks (earlier, later) that are one point, those found most often first,
    and what each place met again says of the drift in between.

    frames ``(k,)``: video frames of the scene's posed keyframes, in their order.
    """
    posed = np.flatnonzero(scene.posed)
    steps = np.linalg.norm(np.diff(scene.position[posed], axis=0), axis=1)
    way = np.concatenate([[0.0], np.cumsum(steps)])
    inside = [p for p in places if frames[0] <= p.frame <= frames[-1] and len(p.track) >= 8]
    pairs: list[Ints] = []
    drifts: list[Drift] = []
    for earlier, late in _meetings(scene, inside, frames=frames, posed=posed):
        seen = localised(tracks, scene, late, config=config)
        if seen is None:
            continue
        for early in earlier:
            found = _verify(scene, config, early, seen=seen)
            if found is not None:
                pairs.append(found.pairs)
                between = way[_near(frames, late.frame)] - way[_near(frames, early.frame)]
                drifts.append(_drift(seen, found, between=float(between)))
    if not pairs:
        return np.zeros((0, 2), np.int64), []
    every, times = np.unique(np.concatenate(pairs), axis=0, return_counts=True)
    return every[np.argsort(-times, kind="stable")], drifts


def _near(frames: Ints, frame: int) -> int:
    return min(int(np.searchsorted(frames, frame)), len(frames) - 1)


def _drift(seen: "Seen", met: "_Met", *, between: float) -> Drift:
    """Of one camera, between where the path has it and where the earlier points do."""
    off = seen.camera_from_world @ met.camera_from_world.inverse()
    turn = float(np.linalg.norm(rotvec_from_matrix(off.rotation)))
    return Drift(float(np.linalg.norm(off.translation)), turn, between, met.moved_rad)


def _meetings(
    scene: Scene, places: list[Place], *, frames: Ints, posed: Ints
) -> Iterator[tuple[list[Place], Place]]:
    """Earlier places that look at the same part of the map as a later one but share hardly any
    track with it."""
    if len(places) < 3:
        return
    near = posed[np.clip(np.searchsorted(frames, [p.frame for p in places]), 0, len(posed) - 1)]
    position, ahead = scene.position[near], scene.rotation[near][:, :, 2]
    rows = scene.observations()
    away = scene.points[scene.views.track[rows]] - scene.position[scene.views.frame[rows]]
    depth = float(np.median(np.linalg.norm(away, axis=1)))
    tree = cKDTree(position)
    for later, place in enumerate(places):
        around = np.array(tree.query_ball_point(position[later], REACH * depth), np.int64)
        around = around[(around < later) & (ahead[around] @ ahead[later] > MAX_VIEW_COS)]
        far = np.linalg.norm(position[around] - position[later], axis=1) / depth
        turned = np.arccos(np.clip(ahead[around] @ ahead[later], -1, 1))
        nearest = (places[k] for k in around[np.argsort(far + turned)])
        met = (early for early in nearest if _shared(early, place) < FEW_SHARED)
        earlier = list(islice(met, CANDIDATES))
        if earlier:
            yield earlier, place


def _shared(first: Place, second: Place) -> int:
    return len(np.intersect1d(first.track, second.track, assume_unique=True))


@dataclass(frozen=True, eq=False)
class Look:
    """A place and its observations, one per track and alike in order."""

    place: Place
    observed: Tracks


@dataclass(frozen=True, eq=False)
class Seen(Look):
    """A later place in the map as it is: camera_from_world, drift and all."""

    camera_from_world: SE3


@dataclass(frozen=True, eq=False)
class _Met:
    """pairs ``(n,2)`` of tracks (earlier, later) that are one point; the later camera_from_world by
    the earlier points; how far from where it was expected a point was seen, in the median."""

    pairs: Ints
    camera_from_world: SE3
    moved_rad: float


def _verify(scene: Scene, config: SlamConfig, early: Place, *, seen: Seen) -> _Met | None:
    """What two places share, if the later can be localised from the earlier's points."""
    known = scene.known[early.track]
    if known.sum() < MIN_INLIERS:
        return None
    points = scene.points[early.track[known]]
    expected = seen.camera_from_world.apply(points)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    near = expected @ seen.observed.rays.T > np.cos(GATE_RAD)
    old, new = match(early.descriptors[known], seen.place.descriptors, allowed=near)
    if len(old) < MIN_INLIERS:
        return None
    view = View.of(points[old], seen.observed, new)
    pose = ransac_pose(view, outlier_px=config.outlier_px)
    if pose is None:
        return None
    found = refine_pose(view, pose, sigma_px=1.0, outlier_px=2 * config.outlier_px)
    old_track, new_track = early.track[known][old], seen.place.track[new]
    good = found.inlier & (old_track != new_track)
    if found.inlier.sum() < MIN_INLIERS or found.inlier.mean() < MIN_SHARE:
        return None
    moved = angular_error(expected[old], seen.observed.rays[new])[found.inlier]
    pairs = np.stack([old_track[good], new_track[good]], axis=1)
    return _Met(pairs, found.camera_from_world, float(np.median(moved)))


def looked(tracks: Observed, place: Place) -> Look:
    """A place with its observations; corners that its frame dropped are left out."""
    here = tracks.of_frames([place.frame])
    still_there = np.isin(place.track, here.track)
    place = Place(place.frame, place.track[still_there], place.descriptors[still_there])
    return Look(place, here.subset(np.isin(here.track, place.track)))


def localised(tracks: Observed, scene: Scene, place: Place, *, config: SlamConfig) -> Seen | None:
    """A place in the map by the points it sees itself; None where they do not suffice."""
    look = looked(tracks, place)
    here = look.observed
    known = scene.known[here.track]
    if known.sum() < config.min_landmarks:
        return None
    view = View.of(scene.points[here.track[known]], here, known)
    pose = ransac_pose(view, outlier_px=config.outlier_px)
    if pose is None:
        return None
    found = refine_pose(view, pose, sigma_px=1.0, outlier_px=2 * config.outlier_px)
    return Seen(look.place, here, found.camera_from_world)


def match(first: Any, second: Any, *, allowed: Bools | None = None) -> tuple[Ints, Ints]:
    """Mutual nearest descriptors among allowed pairs ``(n,m)``, clearly nearer than the next."""
    words = [np.ascontiguousarray(d).view(np.uint64) for d in (first, second)]
    differ = np.bitwise_count(words[0][:, None, :] ^ words[1][None, :, :]).sum(
        axis=2, dtype=np.int64
    )
    if allowed is not None:
        differ = np.where(allowed, differ, 256)
    if differ.shape[1] < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    best = differ.argmin(axis=1)
    two = np.partition(differ, 1, axis=1)[:, :2]
    rows = np.arange(len(best))
    good = (two[:, 0] <= MAX_BITS) & (two[:, 0] < RATIO * two[:, 1])
    good &= differ.argmin(axis=0)[best] == rows
    return rows[good], best[good]


def joined(pairs: Ints, n_tracks: int, *, scene: Scene | None = None) -> Ints:
    """``(n_tracks,)`` new id of every track: the smallest of those it is joined with.

    scene: what one of its keyframes saw side by side are two points and stay apart; so one wrong
    pair does not make one point of two that many pairs hold together.
    """
    root = np.arange(n_tracks)
    seen_by: dict[int, int] = {}  # a bit for every keyframe, by root

    def top(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = int(root[k])
        return k

    for first, second in pairs.tolist():
        low, high = sorted((top(first), top(second)))
        if low == high:
            continue
        if scene is not None:
            bits = [seen_by.get(k) or _keyframes_of(scene, k) for k in (low, high)]
            if bits[0] & bits[1]:
                continue
            seen_by[low] = bits[0] | bits[1]
        root[high] = low
    return np.array([top(k) for k in range(n_tracks)])


def _keyframes_of(scene: Scene, track: int) -> int:
    rows = scene.by_track[scene.track_starts[track] : scene.track_starts[track + 1]]
    return sum(1 << frame for frame in scene.views.frame[rows].tolist())


def renamed(places: list[Place], new_id: Ints) -> list[Place]:
    """The same places under joined ids; of two corners that became one the first stays."""
    result = []
    for place in places:
        track, first = np.unique(new_id[place.track], return_index=True)
        coarse = tuple(size[first] for size in place.coarse)
        result.append(Place(place.frame, track, place.descriptors[first], coarse))
    return result


def relabelled(tracks: Observed, new_id: Ints) -> Observed:
    """The same observations under joined ids. A frame that saw both halves keeps neither: they
    were two points after all, or one of them is wrong."""

    def change(some: Tracks) -> Tracks:
        track = new_id[some.track]
        order = np.lexsort((track, some.frame))
        same = np.zeros(len(order) + 1, bool)  # as the one before
        same[1:-1] = np.diff(some.frame[order] * (len(new_id) + 1) + track[order]) == 0
        return replace(some, track=track).subset(order[~(same[:-1] | same[1:])])

    return tracks.changed(change)
