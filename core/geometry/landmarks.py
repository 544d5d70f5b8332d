"""The 17 hand landmarks, the sources' 21-point orders, and the way from one to the other.

``palm`` is the midpoint of the wrist and the mean of the four finger MCPs, whatever the source.
"""

import numpy as np
from numpy.typing import ArrayLike

from core.errors import BadInputError
from core.geometry.arrays import Floats

SIDES = ("left", "right")
FLIPPED_SIDE = {"left": "right", "right": "left"}
FINGERS = ("index", "middle", "ring", "pinky")

LANDMARKS: tuple[str, ...] = (
    "wrist",
    "palm",
    "thumb_mcp",
    "thumb_ip",
    "thumb_tip",
    *(f"{finger}_{joint}" for finger in FINGERS for joint in ("mcp", "pip", "tip")),
)
INDEX = {name: k for k, name in enumerate(LANDMARKS)}
MCP_INDICES = tuple(INDEX[f"{finger}_mcp"] for finger in FINGERS)

# MediaPipe's order, which is also MANO's with its tips sorted in
RAW21_MEDIAPIPE: tuple[str, ...] = (
    "wrist",
    "thumb_cmc",
    "thumb_mcp",
    "thumb_ip",
    "thumb_tip",
    *(f"{finger}_{joint}" for finger in FINGERS for joint in ("mcp", "pip", "dip", "tip")),
)

# projectaria-tools' HandLandmark order: fingertips, wrist, thumb, then the fingers' joints, palm
# centre last
RAW21_ARIA: tuple[str, ...] = (
    *(f"{finger}_tip" for finger in ("thumb", *FINGERS)),
    "wrist",
    "thumb_mcp",
    "thumb_ip",
    *(f"{finger}_{joint}" for finger in FINGERS for joint in ("mcp", "pip", "dip")),
    "aria_palm",
)


def _picks(source: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """For every landmark but ``palm`` its place in the source; ``palm`` holds the wrist's and is
    overwritten.
    """
    return np.array([source.index("wrist" if name == "palm" else name) for name in LANDMARKS])


MEDIAPIPE_INDICES = _picks(RAW21_MEDIAPIPE)
ARIA_INDICES = _picks(RAW21_ARIA)

BONES: tuple[tuple[int, int], ...] = tuple(
    (INDEX[a], INDEX[b])
    for a, b in (
        ("wrist", "palm"),
        ("wrist", "thumb_mcp"),
        ("thumb_mcp", "thumb_ip"),
        ("thumb_ip", "thumb_tip"),
        *(("palm", f"{finger}_mcp") for finger in FINGERS),
        *((f"{finger}_mcp", f"{finger}_pip") for finger in FINGERS),
        *((f"{finger}_pip", f"{finger}_tip") for finger in FINGERS),
    )
)


def palm_point(wrist: ArrayLike, mcps: ArrayLike) -> Floats:
    """Midpoint of the wrist ``(…,d)`` and the mean of the four finger MCPs ``(…,4,d)``."""
    return np.asarray((np.asarray(wrist) + np.asarray(mcps).mean(axis=-2)) / 2, dtype=np.float64)


def landmarks17_from_mediapipe21(points: ArrayLike) -> Floats:
    """``(…,21,d)`` in MediaPipe's order to ``(…,17,d)``; d is 2 or 3, the frame stays."""
    return _from_raw(points, MEDIAPIPE_INDICES)


def landmarks17_from_aria21(points: ArrayLike) -> Floats:
    """``(…,21,d)`` in Aria's order to ``(…,17,d)``. Aria's own palm centre is not used."""
    return _from_raw(points, ARIA_INDICES)


def mediapipe21_from_aria21(points: ArrayLike) -> Floats:
    """``(…,21,d)`` in Aria's order to MediaPipe's; the thumb's CMC, which Aria lacks, is NaN."""
    points = np.asarray(points, dtype=np.float64)
    shared = [name for name in RAW21_MEDIAPIPE if name in RAW21_ARIA]
    result = np.full(points.shape, np.nan)
    result[..., [RAW21_MEDIAPIPE.index(name) for name in shared], :] = points[
        ..., [RAW21_ARIA.index(name) for name in shared], :
    ]
    return result


def _from_raw(points: ArrayLike, indices: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim < 2 or points.shape[-2] != 21:
        raise BadInputError(f"hand points: expected (…,21,d), found {points.shape}")
    chosen = points[..., indices, :]
    chosen[..., INDEX["palm"], :] = palm_point(chosen[..., 0, :], chosen[..., MCP_INDICES, :])
    return chosen
