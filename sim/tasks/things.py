"""Objects on the desk: shapes made of a few primitive parts, and distances to them.

Desk frame: z up, the desk's top is z = 0, x away from the person, y to the left. A thing's own
frame has its origin at the centre of the part that is grasped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3

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
class Hinge:
    """A thing that turns about its own x axis instead of being carried: 0 rad is closed.

    start_rad: where it stands at first.  press: where a hand pushes, on the side of its +z.
    """

    start_rad: float
    press: Vector


@dataclass(frozen=True)
class Thing:
    """One object. half: half sizes of its bounding box.  start: desk frame.  yaw: radians.

    hinge: where it is fixed by one; the thing's origin then lies on the hinge's line.
    grip_m: how far along its y from the middle a hand takes it, the left one at +y.
    """

    name: str
    parts: tuple[Part, ...]
    half: Vector
    start: Vector = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    movable: bool = True
    tags: tuple[str, ...] = field(default=())
    hinge: Hinge | None = None
    grip_m: float = 0.0

    def desk_from_thing(self) -> SE3:
        """Where it stands at first."""
        roll = self.hinge.start_rad if self.hinge else 0.0
        return SE3(matrix_from_ypr(self.yaw, 0.0, roll), np.array(self.start))


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


def hinge_angle(thing: Thing, desk_from_thing: SE3) -> Array:
    """How far (...,) a hinged thing stands open, radians."""
    turned = matrix_from_ypr(thing.yaw, 0.0, 0.0).T @ desk_from_thing.rotation
    return np.asarray(np.arctan2(turned[..., 2, 1], turned[..., 1, 1]))


def at_grip(thing: Thing, desk_from_thing: SE3, side: str) -> tuple[Thing, SE3]:
    """The thing, and its pose, with the origin moved to where one hand takes it."""
    if thing.grip_m == 0:
        return thing, desk_from_thing
    offset = np.array([0.0, thing.grip_m if side == "left" else -thing.grip_m, 0.0])
    parts = []
    for part in thing.parts:
        x, y, z = np.array(part.position) - offset
        parts.append(replace(part, position=(float(x), float(y), float(z))))
    return (
        replace(thing, parts=tuple(parts)),
        SE3(desk_from_thing.rotation, desk_from_thing.apply(offset)),
    )


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


def lid(name: str, colour: Vector, *, half: tuple[float, float], start_rad: float) -> Thing:
    """A lid hinged along its own x, over +y when closed: half its width, half its depth."""
    hx, hy = half
    rim = 0.010
    parts = (
        Part("box", (hx, hy, 0.0015), (0, hy, 0), colour, "grain"),
        Part("box", (hx, 0.0015, rim), (0, 2 * hy, -rim), colour),
        Part("box", (hx, 0.0015, rim), (0, 0, -rim), colour),
        Part("box", (0.0015, hy, rim), (hx, hy, -rim), colour),
        Part("box", (0.0015, hy, rim), (-hx, hy, -rim), colour),
    )
    press = (0.0, 1.6 * hy, 0.0015)
    return Thing(name, parts, (hx, 2 * hy, rim), hinge=Hinge(start_rad, press))


def mat(name: str, texture: str, half: Vector = (0.1, 0.14, 0.0006)) -> Thing:
    """A printed sheet lying on the desk."""
    return Thing(name, (Part("box", half, texture=texture),), half, movable=False)
