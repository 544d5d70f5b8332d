"""The palm frame, the human end-effector: x towards the fingers, z out of the palm, y = z cross x.

Right-handed on both hands. Three ways to measure it: the definition (wrist and four MCPs), a rigid
fit of the operator's own template to the same five points (less noise), and the plain three-point
construction.
"""

import numpy as np
from numpy.typing import ArrayLike

from core.errors import BadInputError
from core.geometry.arrays import Floats, unit
from core.geometry.landmarks import INDEX, MCP_INDICES, SIDES, palm_point
from core.geometry.rotations import nearest_rotation
from core.geometry.se3 import SE3

TEMPLATE_INDICES = (INDEX["wrist"], *MCP_INDICES)  # wrist, then index, middle, ring, pinky MCP
TEMPLATE_WEIGHTS = np.array([
    1.0,
    1.0,
    2.0,
    2.0,
    1.0,
])  # the paper spans its pose on middle and ring


def palm_frame(landmarks: ArrayLike, side: str) -> SE3:
    """``target_from_palm`` ``(…)`` of landmarks ``(…,17,3)`` in any target frame, by the
    definition.

    Where the five points do not span a plane (or are NaN) the frame is NaN.
    """
    return _frame_of_five(np.asarray(landmarks, dtype=np.float64)[..., TEMPLATE_INDICES, :], side)


def palm_frame_three_point(landmarks: ArrayLike, side: str) -> SE3:
    """The construction on palm, middle and ring MCP alone: same meaning, noisier about x."""
    points = np.asarray(landmarks, dtype=np.float64)
    palm, middle, ring = (
        points[..., INDEX[name], :] for name in ("palm", "middle_mcp", "ring_mcp")
    )
    normal = np.cross(middle - palm, ring - palm)
    return _frame(palm, (middle + ring) / 2 - palm, normal * _sign(side))


def palm_template(landmarks: ArrayLike, side: str) -> Floats:
    """``(5,3)`` wrist and four MCPs in the palm frame: the median over a track ``(T,17,3)``, NaN
    rows skipped.

    The template's own palm frame, built by the definition, is the identity. Raises BadInputError
    when no row has a frame.
    """
    points = np.asarray(landmarks, dtype=np.float64)[..., TEMPLATE_INDICES, :].reshape(-1, 5, 3)
    target_from_palm = _frame_of_five(points, side)
    known = target_from_palm.finite
    if not known.any():
        raise BadInputError(
            "palm template: no row with five finite landmarks; the hand was never seen"
        )
    median = np.median(target_from_palm[known].inverse().apply(points[known]), axis=0)
    return _frame_of_five(median, side).inverse().apply(median)


def fit_palm_template(template: ArrayLike, points: ArrayLike, weights: ArrayLike = 1.0) -> SE3:
    """``target_from_palm`` ``(…)`` that lays ``template`` ``(5,3)`` on ``points`` ``(…,5,3)``
    (Kabsch).

    ``weights`` ``(…,5)``, for instance 1 / sigma²; middle and ring count double on top. A point
    that is NaN or has weight 0 is left out; with fewer than three points left the pose is NaN.
    """
    template = np.asarray(template, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    weights = np.broadcast_to(np.asarray(weights) * TEMPLATE_WEIGHTS, points.shape[:-1])
    known = np.isfinite(points).all(axis=-1) & (weights > 0)
    weights = np.where(known, weights, 0.0)
    enough = known.sum(axis=-1) >= 3
    total = np.where(enough, weights.sum(axis=-1), 1.0)
    weights = (weights / total[..., None])[..., None]
    filled = np.where(known[..., None], points, 0.0)
    centre_points = (weights * filled).sum(axis=-2)
    centre_template = (weights * template).sum(axis=-2)
    spread = np.swapaxes(filled - centre_points[..., None, :], -1, -2) @ (
        weights * (template - centre_template[..., None, :])
    )
    rotation = nearest_rotation(spread)
    translation = centre_points - (rotation @ centre_template[..., None])[..., 0]
    return SE3(
        np.where(enough[..., None, None], rotation, np.nan),
        np.where(enough[..., None], translation, np.nan),
    )


def _frame_of_five(points: Floats, side: str) -> SE3:
    wrist, index, middle, ring, pinky = (points[..., k, :] for k in range(5))
    normal = np.cross(index - wrist, pinky - wrist)
    origin = palm_point(wrist, points[..., 1:, :])
    return _frame(origin, (middle + ring) / 2 - wrist, normal * _sign(side))


def _frame(origin: Floats, approach: Floats, normal: Floats) -> SE3:
    x = unit(approach)
    z = unit(normal - np.sum(normal * x, axis=-1, keepdims=True) * x)
    rotation = np.stack([x, np.cross(z, x), z], axis=-1)
    known = np.asarray(np.isfinite(rotation).all(axis=(-2, -1)) & np.isfinite(origin).all(axis=-1))
    return SE3(
        np.where(known[..., None, None], rotation, np.nan),
        np.where(known[..., None], origin, np.nan),
    )


def _sign(side: str) -> float:
    if side not in SIDES:
        raise BadInputError(f"side {side!r}: expected 'left' or 'right'")
    return -1.0 if side == "left" else 1.0
