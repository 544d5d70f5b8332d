"""A hand as 25 joints and 17 bones: rest shape, finger closing, forward kinematics.

Hand frame (both sides): origin at the wrist, x towards the fingers, z out of the palm. y points
to the little finger on the right hand and to the index finger on the left: the left hand is the
right one mirrored in y. Sizes are those of a 185 mm hand (wrist crease to middle fingertip).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
JOINTS: tuple[str, ...] = (
    "wrist",
    *(f"thumb_{part}" for part in ("cmc", "mcp", "ip", "tip")),
    *(f"{f}_{part}" for f in FINGERS[1:] for part in ("base", "mcp", "pip", "dip", "tip")),
)
BONES: tuple[str, ...] = ("palm", *(f"{f}_{i}" for f in FINGERS for i in range(3)), "forearm")
MEDIAPIPE21_FROM_25 = tuple(i for i, name in enumerate(JOINTS) if not name.endswith("_base"))
REFERENCE_LENGTH_MM = 185.0


@dataclass(frozen=True)
class FingerShape:
    """One finger at rest in the right hand frame; metres, radians.

    base: carpal end of the metacarpal.  mcp: first joint that bends.  yaw: direction in the palm's
    plane.  lengths: the three phalanges.  radii: at mcp, pip, dip, tip.
    """

    base: tuple[float, float, float]
    mcp: tuple[float, float, float]
    yaw: float
    lengths: tuple[float, float, float]
    radii: tuple[float, float, float, float]


SHAPES: dict[str, FingerShape] = {
    "index": FingerShape(
        (0.022, -0.013, 0.002),
        (0.087, -0.025, 0.0),
        -0.10,
        (0.042, 0.025, 0.020),
        (0.0105, 0.0092, 0.0083, 0.0070),
    ),
    "middle": FingerShape(
        (0.022, -0.003, 0.001),
        (0.090, -0.003, -0.002),
        0.0,
        (0.046, 0.029, 0.0205),
        (0.0105, 0.0094, 0.0084, 0.0072),
    ),
    "ring": FingerShape(
        (0.021, 0.007, 0.001),
        (0.084, 0.018, -0.001),
        0.09,
        (0.042, 0.028, 0.0205),
        (0.0100, 0.0088, 0.0080, 0.0068),
    ),
    "pinky": FingerShape(
        (0.019, 0.016, 0.003),
        (0.075, 0.036, 0.002),
        0.22,
        (0.033, 0.020, 0.0185),
        (0.0090, 0.0078, 0.0071, 0.0061),
    ),
}
THUMB_CMC = (0.020, -0.022, 0.010)
THUMB_LENGTHS = (0.044, 0.033, 0.025)
THUMB_RADII = (0.0150, 0.0118, 0.0104, 0.0082)
# open and opposed thumb: direction of the metacarpal, direction in which it bends
THUMB_OPEN = ((0.64, -0.66, 0.40), (0.45, 0.75, 0.40))
FLAT_THUMB = (0.78, -0.62, 0.05)  # the same direction with the hand flat on a table
THUMB_CLOSED = ((0.46, -0.14, 0.86), (0.85, 0.35, -0.40))
OPEN_FLEX = {"thumb": (0.0, 0.12, 0.10), "finger": (0.12, 0.24, 0.12)}
CLOSED_FLEX = {"thumb": (0.0, 0.55, 0.65), "finger": (1.45, 1.50, 0.85)}


def rotation_y(angle: Array) -> Array:
    """Rotations about y by ``angle`` (...,) as (..., 3, 3)."""
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    rows = [[c, zero, s], [zero, one, zero], [-s, zero, c]]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def rotation_z(angle: Array) -> Array:
    """Rotations about z by ``angle`` (...,) as (..., 3, 3)."""
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    rows = [[c, -s, zero], [s, c, zero], [zero, zero, one]]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def _frame(x_axis: Array, z_hint: Array) -> Array:
    """Right-handed frames (..., 3, 3) whose x is ``x_axis`` and whose z leans to ``z_hint``."""
    x = x_axis / np.linalg.norm(x_axis, axis=-1, keepdims=True)
    z = z_hint - np.sum(z_hint * x, -1, keepdims=True) * x
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], -1)


@dataclass(frozen=True, eq=False)
class HandPosture:
    """Joints and bones of N hands in the hand frame.

    joints: (N, 25, 3).  bone_rotation: (N, 17, 3, 3), bone_origin: (N, 17, 3), in `BONES` order;
    the forearm's rotation is the identity here (the arm decides it).
    """

    joints: Array
    bone_rotation: Array
    bone_origin: Array


def posture(closure: Array, *, side: str, scale: float = 1.0) -> HandPosture:
    """Hands (N) for closing ``closure`` (N, 5), thumb first: 0 open, 1 fist."""
    closure = np.clip(np.atleast_2d(np.asarray(closure, np.float64)), 0.0, 1.0)
    chains = [
        (_thumb if finger == "thumb" else _finger)(finger, closure[:, number])
        for number, finger in enumerate(FINGERS)
    ]
    return _assembled(chains, side=side, scale=scale)


def flat_posture(*, side: str, scale: float = 1.0) -> HandPosture:
    """A hand (1) as it lies on a table: fingers straight, the thumb beside them."""
    straight = np.zeros((1, 3))
    thumb = _frame(np.array([FLAT_THUMB]), np.array([0.0, 0.0, 1.0]))
    chains = [_chain(thumb, np.array(THUMB_CMC), straight, THUMB_LENGTHS)]
    for finger in FINGERS[1:]:
        shape = SHAPES[finger]
        base = rotation_z(np.array([shape.yaw]))
        chains.append(_chain(base, np.array(shape.mcp), straight, shape.lengths))
    return _assembled(chains, side=side, scale=scale)


def _assembled(chains: list[tuple[Array, Array]], *, side: str, scale: float) -> HandPosture:
    n = len(chains[0][0])
    joints = np.zeros((n, len(JOINTS), 3))
    rotations = np.tile(np.eye(3), (n, len(BONES), 1, 1))
    origins = np.zeros((n, len(BONES), 3))
    for number, (points, turns) in enumerate(chains):
        first = 5 * number + 1 if number else 1
        joints[:, first : first + 4] = points
        rotations[:, 3 * number + 1 : 3 * number + 4] = turns
        origins[:, 3 * number + 1 : 3 * number + 4] = points[:, :3]
    for number, finger in enumerate(FINGERS[1:], start=1):
        joints[:, 5 * number] = SHAPES[finger].base
    joints, origins = joints * scale, origins * scale
    if side == "left":
        mirror = np.diag([1.0, -1.0, 1.0])
        joints, origins, rotations = joints @ mirror, origins @ mirror, mirror @ rotations @ mirror
    return HandPosture(joints, rotations, origins)


def _flexion(kind: str, closing: Array) -> Array:
    opened, closed = np.array(OPEN_FLEX[kind]), np.array(CLOSED_FLEX[kind])
    return opened + closing[:, None] * (closed - opened)


def _thumb(_: str, closing: Array) -> tuple[Array, Array]:
    blend = closing[:, None]
    direction = (1 - blend) * np.array(THUMB_OPEN[0]) + blend * np.array(THUMB_CLOSED[0])
    bend = (1 - blend) * np.array(THUMB_OPEN[1]) + blend * np.array(THUMB_CLOSED[1])
    return _chain(
        _frame(direction, bend), np.array(THUMB_CMC), _flexion("thumb", closing), THUMB_LENGTHS
    )


def _finger(finger: str, closing: Array) -> tuple[Array, Array]:
    shape = SHAPES[finger]
    base = rotation_z(shape.yaw * (1.0 - 0.8 * closing))
    return _chain(base, np.array(shape.mcp), _flexion("finger", closing), shape.lengths)


def _chain(  # noqa: PLR0917 - base frame, origin, angles, lengths: the order of the chain
    base: Array, origin: Array, flexion: Array, lengths: tuple[float, float, float]
) -> tuple[Array, Array]:
    """Joints (N, 4, 3) and bone rotations (N, 3, 3, 3) of a chain that bends from x towards z."""
    point = np.broadcast_to(origin, (len(base), 3))
    points, turns = [point], []
    turn = base
    for k, length in enumerate(lengths):
        turn = turn @ rotation_y(-flexion[:, k])
        turns.append(turn)
        point = point + length * turn[:, :, 0]
        points.append(point)
    return np.stack(points, 1), np.stack(turns, 1)
