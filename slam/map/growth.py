"""Structure from motion over the keyframes: the best pair first, then outwards in both directions.

Offline: the pair is the best of the whole stretch, not the first one that will do.
"""

from collections.abc import Callable, Iterator

import numpy as np

from core.geometry.arrays import Ints
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.map.bundle import Projections, adjust
from slam.map.scene import Scene
from slam.sight.keyframes import parallax_px
from slam.sight.localise import Localised, View, ransac_pose, refine_pose
from slam.sight.rays import fit_rotation
from slam.sight.tracks import Tracks, shared
from slam.sight.twoview import TwoView, two_view

WINDOW = 8  # keyframes refined together while the map grows
WINDOW_EVERY = 2  # keyframes from one refinement to the next
LARGE = 1000  # keyframes; of a larger map only so many at its growing end are refined together
MIN_SEED_POINTS = 30
SEED_PARALLAX_PX = 4.0
SEED_TRIES = 12
# Where another adjustment follows: shares of the cost below which a round changes too little to be
# worth it, and looks at one point that are enough to take up drift.
LOOSELY, NEARLY, LOOSE_LOOKS = 1e-2, 1e-3, 8


def grow(
    scene: Scene, config: SlamConfig, *, among: Ints, advance: Callable[[], None] = lambda: None
) -> Ints:
    """Pose as many of the rising keyframes ``among`` as hang together; returns those posed.

    The first points come from depth where a keyframe has it, else from the best pair. Empty where
    neither is there: a still or purely turning camera.
    """
    seed = _plant(scene, config, among)
    if seed is None:
        return np.zeros(0, np.int64)
    low, high = seed
    ends = {-1: int(np.searchsorted(among, low)), 1: int(np.searchsorted(among, high))}
    _fill_between(scene, config, among[ends[-1] + 1 : ends[1]])
    last_global = int(scene.posed[among].sum())
    fresh = dict.fromkeys(ends, 0)  # keyframes at either end since many were refined together
    projections = Projections(scene, sigma_px=config.pixel_sigma)
    step = 1
    while ends:
        step = step if step in ends else -step
        at = ends[step] + step
        if not 0 <= at < len(among) or not extend(scene, config, (among[at], among[at - step])):
            del ends[step]
            step = -step
            continue
        ends[step] = at
        fresh[step] += 1
        advance()
        posed = among[scene.posed[among]]
        doubled = 2 * last_global < len(posed) <= LARGE
        if doubled or fresh[step] > LARGE // 2:
            many = posed[-LARGE:] if step > 0 else posed[:LARGE]
            adjust(scene, many, sigma_px=config.pixel_sigma)
            scene.drop_outliers(2 * config.outlier_px, among=scene.tracks_of(many))
            last_global, fresh[step] = len(posed), 0
        elif at % WINDOW_EVERY == 0:
            window = posed[-WINDOW:] if step > 0 else posed[:WINDOW]
            adjust(scene, window, sigma_px=config.pixel_sigma, rounds=4, projections=projections)
            scene.drop_outliers(2 * config.outlier_px, among=scene.tracks_of(window))
        if abs(at - int(np.searchsorted(among, (low, high)[step > 0]))) % 10 == 9:
            step = -step
    return among[scene.posed[among]]


def finish(scene: Scene, config: SlamConfig, frames: Ints) -> None:
    """Adjust everything, throw out what does not fit, place what now can be placed, and again."""
    for outlier_px, tolerance in (
        (2 * config.outlier_px, NEARLY),
        (config.outlier_px, NEARLY),
        (config.outlier_px, 1e-4),
    ):
        adjust(scene, frames, sigma_px=config.pixel_sigma, rounds=15, tolerance=tolerance)
        scene.drop_outliers(outlier_px)
        scene.readmit(config.outlier_px)
        replace_points(scene, config, frames)


def pull_together(scene: Scene, config: SlamConfig, frames: Ints) -> None:
    """Adjust after joining tracks: loosely first, so that drift is taken up and not thrown out."""
    for looseness in (20.0, 5.0):
        loose_px = looseness * config.pixel_sigma
        adjust(scene, frames, sigma_px=loose_px, rounds=20, tolerance=LOOSELY, looks=LOOSE_LOOKS)
    scene.drop_outliers(4 * config.outlier_px)
    finish(scene, config, frames)


def replace_points(scene: Scene, config: SlamConfig, frames: Ints) -> None:
    """Triangulate every unknown track that these keyframes see."""
    tracks = scene.tracks_of(frames)
    scene.triangulate(tracks[~scene.known[tracks]], max_px=config.outlier_px)


# --- the first pair -----------------------------------------------------------------------------


def _plant(scene: Scene, config: SlamConfig, among: Ints) -> tuple[int, int] | None:
    ranged = _plant_by_range(scene, config, among)
    if ranged is not None:
        return ranged, ranged
    for _, first, second in _pairs(scene, among)[:SEED_TRIES]:
        rows_a, rows_b = scene.of_frame(first), scene.of_frame(second)
        in_a, in_b = shared(scene.views.track[rows_a], scene.views.track[rows_b])
        rays = scene.views.rays
        rad = config.epipolar_px * float(np.median(scene.views.rad_per_px[rows_a]))
        view = two_view(rays[rows_a[in_a]], rays[rows_b[in_b]], max_rad=rad)
        if view is None or view.good.sum() < max(MIN_SEED_POINTS, 0.5 * len(in_a)):
            continue
        _place(scene, (first, second), (view, scene.views.track[rows_a[in_a]]))
        adjust(scene, np.array([first, second]), sigma_px=config.pixel_sigma, rounds=20)
        scene.drop_outliers(2 * config.outlier_px)
        if scene.known.sum() >= MIN_SEED_POINTS // 2:
            return first, second
        _uproot(scene, (first, second))
    return None


