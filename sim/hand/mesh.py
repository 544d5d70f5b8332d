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
from sim.hand.paint import ROW_ARM, ROW_SLEEVE, paint
from sim.hand.skeleton import (
    BONES,
    FINGERS,
    SHAPES,
    THUMB_CMC,
    THUMB_RADII,
    HandPosture,
    posture,
)

Array = NDArray[np.float64]

VOXEL_M = 0.002
FOREARM_M = 0.36
SLEEVE_START_M = -0.055  # the cuff, behind the wrist crease
SLEEVE_FROM_M = {"long": SLEEVE_START_M, "short": -0.19}
BLEND_FINGER_M = 0.004
BLEND_PALM_M = 0.011
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


@dataclass(frozen=True, eq=False)
class Capsule:
    """A cone between two spheres: metres, right hand frame."""

    start: Array
    end: Array
    radius_start: float
    radius_end: float
    flatten_z: float = 1.0


def capsule_distance(points: Array, capsule: Capsule) -> Array:
    """Signed distance (N,) of points (N, 3) to a tapered capsule (negative inside)."""
    squash = np.array([1.0, 1.0, capsule.flatten_z])
    a, b, p = capsule.start * squash, capsule.end * squash, points * squash
    axis = b - a
    along = np.clip((p - a) @ axis / max(axis @ axis, 1e-12), 0.0, 1.0)
    nearest = a + along[:, None] * axis
    radius = capsule.radius_start + along * (capsule.radius_end - capsule.radius_start)
    return np.linalg.norm(p - nearest, axis=1) - radius


def smooth_min(a: Array, b: Array, width: float) -> Array:
    """Polynomial smooth minimum: the surfaces melt into each other over ``width`` metres."""
    h = np.clip(0.5 + 0.5 * (b - a) / width, 0.0, 1.0)
    return b + h * (a - b) - width * h * (1.0 - h)


def finger_capsules(finger: str, rest: HandPosture) -> list[Capsule]:
    """The phalanges of one finger with a swelling at each knuckle."""
    number = FINGERS.index(finger)
    first = 1 if number == 0 else 5 * number + 1
    joints = rest.joints[0, first : first + 4]
    radii = THUMB_RADII if finger == "thumb" else SHAPES[finger].radii
    parts = []
    for k in range(3):
        a, b = joints[k], joints[k + 1]
        waist = 0.93 * 0.5 * (radii[k] + radii[k + 1])
        middle = 0.5 * (a + b)
        parts += [Capsule(a, middle, radii[k], waist), Capsule(middle, b, waist, radii[k + 1])]
    # the pulp of the fingertip sits on the palm's side
    pulp = rest.bone_rotation[0, 3 * number + 3, :, 2] * 0.0012
    tip, last = joints[3], joints[2]
    parts.append(Capsule(last + 0.5 * (tip - last) + pulp, tip + 0.3 * pulp, radii[3], radii[3]))
    return parts


def palm_capsules(rest: HandPosture) -> list[Capsule]:
    """Metacarpals, ball of the thumb, edge of the hand, web and wrist."""
    joint = rest.joints[0]
    at = {f: joint[5 * i + 1] for i, f in enumerate(FINGERS) if i}
    base = {f: joint[5 * i] for i, f in enumerate(FINGERS) if i}
    parts = [
        Capsule(base[f], at[f], 0.0135, r, 1.05)
        for f, r in (("index", 0.0122), ("middle", 0.0124), ("ring", 0.0118), ("pinky", 0.0105))
    ]
    for number in range(1, 5):  # knuckles and tendons stand out on the back
        knuckle = joint[5 * number + 1] + np.array([0.0, 0.0, -0.0035])
        parts.append(Capsule(knuckle, knuckle + np.array([0.001, 0.0, 0.0]), 0.0098, 0.0098))
        wrist = np.array([0.015, 0.003 * (number - 2.5), -0.0085])
        parts.append(Capsule(wrist, knuckle + np.array([-0.004, 0.0, -0.0045]), 0.0035, 0.0035))
    up = np.array([0.0, 0.0, 0.006])
    thumb = np.array(THUMB_CMC)
    parts += [
        Capsule(thumb + 0.3 * up, joint[2], 0.0155, 0.0128),
        Capsule(thumb, base["middle"] + up, 0.016, 0.012),
        Capsule(joint[2] * 0.75 + at["index"] * 0.25, at["index"] * 0.8, 0.009, 0.010),
        Capsule(np.array([0.022, 0.020, 0.005]), at["pinky"] * 0.9 + up * 0.5, 0.0145, 0.011),
        Capsule(np.array([0.004, -0.009, 0.001]), base["index"], 0.0185, 0.0150, 1.1),
        Capsule(np.array([0.004, 0.009, 0.001]), base["ring"], 0.0185, 0.0150, 1.1),
    ]
    return parts


def arm_capsules() -> list[Capsule]:
    """Skin of the wrist, blended into the palm; the arm runs along -x."""
    return [
        Capsule(np.array([0.006, y, 0.0]), np.array([-0.10, 1.6 * y, 0.0]), 0.0185, 0.025, 1.12)
        for y in (-0.0085, 0.0085)
    ]


def forearm_capsules() -> list[Capsule]:
    """The bare forearm, which takes over where the meshed hand ends."""
    return [
        Capsule(
            np.array([-0.07, 1.45 * y, 0.0]),
            np.array([-FOREARM_M, 2.0 * y, 0.0]),
            0.0229,
            0.040,
            1.1,
        )
        for y in (-0.0085, 0.0085)
    ]


def sleeve_capsules(start_m: float) -> list[Capsule]:
    """Cloth around the arm from ``start_m`` behind the wrist to the elbow."""
    share = (SLEEVE_START_M - start_m) / (SLEEVE_START_M + FOREARM_M)
    cuff = 0.031 + share * (0.050 - 0.031)
    return [
        Capsule(
            np.array([start_m - 0.012, y, 0.0]),
            np.array([-FOREARM_M, 1.5 * y, 0.0]),
            cuff,
            0.050,
            1.05,
        )
        for y in (-0.008, 0.008)
    ]


def _union(points: Array, capsules: list[Capsule], width: float) -> Array:
    distance = capsule_distance(points, capsules[0])
    for capsule in capsules[1:]:
        distance = smooth_min(distance, capsule_distance(points, capsule), width)
    return distance


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


def hand_distance(points: Array, rest: HandPosture) -> Array:
    """Signed distance (N,) to the whole hand: fingers melt into the palm, not into each other."""
    skin = arm_capsules()
    palm = smooth_min(
        _union(points, palm_capsules(rest), BLEND_PALM_M), _union(points, skin, 0.012), 0.018
    )
    total = palm
    for finger in FINGERS:
        blend = BLEND_PALM_M if finger == "thumb" else 0.007
        one = _union(points, finger_capsules(finger, rest), BLEND_FINGER_M)
        total = np.minimum(total, smooth_min(one, palm, blend))
    return total


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
        points, faces = _march(lambda p: _union(p, skin, 0.012), box, 0.7 * step_m)
        layers.append((points, faces, _skin_place(points)))
    if sleeve != "none":
        points, faces = _march(lambda p: _union(p, cloth, 0.008), box, step_m)
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
