"""Pillars: the keyframes that hold up a map. Whoever stays in one place all day sees it no better
for every further look, so what is adjusted together grows with the scene and not with time.

A keyframe is covered when most of its points were seen on several earlier visits. Where that leaves
more pillars than can be adjusted together, as where half of what is seen lies on things that are
moved all the time, a smaller share will do. Covered ones step aside while the pillars are adjusted,
then take the pose from which the finished map is seen; with an IMU all get the velocities and the
smoothness that it tells.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from scipy.spatial import cKDTree

from core.geometry.arrays import Floats, Ints
from slam.config import SlamConfig
from slam.map import growth
from slam.map.mapping import SceneMap
from slam.map.scene import Scene
from slam.map.smoothing import smooth
from slam.sight.localise import Localised

# Share of a keyframe's points that earlier visits have seen often enough: the first that leaves no
# more than so many pillars, else the last.
COVERED = (0.6, 0.5, 0.4, 0.3, 0.2)
MOST = 200
VISITS = 3  # pillars that make a point well seen
APART_S = 3.0  # pillars nearer in time are the same visit


def choose_pillars(scene: Scene, posed: Ints) -> Ints:
    """Those of the rising keyframes ``posed`` that are not covered by earlier ones; the first and
    the last are always among them."""
    for share in COVERED:
        chosen = _not_covered(scene, posed, share=share)
        if len(chosen) <= MOST:
            break
    return chosen


def _not_covered(scene: Scene, posed: Ints, *, share: float) -> Ints:
    seconds = scene.views.timestamps_ns * 1e-9
    visits = np.zeros(len(scene.known), np.int64)
    waiting: deque[int] = deque()
    chosen: list[int] = []
    for frame in posed.tolist():
        while waiting and seconds[frame] - seconds[waiting[0]] > APART_S:
            visits[_points_of(scene, waiting.popleft())] += 1
        points = _points_of(scene, frame)
        covered = np.sum(visits[points] >= VISITS) > share * len(points)
        if not covered or frame == posed[-1]:
            chosen.append(frame)
            waiting.append(frame)
    return np.array(chosen, np.int64)


def _points_of(scene: Scene, frame: int) -> Ints:
    rows = scene.of_frame(frame)
    tracks = scene.views.track[rows[scene.used[rows]]]
    return tracks[scene.known[tracks]]


def adjust_joined(scene: Scene, config: SlamConfig, posed: Ints, *, drifted: bool = True) -> Ints:
    """Adjust a map whose tracks were joined, by its pillars; returns the keyframes it then has.

    drifted: what was joined is apart by some drift, which has to be taken up first.
    """
    pillars = choose_pillars(scene, posed)
    covered = _step_aside(scene, posed, pillars)
    adjusting = growth.pull_together if drifted else growth.finish
    adjusting(scene, config, pillars)
    take_back(scene, config, covered)
    return np.flatnonzero(scene.posed)


def _step_aside(scene: Scene, posed: Ints, pillars: Ints) -> Ints:
    """Leave the pillars alone with the points that they place by themselves; returns the rest.

    Other points slide along their rays into cameras, until an adjustment cannot step any more.
    """
    covered = np.setdiff1d(posed, pillars)
    scene.posed[covered] = False
    scene.drop_outliers(np.inf)
    return covered


def take_back(scene: Scene, config: SlamConfig, covered: Ints) -> dict[int, Localised]:
    """Pose covered keyframes in the finished map and place what they alone see; returns those that
    found their pose."""
    found: dict[int, Localised] = {}
    for frame in covered.tolist():
        seen = growth.localise(scene, config, (frame, max(frame - 1, 0)))
        if seen is None:
            continue
        scene.set_pose(frame, seen[0].camera_from_world.inverse())
        scene.used[seen[1]] = seen[0].inlier
        found[frame] = seen[0]
    if found:
        growth.replace_points(scene, config, np.array(list(found)))
    return found


@contextmanager
def on_pillars(scene_map: SceneMap, config: SlamConfig) -> Iterator[None]:
    """Within, the map is its pillars alone; afterwards the covered keyframes are back in it, with
    their IMU states where it has some and their share of its covariance."""
    scene, pillars = scene_map.scene, choose_pillars(scene_map.scene, scene_map.posed)
    covered = _step_aside(scene, scene_map.posed, pillars)
    scene_map.posed = pillars
    scene_map.covariance = np.zeros((len(pillars), 6, 6))
    yield
    seen = {k: found.covariance for k, found in take_back(scene, config, covered).items()}
    if not seen:
        return
    scene_map.posed = every = np.flatnonzero(scene.posed)
    if scene_map.inertial is not None and scene_map.imu is not None:
        known = (pillars, scene_map.inertial)
        sure = _sure_of(scene, config, pillars) | seen
        scene_map.inertial = smooth(scene, scene_map.imu, every, known=known, seen=sure)
    of_map = scene_map.covariance
    nearest = cKDTree(scene.position[pillars]).query(scene.position[every])[1]
    scene_map.covariance = of_map[nearest]
    for row, frame in enumerate(every.tolist()):
        if frame in seen:
            scene_map.covariance[row] += _in_world(seen[frame], scene.rotation[frame])


def _sure_of(scene: Scene, config: SlamConfig, frames: Ints) -> dict[int, Floats]:
    """Covariance ``(6,6)`` of keyframes as the map sees them: a pillar that hangs on few points has
    to give way to what the IMU says of its neighbours."""
    looks = {k: growth.localise(scene, config, (k, k)) for k in frames.tolist()}
    return {k: look[0].covariance for k, look in looks.items() if look is not None}


def _in_world(covariance: Floats, world_from_camera: Floats) -> Floats:
    turn = np.kron(np.eye(2), world_from_camera)
    return np.asarray(turn @ covariance @ turn.T)