def _plant_by_range(scene: Scene, config: SlamConfig, among: Ints) -> int | None:
    """The keyframe whose ranges place most corners; None where lengths are not told."""
    if not scene.ranged:
        return None
    frame = int(among[int(np.argmax(_told(scene.views)[among]))])
    scene.set_pose(frame, SE3.identity())
    scene.triangulate(scene.views.track[scene.of_frame(frame)], max_px=config.outlier_px)
    return frame


def well_ranged(views: Tracks) -> bool:
    """Whether enough corners of a frame have ranges for a map to begin with them, in metres."""
    return int(_told(views).max(initial=0)) >= MIN_SEED_POINTS


def _told(views: Tracks) -> Ints:
    """How many ranges every frame has."""
    if views.ranges is None:
        return np.zeros(len(views.timestamps_ns), np.int64)
    told = np.isfinite(views.ranges.range_m)
    return np.bincount(views.frame[told], minlength=len(views.timestamps_ns))


def _pairs(scene: Scene, among: Ints) -> list[tuple[float, int, int]]:
    """Pairs worth trying, best first: many shared corners that moved, rotation taken out."""
    found = []
    for k in np.unique(np.linspace(0, len(among) - 1, 40).astype(int)):
        rows = scene.of_frame(among[k])
        for other in among[k + 1 : k + 20]:
            rows_other = scene.of_frame(other)
            in_a, in_b = shared(scene.views.track[rows], scene.views.track[rows_other])
            if len(in_a) < MIN_SEED_POINTS:
                break
            views = scene.views
            moved = parallax_px(views.subset(rows[in_a]), views.subset(rows_other[in_b]))
            if moved > SEED_PARALLAX_PX:
                score = len(in_a) * min(moved, 40.0)
                found.append((score, int(among[k]), int(other)))
    return sorted(found, reverse=True)


def _place(scene: Scene, pair: tuple[int, int], seen: tuple[TwoView, Ints]) -> None:
    view, tracks = seen
    depth = float(np.median(np.linalg.norm(view.points_in_first[view.good], axis=1)))
    scene.set_pose(pair[0], SE3.identity())
    second_from_first = SE3(
        view.second_from_first.rotation, view.second_from_first.translation / depth
    )
    scene.set_pose(pair[1], second_from_first.inverse())
    scene.points[tracks[view.good]] = view.points_in_first[view.good] / depth
    scene.known[tracks[view.good]] = True


def _uproot(scene: Scene, pair: tuple[int, int]) -> None:
    for frame in pair:
        scene.posed[frame] = False
        rows = scene.of_frame(frame)
        scene.known[scene.views.track[rows]] = False
        scene.used[rows] = True


# --- one more keyframe --------------------------------------------------------------------------


def _fill_between(scene: Scene, config: SlamConfig, between: Ints) -> None:
    for frame in between:
        extend(scene, config, (frame, frame - 1))
    posed = np.flatnonzero(scene.posed)
    adjust(scene, posed, sigma_px=config.pixel_sigma)


def extend(scene: Scene, config: SlamConfig, frame_and_neighbour: tuple[int, int]) -> bool:
    """Pose one more keyframe, from its neighbour or from the points alone, and place what it adds;
    False where it sees too little."""
    frame, neighbour = (int(k) for k in frame_and_neighbour)
    found = localise(scene, config, (frame, neighbour))
    if found is None:
        return False
    scene.set_pose(frame, found[0].camera_from_world.inverse())
    scene.used[found[1]] = found[0].inlier
    rows = scene.of_frame(frame)
    tracks = scene.views.track[rows]
    scene.triangulate(tracks[~scene.known[tracks]], max_px=config.outlier_px)
    return True


def localise(
    scene: Scene, config: SlamConfig, frame_and_neighbour: tuple[int, int]
) -> tuple[Localised, Ints] | None:
    """One keyframe in the map as it is, and its observations of known points; None where it sees
    too little."""
    frame, neighbour = frame_and_neighbour
    view, rows = scene.view_of(frame)
    if len(rows) < config.min_landmarks:
        return None
    best: Localised | None = None
    for start in _guesses(scene, config, (frame, neighbour, view)):
        found = refine_pose(
            view, start, sigma_px=config.pixel_sigma, outlier_px=2 * config.outlier_px
        )
        if best is None or found.inlier.sum() > best.inlier.sum():
            best = found
        if best.inlier.mean() > 0.7:
            break
    if best is None or best.inlier.sum() < max(config.min_landmarks, 0.3 * len(rows)):
        return None
    return best, rows


def _guesses(scene: Scene, config: SlamConfig, about: tuple[int, int, View]) -> Iterator[SE3]:
    """Where the new keyframe may be: at its neighbour, turned as the corners say; then from P3P."""
    frame, neighbour, view = about
    if scene.posed[neighbour]:
        rows, rows_old = scene.of_frame(frame), scene.of_frame(neighbour)
        here, there = shared(scene.views.track[rows], scene.views.track[rows_old])
        if len(here) >= 8:
            turn = fit_rotation(scene.views.rays[rows_old[there]], scene.views.rays[rows[here]])
            camera_from_world = scene.world_from_camera[neighbour].inverse()
            yield SE3(turn, np.zeros(3)) @ camera_from_world
    pose = ransac_pose(view, outlier_px=config.outlier_px)
    if pose is not None:
        yield pose
