"""The skin of a hand: a smooth union of tapered capsules, meshed once and bound to the bones.

About forty capsules along the skeleton are blended into one signed distance field, meshed by
marching cubes, and each vertex is weighted to the bones nearest to it. Costs about two seconds.
Colour is a look-up: a vertex carries a place in a small palette (`textures.skin_palette`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import MissingExtraError
from sim.hand.capsules import (
    FOREARM_M,
    SLEEVE_START_M,
    Capsule,
    capsule_distance,
    forearm_capsules,
    hand_distance,
    palm_capsules,
    sleeve_capsules,
    union,
)
from sim.hand.paint import ROW_ARM, ROW_SLEEVE, paint
from sim.hand.skeleton import (
    BONES,
    FINGERS,
    SHAPES,
    THUMB_RADII,
    HandPosture,
    posture,
)

Array = NDArray[np.float64]

VOXEL_M = 0.002
SLEEVE_FROM_M = {"long": SLEEVE_START_M, "short": -0.19}
REST_CLOSURE = np.array([[0.15, 0.08, 0.08, 0.08, 0.08]])


@dataclass(frozen=True, eq=False)
class HandMesh:
    """A hand's skin at rest. V: vertices, F: faces.

    vertices: (V, 3) hand frame, metres.  faces: (F, 3) int32.  uv: (V, 2) place in the palette.
    weights: (V, 17) in `BONES` order, rows sum to one.  rest: the posture it was meshed in.
    """

    side: str
    vertices: Array
    faces: NDArray[np.int32]
    uv: Array
    weights: Array
    rest: HandPosture


def build_hand_mesh(
    side: str, *, scale: float = 1.0, voxel_m: float = VOXEL_M, sleeve: str = "long"
) -> HandMesh:
    """Mesh one hand; ``scale`` 1 is a 185 mm hand, ``voxel_m`` the marching-cubes step.

    sleeve: long (to the wrist), short (rolled up) or none.
    """
    rest = posture(REST_CLOSURE, side="right")
    box = (np.array([SLEEVE_START_M - 0.03, -0.125, -0.055]), np.array([0.205, 0.090, 0.080]))
    vertices, faces = _march(lambda p: hand_distance(p, rest), box, voxel_m)
    arm, arm_faces, arm_uv = _arm(sleeve, 4 * voxel_m)
    normals = _vertex_normals(vertices, faces)
    owner = _weights(vertices, rest, 0.001).argmax(1)
    shade = _occlusion(vertices, normals, rest)
    skin_uv = paint(vertices, normals, rest, owner=owner, occlusion=shade)
    uv = np.concatenate([skin_uv, arm_uv])
    arm_weights = np.zeros((len(arm), len(BONES)))
    arm_weights[:, -1] = 1.0
    weights = np.concatenate([_weights(vertices, rest), arm_weights])
    faces = np.concatenate([faces, arm_faces + len(vertices)]).astype(np.int32)
    vertices = np.concatenate([vertices, arm])
    if side == "left":
        vertices = vertices * [1.0, -1.0, 1.0]
        faces = np.ascontiguousarray(faces[:, ::-1])
    final_rest = posture(REST_CLOSURE, side=side, scale=scale)
    return HandMesh(side, vertices * scale, faces, uv, weights, final_rest)


def _march(
    field: Callable[[Array], Array], box: tuple[Array, Array], voxel: float
) -> tuple[Array, Array]:
    """Marching cubes, evaluating the field finely only near the surface."""
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise MissingExtraError("sim needs scikit-image: pip install 'handoff-ego[sim]'") from error
    low, high = box
    cells = np.ceil((high - low) / (4 * voxel)).astype(int) + 1
    coarse = field(_grid(low + 1.5 * voxel, cells, 4 * voxel)).reshape(tuple(cells))
    values = coarse.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    near = np.abs(values) < 7 * voxel
    values[near] = field(_grid(low, 4 * cells, voxel)[near.reshape(-1)])
    corners, faces, _, _ = marching_cubes(values, 0.0, spacing=(voxel,) * 3)
    vertices = corners.astype(np.float64) + low
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    outward = float(np.sum(np.cross(b - a, c - a) * (a + b + c))) > 0
    return vertices, faces if outward else faces[:, ::-1]


def _grid(low: Array, counts: NDArray[np.int64], step: float) -> Array:
    axes = [low[i] + step * np.arange(counts[i]) for i in range(3)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def _vertex_normals(vertices: Array, faces: Array) -> Array:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    face_normal = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(normals, faces[:, i], face_normal)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _bone_capsules(rest: HandPosture) -> list[tuple[int, Capsule]]:
    """(bone index, capsule) pairs that attract vertices."""
    pairs = [(0, capsule) for capsule in palm_capsules(rest)]
    for number, finger in enumerate(FINGERS):
        first = 1 if number == 0 else 5 * number + 1
        radii = THUMB_RADII if finger == "thumb" else SHAPES[finger].radii
        joints = rest.joints[0, first : first + 4]
        pairs += [
            (3 * number + 1 + k, Capsule(joints[k], joints[k + 1], radii[k], radii[k + 1]))
            for k in range(3)
        ]
    wrist = Capsule(np.array([-0.022, 0.0, 0.0]), np.array([-FOREARM_M, 0, 0]), 0.028, 0.045)
    return [*pairs, (len(BONES) - 1, wrist)]


def _weights(vertices: Array, rest: HandPosture, softness_m: float = 0.0028) -> Array:
    """(V, 17): nearest bones win softly; a finger's vertex never follows another finger."""
    distance = np.full((len(vertices), len(BONES)), np.inf)
    for bone, capsule in _bone_capsules(rest):
        distance[:, bone] = np.minimum(distance[:, bone], capsule_distance(vertices, capsule))
    fingers = np.stack([distance[:, 3 * n + 1 : 3 * n + 4].min(1) for n in range(5)], 1)
    owner = fingers.argmin(1)
    for n in range(5):
        distance[np.ix_(owner != n, range(3 * n + 1, 3 * n + 4))] = np.inf
    weights = np.exp(-(distance - distance.min(1, keepdims=True)) / softness_m)
    weights[weights < 0.02] = 0.0
    return weights / weights.sum(1, keepdims=True)


