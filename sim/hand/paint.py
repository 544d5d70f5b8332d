"""Colour of the hand's skin, vertex by vertex: what tells a back of a hand from a palm.

Nails with a rim, wrinkled knuckles, tendons and veins on the back; flexion creases, palm lines and
paler, redder skin inside. A detector that cannot tell the two sides mirrors the hand in depth.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.hand.skeleton import FINGERS, SHAPES, THUMB_RADII, HandPosture

Array = NDArray[np.float64]

# palette: rows of the look-up (v); the column (u) is lightness
ROW_BACK, ROW_PALM, ROW_NAIL, ROW_ARM, ROW_SLEEVE = 0.10, 0.35, 0.60, 0.75, 0.92
PLAIN = 0.52
# how much darker or lighter each mark is
WRINKLE, CREASE, LINE, TENDON, KNUCKLE, RIM, SHADE = 0.24, 0.30, 0.30, 0.10, 0.20, 0.22, 0.45
# palm lines: polylines (x, y) in the right hand frame, metres
PALM_LINES = (
    ((0.084, -0.036), (0.070, -0.020), (0.050, -0.008), (0.022, -0.006)),
    ((0.074, -0.034), (0.062, -0.008), (0.048, 0.018), (0.036, 0.032)),
    ((0.088, -0.014), (0.078, 0.004), (0.070, 0.022), (0.064, 0.044)),
)


def paint(
    vertices: Array,
    normals: Array,
    rest: HandPosture,
    *,
    owner: NDArray[np.int64],
    occlusion: Array,
) -> Array:
    """(V, 2) palette coordinates. owner: (V,) the bone each vertex belongs to.

    occlusion: (V,) 0…1, how much of the sky a vertex misses.
    """
    facing = np.sum(normals * rest.bone_rotation[0, owner, :, 2], axis=1)
    back, inside = np.clip(-facing * 2 + 0.2, 0, 1), np.clip(facing * 2 + 0.2, 0, 1)
    lightness = np.full(len(vertices), PLAIN) + 0.05 * inside
    row = ROW_BACK + (ROW_PALM - ROW_BACK) * np.clip(0.5 + 1.2 * facing, 0.0, 1.0)
    lightness -= LINE * inside * _lines(vertices[:, :2], PALM_LINES, 0.0014)
    lightness += _back_relief(vertices, rest) * back
    for number in range(len(FINGERS)):
        _paint_finger(number, (vertices, normals, rest, owner), (lightness, row))
    lightness -= SHADE * occlusion
    return np.stack([np.clip(lightness, 0.02, 0.98), row], 1)


def _lines(
    points: Array, lines: tuple[tuple[tuple[float, float], ...], ...], width: float
) -> Array:
    """(V,) 1 on the polylines, falling to 0 beside them."""
    total = np.zeros(len(points))
    for line in lines:
        for start, end in pairwise(line):
            a, axis = np.array(start), np.array(end) - np.array(start)
            along = np.clip((points - a) @ axis / (axis @ axis), 0, 1)
            off = np.linalg.norm(points - a - along[:, None] * axis, axis=1)
            total = np.maximum(total, np.exp(-((off / width) ** 2)))
    return total


def _back_relief(vertices: Array, rest: HandPosture) -> Array:
    """(V,) lightness of tendons, veins and knuckles on the back of the hand."""
    joints = rest.joints[0]
    relief = np.zeros(len(vertices))
    for number in range(1, 5):
        knuckle = joints[5 * number + 1]
        tendon = ((0.012, 0.002 * (number - 2)), tuple(knuckle[:2] * 0.97))
        relief += TENDON * _lines(vertices[:, :2], (tendon,), 0.0026)
        beside = tuple((p[0], p[1] + 0.0055) for p in tendon)
        relief -= TENDON * _lines(vertices[:, :2], (beside,), 0.0024)
        off = np.linalg.norm((vertices - knuckle)[:, :2] * [1.0, 1.2], axis=1)
        ripple = 0.6 + 0.4 * np.cos((vertices[:, 0] - knuckle[0]) / 0.0011)
        relief -= KNUCKLE * np.exp(-((off / 0.0075) ** 2)) * ripple
    return relief


def _paint_finger(
    number: int,
    mesh: tuple[Array, Array, HandPosture, NDArray[np.int64]],
    paint_on: tuple[Array, Array],
) -> None:
    """Wrinkled knuckles behind, crisp creases inside, redder tip, and the nail with its rim."""
    vertices, normals, rest, owner = mesh
    lightness, row = paint_on
    first = 1 if number == 0 else 5 * number + 1
    mine = (owner >= 3 * number + 1) & (owner <= 3 * number + 3)
    radii = THUMB_RADII if number == 0 else SHAPES[FINGERS[number]].radii
    for k in (1, 2):
        turn = rest.bone_rotation[0, 3 * number + 1 + k]
        local = (vertices[mine] - rest.joints[0, first + k]) @ turn
        behind = np.clip(-normals[mine] @ turn[:, 2] * 1.6, 0, 1)
        inside = np.clip(normals[mine] @ turn[:, 2] * 1.6, 0, 1)
        size = 0.0058 if k == 1 else 0.0036
        wrinkles = np.exp(-((local[:, 0] / size) ** 2)) * (
            0.55 + 0.45 * np.cos(local[:, 0] / 0.0007)
        )
        crease = np.exp(-((local[:, 0] / 0.0013) ** 2))
        lightness[mine] -= WRINKLE * behind * wrinkles + CREASE * inside * crease
    turn = rest.bone_rotation[0, 3 * number + 3]
    radius = radii[3]
    local = (vertices - rest.joints[0, first + 3]) @ turn
    facing_back = -(normals @ turn[:, 2])
    tip = mine & (local[:, 0] > -0.008) & (facing_back < 0.3)
    lightness[tip] += 0.07
    length, width = 1.55 * radius, 0.86 * radius
    across = local[:, 1] / width
    along = (local[:, 0] + 0.35 * radius) / length
    inside_nail = np.sqrt(np.abs(across) ** 3 + np.abs(along) ** 3 + 1e-12)
    nail = mine & (facing_back > 0.25) & (inside_nail < 1.0)
    rim = mine & (facing_back > 0.1) & (inside_nail >= 1.0) & (inside_nail < 1.45)
    row[nail] = ROW_NAIL
    lightness[nail] = 0.62 + 0.2 * (along[nail] > 0.75)
    lightness[rim] -= RIM
