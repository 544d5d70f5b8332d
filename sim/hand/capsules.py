"""The solids that a hand and an arm are made of: tapered capsules and their smooth union."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.hand.skeleton import FINGERS, SHAPES, THUMB_CMC, THUMB_RADII, HandPosture

Array = NDArray[np.float64]

FOREARM_M = 0.36
SLEEVE_START_M = -0.055  # the cuff, behind the wrist crease
BLEND_FINGER_M = 0.004
BLEND_PALM_M = 0.011


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


def union(points: Array, capsules: list[Capsule], width: float) -> Array:
    distance = capsule_distance(points, capsules[0])
    for capsule in capsules[1:]:
        distance = smooth_min(distance, capsule_distance(points, capsule), width)
    return distance


def hand_distance(points: Array, rest: HandPosture) -> Array:
    """Signed distance (N,) to the whole hand: fingers melt into the palm, not into each other."""
    skin = arm_capsules()
    palm = smooth_min(
        union(points, palm_capsules(rest), BLEND_PALM_M), union(points, skin, 0.012), 0.018
    )
    total = palm
    for finger in FINGERS:
        blend = BLEND_PALM_M if finger == "thumb" else 0.007
        one = union(points, finger_capsules(finger, rest), BLEND_FINGER_M)
        total = np.minimum(total, smooth_min(one, palm, blend))
    return total
