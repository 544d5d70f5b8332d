"""What a wrist camera may see for a while: landmarks, planes and head pictures around that time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.geometry.arrays import Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from slam.map.mapping import SceneMap
from slam.wrist.drawing import Look, Table
from slam.wrist.landmarks import Landmarks, Picture, landmarks_in
from slam.wrist.surfaces import Surfaces

EVERY_S = 0.7  # keyframes whose pictures are used are at least this far apart
MARGIN_S = 8.0  # before and after: a hand hides the table where it is now
LOOKS = 6  # head pictures that a view is drawn from


@dataclass(frozen=True, eq=False)
class Surroundings:
    """landmark_ns ``(P,)``: of the pictures that the landmarks' patches are from.   looks, and
    look_ns ``(L,)``: head pictures with their times."""

    landmarks: Landmarks
    landmark_ns: Ints
    table: Table | None
    looks: list[Look]
    look_ns: Ints

    def looks_near(self, time_ns: int) -> list[Look]:
        """The nearest in time first."""
        order = np.argsort(np.abs(self.look_ns - time_ns), kind="stable")
        return [self.looks[k] for k in order[:LOOKS]]


def keyframes_around(
    scene_map: SceneMap, times_ns: Ints, span_ns: tuple[int, int]
) -> list[tuple[int, int]]:
    """Posed keyframes (row of the scene, row of the tick) to look at the time span with: the same
    ones for spans that overlap. times_ns: of the ticks.
    """
    chosen: list[tuple[int, int]] = []
    last = -np.inf
    for keyframe in scene_map.posed.tolist():
        tick = int(scene_map.frames[keyframe])
        time = int(times_ns[tick])
        if time - last < EVERY_S * 1e9:
            continue
        last = time
        if span_ns[0] - MARGIN_S * 1e9 <= time <= span_ns[1] + MARGIN_S * 1e9:
            chosen.append((keyframe, tick))
    return chosen


def surroundings_of(
    scene_map: SceneMap, camera: Camera, shown: Sequence[Picture], *, times_ns: Ints
) -> Surroundings | None:
    """From some keyframes' pictures; None without any. camera: the head's. times_ns: of ticks."""
    if not shown:
        return None
    scene = scene_map.scene
    surfaces = Surfaces.around(scene_map, np.array([p.keyframe for p in shown]))
    taken = np.zeros(scene.n_tracks, bool)
    parts: list[Landmarks] = []
    looks: list[Look] = []
    for picture in shown:
        part, tracks = landmarks_in(surfaces, camera, picture, without=taken)
        taken[tracks] = True
        parts.append(part)
        pose = scene.world_from_camera[picture.keyframe]
        looks.append(Look(picture.grey, SE3(pose.rotation, pose.translation), picture.free))
    landmarks = Landmarks.joined(parts)
    return Surroundings(
        landmarks,
        times_ns[landmarks.frame],
        Table.of(surfaces),
        looks,
        times_ns[np.array([p.tick for p in shown])],
    )


def windows(times_ns: Ints, maps: Sequence[int], *, longest_s: float) -> Iterator[tuple[int, int]]:
    """First and last row of stretches on one map, -1 for none, that overlap by one row."""
    rows = np.arange(len(times_ns))
    borders = np.flatnonzero(np.diff(np.asarray(maps)) != 0) + 1
    for run in np.split(rows, borders):
        if not len(run) or maps[run[0]] < 0:
            continue
        first = int(run[0])
        while first < run[-1] or first == run[0] == run[-1]:
            inside = run[(run >= first) & (times_ns[run] <= times_ns[first] + longest_s * 1e9)]
            yield first, int(inside[-1])
            if inside[-1] == first:
                break
            first = int(inside[-1])
