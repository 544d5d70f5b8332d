"""When parallel jaws hold a thing, and where a thing comes to rest: the rule, not a simulation.

A thing is held when both pads touch it with normals inside their friction cones, on opposite sides.
What is let go falls straight down, upright as it was, onto the first thing or desk below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from sim.robots.builds import Jaws
from sim.tasks.things import Part, Thing, thing_distance

Array = NDArray[np.float64]

TOUCH_M = 0.0006
FRICTION = 0.8  # of a rubber pad: a pad holds what it meets within atan(0.8) = 39 degrees
PAD_LENGTH_M = 0.035  # of a finger, from its tip
GIVES_WAY_M = 0.004  # things that overlap no more than this do not carry each other
DROP_STEP_M = 0.002
NEAR_M = 0.06  # a thing farther than this and half its size from the tool point is not touched


@dataclass(frozen=True, eq=False)
class Touch:
    """Distance (2,) of a thing from the pads at tool +z and -z, metres; whether it is gripped."""

    gap: Array
    opposed: bool

    @property
    def both(self) -> bool:
        """Both pads touch."""
        return bool((self.gap < TOUCH_M).all())


def pads(jaws: Jaws, width_m: float) -> Array:
    """(2, N, 3) points of the two pads' inner faces in the tool frame: at +z, then at -z."""
    along = np.linspace(jaws.tip_m - PAD_LENGTH_M, jaws.tip_m, 12)
    across = np.linspace(-jaws.half_width_m, jaws.half_width_m, 3)
    x, y = (grid.ravel() for grid in np.meshgrid(along, across))
    return np.stack([np.stack([x, y, np.full_like(x, s * width_m / 2)], -1) for s in (1, -1)])


def fingers(jaws: Jaws, width_m: float) -> Array:
    """(N, 3) points through both fingers in the tool frame."""
    inner = pads(jaws, width_m)
    away = np.array([0.0, 0.0, jaws.thickness_m])
    layers = [inner + s * away * [[[1]], [[-1]]] for s in (0.0, 0.5, 1.0)]
    return np.concatenate(layers).reshape(-1, 3)


def touch(thing: Thing, thing_from_tool: SE3, *, jaws: Jaws, width_m: float) -> Touch:
    """How the pads stand to a thing."""
    points = thing_from_tool.apply(pads(jaws, width_m).reshape(-1, 3)).reshape(2, -1, 3)
    distance = thing_distance(points, thing)
    first = distance.argmin(axis=1)
    gap = distance[[0, 1], first]
    axis = thing_from_tool.rotation[:, 2]
    opposed = True
    for pad, sign in ((0, 1.0), (1, -1.0)):
        normal = _normal(points[pad, first[pad]], thing)
        opposed &= bool(sign * (normal @ axis) > 1.0 / np.hypot(1.0, FRICTION))
    return Touch(gap, opposed)


def _normal(point: Array, thing: Thing) -> Array:
    """The direction (3,) in which the distance to a thing grows fastest."""
    step = 5e-4 * np.eye(3)
    slope = thing_distance(point + step, thing) - thing_distance(point - step, thing)
    return np.asarray(slope / max(float(np.linalg.norm(slope)), 1e-12))


def upright(pose: SE3) -> SE3:
    """Turned by the least angle that makes its most vertical axis vertical."""
    column = int(np.abs(pose.rotation[2]).argmax())
    axis = pose.rotation[:, column] * np.sign(pose.rotation[2, column])
    cross = np.cross(axis, [0.0, 0.0, 1.0])
    angle = np.arctan2(np.linalg.norm(cross), axis[2])
    turn = cross / max(float(np.linalg.norm(cross)), 1e-12) * angle
    return SE3(matrix_from_rotvec(turn) @ pose.rotation, pose.translation)


def resting_height(thing: Thing, pose: SE3, others: list[tuple[Thing, SE3]]) -> float:
    """Height of a thing's origin when it has fallen from a pose, desk frame."""
    points = pose.apply(surface(thing))
    bottom = float(points[:, 2].min())
    if bottom <= 0:
        return float(pose.translation[2] - bottom)
    drops = np.arange(0.0, bottom, DROP_STEP_M)
    fallen = points - np.array([0.0, 0.0, 1.0]) * drops[:, None, None]
    way = bottom
    for other, where in others:
        reach = np.hypot(*thing.half[:2]) + np.hypot(*other.half[:2]) + 0.02
        if np.linalg.norm(where.translation[:2] - pose.translation[:2]) > reach:
            continue
        deep = thing_distance(where.inverse().apply(fallen.reshape(-1, 3)), other)
        lowest = deep.reshape(len(drops), -1).min(axis=1)
        hits = np.flatnonzero(lowest < -DROP_STEP_M / 2)
        gives_way = len(hits) and hits[0] == 0 and lowest[0] > -GIVES_WAY_M
        if len(hits) and not gives_way:
            way = min(way, float(drops[max(hits[0] - 1, 0)]))
    return float(pose.translation[2] - way)


def surface(thing: Thing) -> Array:
    """(N, 3) points on a thing's parts, its own frame."""
    return np.concatenate([_part_surface(part) for part in thing.parts])


def _part_surface(part: Part) -> Array:
    grid = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3), -1).reshape(-1, 3)
    directions = grid[np.abs(grid).sum(1) > 0]
    if part.shape == "box":
        unit = directions * np.array(part.size)
    elif part.shape == "cylinder":
        angle = np.arange(12) * (np.pi / 6)
        ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1) * part.size[0]
        ring = np.concatenate([ring, np.zeros((1, 3))])
        level = np.array([0.0, 0.0, part.size[1]])
        unit = np.concatenate([ring - level, ring + level])
    else:
        round_ = directions / np.linalg.norm(directions, axis=1)[:, None]
        unit = round_ * np.array(part.size)
    return np.asarray(unit + np.array(part.position))