def _occlusion(vertices: Array, normals: Array, rest: HandPosture) -> Array:
    """How much of the sky each vertex misses, 0…1: folds and the gaps between fingers are dark."""
    total = np.zeros(len(vertices))
    for step, weight in ((0.004, 0.45), (0.008, 0.35), (0.014, 0.2)):
        free = hand_distance(vertices + step * normals, rest)
        total += weight * np.clip(1.0 - free / step, 0.0, 1.0)
    return total


def _arm(sleeve: str, step_m: float) -> tuple[Array, NDArray[np.int32], Array]:
    """(vertices, faces, palette places) of the arm behind the hand: skin, cloth, or both."""
    box = (np.array([-FOREARM_M - 0.06, -0.08, -0.07]), np.array([0.0, 0.08, 0.07]))
    skin, cloth = forearm_capsules(), sleeve_capsules(SLEEVE_FROM_M.get(sleeve, SLEEVE_START_M))
    layers = []
    if sleeve != "long":
        points, faces = _march(lambda p: union(p, skin, 0.012), box, 0.7 * step_m)
        layers.append((points, faces, _skin_place(points)))
    if sleeve != "none":
        points, faces = _march(lambda p: union(p, cloth, 0.008), box, step_m)
        layers.append((points, faces, _cloth_place(points)))
    start = np.cumsum([0, *(len(points) for points, _, _ in layers)])
    return (
        np.concatenate([points for points, _, _ in layers]),
        np.concatenate([faces + n for (_, faces, _), n in zip(layers, start[:-1], strict=True)]),
        np.concatenate([uv for _, _, uv in layers]),
    )


def _skin_place(vertices: Array) -> Array:
    """(V, 2) palette coordinates of a bare arm: darker towards the sides, a few freckles."""
    angle = np.arctan2(vertices[:, 2], vertices[:, 1])
    tone = 0.50 - 0.05 * np.cos(2 * angle) + 0.03 * np.sin(vertices[:, 0] / 0.017 + 3 * angle)
    return np.stack([np.clip(tone, 0.02, 0.98), np.full(len(vertices), ROW_ARM)], 1)


def _cloth_place(vertices: Array) -> Array:
    """(V, 2) palette coordinates of the sleeve: folds and a knitted stripe."""
    angle = np.arctan2(vertices[:, 2], vertices[:, 1])
    folds = 0.5 + 0.2 * np.sin(vertices[:, 0] / 0.012 + 2 * np.sin(3 * angle))
    folds += 0.15 * np.sin(angle * 8)
    return np.stack([np.clip(folds, 0.02, 0.98), np.full(len(vertices), ROW_SLEEVE)], 1)
