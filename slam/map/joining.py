"""Separate maps that saw the same place become one; stretches without a map find their way back.

A join needs several places that agree on one similarity, measured by matched points alone: nothing
is assumed of what happened while the camera was lost. What does not agree stays apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.map.loops import Look, Seen, joined, localised, match, relabelled, renamed
from slam.map.mapping import SceneMap
from slam.map.pillars import adjust_joined
from slam.map.recognise import best_first, likeness
from slam.map.scene import Scene
from slam.sight.localise import View, errors_px, ransac_pose, refine_pose
from slam.sight.places import Place
from slam.sight.tracks import Observed

CANDIDATES = 4  # places of the other map tried for every place
MAX_TRIES = 150  # pairs of places looked at for one pair of maps
ENOUGH_PLACES = 6  # agreeing places after which no more are looked for
MIN_INLIERS, MIN_SHARE = 15, 0.4  # of the matches between two places
MIN_PLACES, MANY_INLIERS = 2, 60  # agreeing places; or one with so many inliers
MANY_MATCHES = 40  # at one distance, with which no other is tried
MIN_HELD = 0.5  # share of the joined points that the common map must keep


@dataclass(frozen=True, eq=False)
class Meeting:
    """A look recognised in a map.

    pairs ``(M,2)``: tracks (in the map, in the look) of one point.   points ``(M,3)``: the map's.
    here ``(M,)``: rows of look.observed.   world_from_camera: of the look, in the map's world.
    """

    look: Look
    pairs: Ints
    points: Floats
    here: Ints
    world_from_camera: SE3


@dataclass(frozen=True, eq=False)
class Similarity:
    """new_from_old: scaled first, then moved."""

    new_from_old: SE3
    scale: float

    def carry(self, world_from_camera: SE3) -> SE3:
        """The same camera in the new world."""
        moved = SE3(world_from_camera.rotation, self.scale * world_from_camera.translation)
        return self.new_from_old @ moved


def join_maps(
    tracks: Observed, maps: list[SceneMap], config: SlamConfig, *, places: list[Place]
) -> tuple[Observed, list[SceneMap], list[Place]]:
    """Join whatever maps can be joined; returns all under the joined track ids."""
    refused: set[tuple[int, int]] = set()
    while True:
        pair = _next_pair(maps, refused)
        if pair is None:
            return tracks, maps, places
        known, other = pair
        joints = _agreeing(tracks, (known, other), config, places=places)
        result = _joined(tracks, (known, other), config, joints=joints) if joints else None
        if result is None:
            refused.add((id(known), id(other)))
            continue
        tracks, common, new_id = result
        places = renamed(places, new_id)
        maps = [common if m is known else m for m in maps if m is not other]


def _next_pair(
    maps: list[SceneMap], refused: set[tuple[int, int]]
) -> tuple[SceneMap, SceneMap] | None:
    """The largest maps first: they have the most to be recognised by."""
    order = sorted(maps, key=lambda m: -len(m.posed))
    for k, known in enumerate(order):
        for other in order[k + 1 :]:
            if (id(known), id(other)) not in refused:
                return known, other
    return None


# --- do they agree -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Joint:
    """A place of one map that was recognised in another, and the similarity it says."""

    meeting: Meeting
    late: Seen
    similarity: Similarity


def _agreeing(
    tracks: Observed,
    pair: tuple[SceneMap, SceneMap],
    config: SlamConfig,
    *,
    places: list[Place],
) -> list[Joint]:
    """Places that agree on one similarity from the second map to the first; else empty."""
    found: list[Joint] = []
    best: list[Joint] = []
    for joint in _joints(tracks, pair, config, places=places):
        found.append(joint)
        best = _largest_agreement(found, config)
        if len(best) >= ENOUGH_PLACES:
            break
    if len(best) < MIN_PLACES and _weight(best) < MANY_INLIERS:
        return []
    return best


def _joints(
    tracks: Observed,
    pair: tuple[SceneMap, SceneMap],
    config: SlamConfig,
    *,
    places: list[Place],
) -> Iterator[Joint]:
    """Places of the other map recognised in the known one, the most alike first."""
    known, other = pair
    there, here = (places_of(m, places) for m in pair)
    seen: dict[int, Seen | None] = {}
    for h, t in most_alike(here, there):
        if h not in seen:
            seen[h] = localised(tracks, other.scene, here[h], config=config)
        late = seen[h]
        meeting = None if late is None else meet(known.scene, there[t], late, config=config)
        if late is None or meeting is None:
            continue
        similarity = _similarity(meeting, late, other.scene)
        if similarity is not None:
            yield Joint(meeting, late, similarity)


def most_alike(here: Sequence[Place], there: Sequence[Place]) -> list[tuple[int, int]]:
    """Rows of the pairs of places worth comparing, the most alike first."""
    if not here or not there:
        return []
    alike = likeness(here, there)
    tries = [
        (alike[h, t], h, int(t)) for h in range(len(here)) for t in best_first(alike[h], CANDIDATES)
    ]
    return [(h, t) for _, h, t in sorted(tries, reverse=True)[:MAX_TRIES]]


def places_of(scene_map: SceneMap, places: Sequence[Place]) -> list[Place]:
    """Places whose corners are points of this map."""
    known = scene_map.scene.known
    return [p for p in places if known[p.track].sum() >= MIN_INLIERS]


def meet(scene: Scene, early: Place, late: Look, *, config: SlamConfig) -> Meeting | None:
    """The later look localised from the earlier place's points, with no idea of where it is."""
    known = scene.known[early.track]
    if known.sum() < MIN_INLIERS:
        return None
    there = early.track[known]
    old, here = match_at_any_distance(early, late.place, known)
    if len(old) < MIN_INLIERS:
        return None
    view = View.of(scene.points[there[old]], late.observed, here)
    pose = ransac_pose(view, outlier_px=config.outlier_px)
    if pose is None:
        return None
    found = refine_pose(view, pose, sigma_px=1.0, outlier_px=2 * config.outlier_px)
    good = found.inlier
    if good.sum() < MIN_INLIERS or good.mean() < MIN_SHARE:
        return None
    pairs = np.stack([there[old], late.place.track[here]], axis=1)[good]
    return Meeting(late, pairs, view.points[good], here[good], found.camera_from_world.inverse())


