"""Objects on the desk: shapes made of a few primitive parts, and distances to them.

Desk frame: z up, the desk's top is z = 0, x away from the person, y to the left. A thing's own
frame has its origin at the centre of the part that is grasped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """A primitive of a thing, in the thing's frame.

    shape: box (half sizes), cylinder (radius, half height), sphere (radius), ellipsoid (radii).
    """

    shape: str
    size: tuple[float, ...]
    position: Vector = (0.0, 0.0, 0.0)
    colour: Vector = (0.8, 0.8, 0.8)
    texture: str | None = None
    alpha: float = 1.0


@dataclass(frozen=True)
class Thing:
    """One object. half: half sizes of its bounding box.  start: desk frame.  yaw: radians."""

    name: str
    parts: tuple[Part, ...]
    half: Vector
    start: Vector = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    movable: bool = True
    tags: tuple[str, ...] = field(default=())


def part_distance(points: Array, part: Part) -> Array:
    """Signed distance (...,) of points (..., 3) in the thing's frame to one part."""
    p = points - np.array(part.position)
    size = np.array(part.size)
    if part.shape == "sphere":
        return np.linalg.norm(p, axis=-1) - size[0]
    if part.shape == "ellipsoid":
        k = np.linalg.norm(p / size, axis=-1)
        return k * (k - 1.0) / np.maximum(np.linalg.norm(p / size**2, axis=-1), 1e-9)
    if part.shape == "cylinder":
        q = np.stack([np.hypot(p[..., 0], p[..., 1]) - size[0], np.abs(p[..., 2]) - size[1]], -1)
    else:
        q = np.abs(p) - size
    return np.linalg.norm(np.maximum(q, 0.0), axis=-1) + np.minimum(q.max(-1), 0.0)


def thing_distance(points: Array, thing: Thing) -> Array:
    """Signed distance (...,) of points (..., 3) in the thing's frame to its nearest part."""
    return np.stack([part_distance(points, part) for part in thing.parts]).min(0)


def block(name: str, colour: Vector, half: Vector = (0.02, 0.02, 0.02)) -> Thing:
    """A painted wooden block."""
    return Thing(name, (Part("box", half, colour=colour, texture="grain"),), half)


def can(name: str, colour: Vector, *, radius: float = 0.024, half_height: float = 0.035) -> Thing:
    """A bottle, can or jar with a lid."""
    lid = Part("cylinder", (radius * 0.7, 0.006), (0, 0, half_height + 0.006), (0.92, 0.92, 0.9))
    body = Part("cylinder", (radius, half_height), colour=colour, texture="label")
    return Thing(name, (body, lid), (radius, radius, half_height))


def egg(name: str, colour: Vector) -> Thing:
    """An egg lying on its side."""
    radii = (0.028, 0.0215, 0.0215)
    return Thing(name, (Part("ellipsoid", radii, colour=colour, texture="shell"),), radii)


def tray(name: str, colour: Vector, *, half: Vector = (0.085, 0.11, 0.012)) -> Thing:
    """An open tray; stands where it is."""
    hx, hy, hz = half
    wall = 0.004
    parts = (
        Part("box", (hx, hy, 0.003), (0, 0, 0.003), colour, "grain"),
        Part("box", (wall, hy, hz), (hx, 0, hz), colour),
        Part("box", (wall, hy, hz), (-hx, 0, hz), colour),
        Part("box", (hx, wall, hz), (0, hy, hz), colour),
        Part("box", (hx, wall, hz), (0, -hy, hz), colour),
    )
    return Thing(name, parts, half, movable=False)


def mat(name: str, texture: str, half: Vector = (0.1, 0.14, 0.0006)) -> Thing:
    """A printed sheet lying on the desk."""
    return Thing(name, (Part("box", half, texture=texture),), half, movable=False)
