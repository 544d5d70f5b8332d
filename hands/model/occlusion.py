"""How far lines of sight stay off a hand: what fingers and palms of either hand hide.

Hands are bodies of capsules, thick as fingers and palms are. A line of sight ends where it comes to
the landmark's own skin. A joint that is not known (NaN) hides nothing.
"""

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import LANDMARKS

Floats = NDArray[np.float64]

REFERENCE_PALM_M = 0.089  # wrist to middle MCP of the hand whose sizes are given here
PARTS = ("thumb", "index", "middle", "ring", "pinky", "palm")
PALM = PARTS.index("palm")
REACH_M = 0.24  # a hand hides its landmarks from no farther in front
# where the metacarpals of index to little finger begin: from the wrist to the fingers, towards the
# little finger, out of the palm
CARPALS_M = np.array([
    [0.022, -0.013, 0.002], [0.022, -0.003, 0.001], [0.021, 0.007, 0.001], [0.019, 0.016, 0.003],
])  # fmt: skip
# half the thickness at MCP, PIP, DIP and tip (thumb: at CMC, MCP, IP, tip)
THUMB_M = (0.0150, 0.0118, 0.0104, 0.0082)
FINGERS_M = (
    (0.0105, 0.0092, 0.0083, 0.0070),
    (0.0105, 0.0094, 0.0084, 0.0072),
    (0.0100, 0.0088, 0.0080, 0.0068),
    (0.0090, 0.0078, 0.0071, 0.0061),
)
METACARPAL_M, KNUCKLES_M, WRIST_M, THENAR_M = 0.013, 0.010, 0.016, (0.016, 0.0145)
# how far in front of a landmark its own skin may lie
SKIN_M = np.array([0.026, 0.024, 0.019, 0.014, 0.011, *[0.018, 0.013, 0.010] * 4])
assert len(SKIN_M) == len(LANDMARKS)


def clearances_m(landmarks: Floats, joints: Floats) -> Floats:
    """``(T,17,6)`` how far each line of sight to landmarks ``(T,17,3)`` stays off the parts of a
    hand ``(T,21,3)``, thumb to little finger and palm; negative inside, in metres of the reference
    hand; NaN without that hand.
    """
    scale = palm_scale(joints)
    distance = np.linalg.norm(landmarks, axis=-1, keepdims=True)
    sight = landmarks / distance
    stop = distance - SKIN_M[:, None] * scale[:, None, None]
    ends = sight * np.maximum(stop - REACH_M, 0.02), sight * stop
    nearest = np.full((*landmarks.shape[:2], len(PARTS)), np.nan)
    for part, (start, end), (radius, radius_at_end) in _capsules(joints, scale):
        apart, share = _nearest_of_segments(ends, (start[:, None], end[:, None]))
        thick = radius + share * (radius_at_end - radius)
        nearest[..., part] = np.fmin(nearest[..., part], apart / scale[:, None] - thick)
    return nearest


def palm_scale(joints: Floats) -> Floats:
    """``(T,)`` how much larger hands ``(T,21,3)`` are than the one whose sizes are given here."""
    return np.asarray(np.linalg.norm(joints[:, 9] - joints[:, 0], axis=-1) / REFERENCE_PALM_M)


def _capsules(
    joints: Floats, scale: Floats
) -> list[tuple[int, tuple[Floats, Floats], tuple[float, float]]]:
    """Part, ends ``(T,3)`` in the camera, and the radii there on the reference hand."""
    wrist = joints[:, 0]
    carpals = wrist[:, None] + CARPALS_M @ palm_axes(joints) * scale[:, None, None]
    found = []
    for finger, radii in enumerate((THUMB_M, *FINGERS_M)):
        first = 4 * finger + 1
        for k in range(3):
            ends = joints[:, first + k], joints[:, first + k + 1]
            found.append((finger, ends, (radii[k], radii[k + 1])))
        if finger:
            ends = carpals[:, finger - 1], joints[:, first]
            found.append((PALM, ends, (METACARPAL_M, radii[0])))
    found += [(PALM, (wrist, carpals[:, k]), (WRIST_M, METACARPAL_M)) for k in (0, 3)]
    found.append((PALM, (joints[:, 1], joints[:, 2]), THENAR_M))
    found.append((PALM, (joints[:, 5], joints[:, 9]), (KNUCKLES_M, KNUCKLES_M)))
    return found


def palm_axes(joints: Floats) -> Floats:
    """``(T,3,3)`` rows of hands ``(T,21,3)``: to the fingers, to the little finger, out of the palm
    (mirrored on a left hand).
    """
    wrist, knuckles = joints[:, 0], joints[:, [5, 9, 13, 17]]
    x = knuckles.mean(axis=1) - wrist
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    y = knuckles[:, 3] - knuckles[:, 0]
    y -= _dot(y, x)[:, None] * x
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    # out of the palm is x cross y on a right hand, the other way on a left: the thumb tells
    z = np.cross(x, y)
    z *= np.sign(_dot(joints[:, 2] - wrist, z))[:, None]
    return np.stack([x, y, z], axis=1)


def _nearest_of_segments(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Least distance of two segments, and at which share of the second. Ericson, Real-Time
    Collision Detection, 5.1.9.
    """
    along, across = first[1] - first[0], second[1] - second[0]
    between = first[0] - second[0]
    a, e = _dot(along, along), _dot(across, across)
    b, c, f = _dot(along, across), _dot(along, between), _dot(across, between)
    parallel = a * e - b * b
    s = np.clip((b * f - c * e) / np.where(parallel > 1e-14, parallel, np.inf), 0, 1)
    t = np.clip((b * s + f) / e, 0, 1)
    s = np.clip((b * t - c) / a, 0, 1)
    t = np.clip((b * s + f) / e, 0, 1)
    apart = between + s[..., None] * along - t[..., None] * across
    return np.linalg.norm(apart, axis=-1), t


def _dot(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.sum(one * other, axis=-1))