def match_at_any_distance(early: Place, late: Place, known: Bools) -> tuple[Ints, Ints]:
    """Rows among the known corners of the earlier place and rows of the later one; where few match,
    either picture is taken at its smaller sizes, as if from as far away as the other."""
    best = match(early.descriptors[known], late.descriptors)
    if len(best[0]) >= MANY_MATCHES:
        return best
    smaller = [(size[known], late.descriptors) for size in early.coarse]
    smaller += [(early.descriptors[known], size) for size in late.coarse]
    return max([best, *(match(*pair) for pair in smaller)], key=lambda rows: len(rows[0]))


def _similarity(meeting: Meeting, late: Seen, scene: Scene) -> Similarity | None:
    """From the late place's map to the known one, by one place; None where depth is missing."""
    both = scene.known[meeting.pairs[:, 1]]
    if both.sum() < MIN_INLIERS // 2:
        return None
    away_known = meeting.points[both] - meeting.world_from_camera.translation
    world_from_late = late.camera_from_world.inverse()
    away_other = scene.points[meeting.pairs[both, 1]] - world_from_late.translation
    ratio = np.linalg.norm(away_known, axis=1) / np.linalg.norm(away_other, axis=1)
    scale = float(np.median(ratio))
    scaled = SE3(world_from_late.rotation, scale * world_from_late.translation)
    return Similarity(meeting.world_from_camera @ scaled.inverse(), scale)


