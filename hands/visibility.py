"""Which landmarks the camera can see: inside the image, and not behind another part of either hand.

Bones are rows of balls. A landmark is hidden if a ball that is not its own lies nearer to the
camera and covers its ray. What other things hide is not known here.
"""

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import LANDMARKS, RAW21_MEDIAPIPE
from hands.evidence import PARENTS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FINGER_RADIUS_M = 0.007
PALM_RADIUS_M = 0.010
IN_FRONT_M = 0.012  # a ball hides what lies this much deeper
BALLS = 4  # per bone
PALM_BONES = frozenset({1, 5, 9, 13, 17})


def visible_landmarks(
    joints: Floats, landmarks: Floats, others: Floats, *, camera: Camera
) -> Bools:
    """``(T,17)``. joints ``(T,21,3)`` and landmarks ``(T,17,3)`` of one hand in the camera;
    ``others`` ``(T,21,3)`` joints of the other hand, NaN where there is none.
    """
    uv_px, valid = camera.project(landmarks)
    inside = valid & camera.in_image(np.where(np.isfinite(uv_px), uv_px, -1e6))
    own, radius, bone = balls_of(joints)
    hidden = _covered(landmarks, own, radius, bone=bone)
    other, radius, _ = balls_of(others)
    return np.asarray(inside & ~hidden & ~_covered(landmarks, other, radius, bone=None))


def balls_of(joints: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Centres ``(T,B,3)``, radii ``(B,)`` and outer joints of their bones ``(B,)``."""
    part = np.linspace(0.1, 0.9, BALLS)[:, None]
    outer = np.arange(1, 21)
    start, end = joints[:, PARENTS[outer]], joints[:, outer]
    centres = start[:, :, None] + part * (end - start)[:, :, None]
    radius = np.where([k in PALM_BONES for k in outer], PALM_RADIUS_M, FINGER_RADIUS_M)
    return centres.reshape(len(joints), -1, 3), radius.repeat(BALLS), outer.repeat(BALLS)


def _covered(
    landmarks: Floats, balls: Floats, radius: Floats, *, bone: NDArray[np.int64] | None
) -> Bools:
    distance = np.linalg.norm(landmarks, axis=-1)
    rays = landmarks / distance[..., None]
    along = np.einsum("tki,tbi->tkb", rays, balls)
    beside = np.sqrt(np.maximum(np.sum(balls**2, axis=-1)[:, None] - along**2, 0.0))
    covers = (beside < radius) & (along < distance[..., None] - IN_FRONT_M) & (along > 0)
    if bone is not None:
        covers &= ~_TOUCHING[:, bone]
    return np.asarray(covers.any(axis=-1))


def _touching_bones() -> Bools:
    """``(17,21)``: bones (by outer joint) that meet at a landmark; the palm never hides itself."""
    touching = np.zeros((len(LANDMARKS), 21), dtype=bool)
    palm = list(PALM_BONES)
    for k, name in enumerate(LANDMARKS):
        if name in {"palm", "wrist"} or name.endswith("_mcp"):
            touching[k, palm] = True
        if name != "palm":
            joint = RAW21_MEDIAPIPE.index(name)
            touching[k, joint] = True
            touching[k, [j for j in range(1, 21) if PARENTS[j] == joint]] = True
    return touching


_TOUCHING = _touching_bones()
