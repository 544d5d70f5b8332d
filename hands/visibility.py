"""Which landmarks the camera can see: inside the image, and not behind another part of either hand.

Hands are bodies of capsules, thick as fingers and palms are. A landmark is hidden if its viewing
ray passes through one before it comes to the landmark's own skin. What other things hide is not
known here.
"""

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import LANDMARKS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

REFERENCE_PALM_M = 0.088  # wrist to middle MCP of the hand whose thicknesses are given here
SAMPLES = 18  # along a ray
REACH_M = 0.16  # a hand hides its landmarks from no farther in front
INSIDE_M = 0.0025  # so deep in a capsule a ray is surely stopped
METACARPAL_START = 0.22  # of the way from wrist to MCP: nearer to the wrist all bones are one
# half the thickness at MCP, PIP, DIP and tip (thumb: at CMC, MCP, IP, tip)
THUMB_M, FINGER_M = (0.0150, 0.0118, 0.0104, 0.0082), (0.0103, 0.0091, 0.0082, 0.0070)
METACARPAL_M, WEB_M, WRIST_M = 0.013, 0.010, 0.016
# how far in front of a landmark its own skin may lie
SKIN_M = np.array([0.026, 0.024, 0.019, 0.014, 0.011, *[0.018, 0.013, 0.010] * 4])
assert len(SKIN_M) == len(LANDMARKS)


def visible_landmarks(
    joints: Floats, landmarks: Floats, others: Floats, *, camera: Camera
) -> Bools:
    """``(T,17)``. joints ``(T,21,3)`` and landmarks ``(T,17,3)`` of one hand in the camera;
    ``others`` ``(T,21,3)`` joints of the other hand, NaN where there is none.
    """
    uv_px, valid = camera.project(landmarks)
    inside = valid & camera.in_image(np.where(np.isfinite(uv_px), uv_px, -1e6))
    scale = np.linalg.norm(joints[:, 9] - joints[:, 0], axis=-1) / REFERENCE_PALM_M
    points = _along_rays(landmarks, scale)
    hidden = _stopped(points, joints, scale) | _stopped(points, others, scale)
    return np.asarray(inside & ~hidden)


def _along_rays(landmarks: Floats, scale: Floats) -> Floats:
    """``(T,17,S,3)`` points on the viewing rays, up to each landmark's own skin."""
    distance = np.linalg.norm(landmarks, axis=-1)
    stop = distance - SKIN_M * scale[:, None]
    start = np.maximum(stop - REACH_M, 0.02)
    reach = start[..., None] + np.linspace(0.0, 1.0, SAMPLES) * (stop - start)[..., None]
    return np.asarray((landmarks / distance[..., None])[:, :, None] * reach[..., None])


def _stopped(points: Floats, joints: Floats, scale: Floats) -> Bools:
    """``(T,17)`` whether any of a landmark's points ``(T,17,S,3)`` lies in a hand ``(T,21,3)``."""
    hidden = np.zeros(points.shape[:2], dtype=bool)
    for start, end, radius, change in _capsules(joints):
        base, axis = start[:, None, None], (end - start)[:, None, None]
        along = np.sum((points - base) * axis, axis=-1) / np.sum(axis * axis, axis=-1)
        along = np.clip(along, 0.0, 1.0)
        apart = np.linalg.norm(points - base - along[..., None] * axis, axis=-1)
        thick = (radius + change * along) * scale[:, None, None]
        hidden |= (apart < thick - INSIDE_M).any(axis=-1)  # a missing hand, NaN, hides nothing
    return hidden


def _capsules(joints: Floats) -> list[tuple[Floats, Floats, float, float]]:
    """Ends ``(T,3)``, radius at the first and its change to the second."""
    parts = []
    for finger in range(5):
        first, radii = 4 * finger + 1, FINGER_M if finger else THUMB_M
        parts += [
            (joints[:, first + k], joints[:, first + k + 1], radii[k], radii[k + 1] - radii[k])
            for k in range(3)
        ]
        if finger:
            mcp = joints[:, first]
            start = joints[:, 0] + METACARPAL_START * (mcp - joints[:, 0])
            parts.append((start, mcp, METACARPAL_M, radii[0] - METACARPAL_M))
    parts += [(joints[:, 0], joints[:, mcp], WRIST_M, METACARPAL_M - WRIST_M) for mcp in (5, 17)]
    parts.append((joints[:, 2], joints[:, 5], WEB_M, 0.0))
    return parts