def _largest_agreement(found: list[Joint], config: SlamConfig) -> list[Joint]:
    """Those that fit the similarity which most of them fit; every place once."""
    best: list[Joint] = []
    for joint in found:
        fit = [other for other in found if _fits(other, joint.similarity, config)]
        best = max(best, fit, key=_weight)
    return list({j.late.place.frame: j for j in best}.values())


def _weight(joints: list[Joint]) -> int:
    return sum(len(j.meeting.pairs) for j in joints)


def _fits(joint: Joint, similarity: Similarity, config: SlamConfig) -> bool:
    """Whether most matches of a place are seen where the similarity puts them; drift allowed."""
    meeting, observed = joint.meeting, joint.late.observed
    world_from_camera = similarity.carry(joint.late.camera_from_world.inverse())
    rows = meeting.here
    view = View.of(meeting.points, observed, rows)
    error = errors_px(view, world_from_camera.inverse())
    return bool(np.mean(error < 8 * config.outlier_px) > 0.6)


# --- one map of two ------------------------------------------------------------------------------


def _joined(
    tracks: Observed,
    pair: tuple[SceneMap, SceneMap],
    config: SlamConfig,
    *,
    joints: list[Joint],
) -> tuple[Observed, SceneMap, Ints] | None:
    """The common map, adjusted; None where it does not hold together."""
    known, other = pair
    similarity = max(joints, key=lambda j: len(j.meeting.pairs)).similarity
    pairs = np.unique(np.concatenate([j.meeting.pairs for j in joints]), axis=0)
    new_id = joined(pairs, tracks.n_tracks)
    tracks = relabelled(tracks, new_id)
    scene, frames = _common_scene(tracks, pair, new_id, similarity=similarity)
    posed = adjust_joined(scene, config, np.flatnonzero(scene.posed))
    of_first = np.isin(frames, known.frames[known.posed])
    if _held(scene, new_id[pairs[:, 0]], of_first=of_first) < MIN_HELD:
        return None
    common = SceneMap(known.map_id, scene, frames, posed, np.zeros((len(posed), 6, 6)))
    common.drifts = known.drifts + other.drifts
    common.regained = known.regained + other.regained
    common.joins = known.joins + other.joins + 1
    return tracks, common, new_id


def _common_scene(
    tracks: Observed,
    pair: tuple[SceneMap, SceneMap],
    new_id: Ints,
    *,
    similarity: Similarity,
) -> tuple[Scene, Ints]:
    """Both maps in the first one's world, before adjustment, and the video frames of its rows."""
    frames = np.sort(np.concatenate([m.frames[m.posed] for m in pair]))
    ranged = any(m.scene.ranged for m in pair)
    scene = Scene(tracks.of_frames(frames), len(new_id), ranged)
    itself = new_id == np.arange(len(new_id))
    for scene_map, carry in zip(pair, (None, similarity), strict=True):
        mine = scene_map.scene
        for row in scene_map.posed:
            pose = mine.world_from_camera[int(row)]
            at = int(np.searchsorted(frames, scene_map.frames[row]))
            scene.set_pose(at, pose if carry is None else carry.carry(pose))
        new = mine.known & itself & ~scene.known
        points = mine.points[new]
        if carry is not None:
            points = carry.new_from_old.apply(carry.scale * points)
        scene.points[new], scene.known[new] = points, True
    return scene, frames


def _held(scene: Scene, tracks: Ints, *, of_first: Bools) -> float:
    """Share of these tracks that keyframes of both maps still use after adjustment."""
    tracks = np.unique(tracks)
    rows = scene.observations()
    rows = rows[np.isin(scene.views.track[rows], tracks)]
    first = of_first[scene.views.frame[rows]]
    seen_by = [np.isin(tracks, scene.views.track[rows[side]]) for side in (first, ~first)]
    return float(np.mean(seen_by[0] & seen_by[1])) if len(tracks) else 0.0
