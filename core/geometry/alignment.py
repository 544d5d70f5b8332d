"""Laying one set of points or one world on another: similarity, yaw and position, gravity.

Every function returns ``target_from_source``.
"""

import numpy as np
from numpy.typing import ArrayLike

from core.errors import BadInputError
from core.geometry.arrays import Floats, unit
from core.geometry.rotations import matrix_from_rotvec, nearest_rotation
from core.geometry.se3 import SE3


def umeyama(source: ArrayLike, target: ArrayLike, *, with_scale: bool = False) -> tuple[SE3, float]:
    """The rigid motion and scale with least square error: target = scale * R source + t.

    source, target: ``(N,3)`` matching points, N >= 3. Apply as ``motion.apply(scale * source)``.
    Points on one line leave the turn about it open: any of the equally good ones is returned.
    Umeyama 1991, eq. 39-43.
    """
    p, q = _matching(source, target, least=3)
    centre_p, centre_q = p.mean(axis=0), q.mean(axis=0)
    covariance = (q - centre_q).T @ (p - centre_p) / len(p)
    rotation = nearest_rotation(covariance)
    scale = 1.0
    if with_scale:
        variance = float(np.mean(np.sum((p - centre_p) ** 2, axis=1)))
        if variance == 0:
            raise BadInputError("alignment: all source points are one point; scale is undefined")
        scale = float(np.trace(rotation.T @ covariance)) / variance
    return SE3(rotation, centre_q - scale * rotation @ centre_p), scale


def align_yaw_position(source: ArrayLike, target: ArrayLike) -> SE3:
    """The motion with least square error among turns about z and translations; both worlds level.

    source, target: ``(N,3)`` matching points, N >= 2.
    """
    p, q = _matching(source, target, least=2)
    centre_p, centre_q = p.mean(axis=0), q.mean(axis=0)
    dp, dq = p - centre_p, q - centre_q
    yaw = np.arctan2(
        np.sum(dp[:, 0] * dq[:, 1] - dp[:, 1] * dq[:, 0]), np.sum(dp[:, :2] * dq[:, :2])
    )
    rotation = matrix_from_rotvec([0.0, 0.0, yaw])
    return SE3(rotation, centre_q - rotation @ centre_p)


def rotation_between(source: ArrayLike, target: ArrayLike) -> Floats:
    """The smallest rotation ``(…,3,3)`` that turns direction ``source`` ``(…,3)`` to ``target``.

    Opposite directions turn by 180° about an axis square to both.
    """
    a, b = np.broadcast_arrays(unit(source), unit(target))
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, np.sum(a * b, axis=-1, keepdims=True))
    least = np.eye(3)[np.argmin(np.abs(a), axis=-1)]
    square = unit(np.cross(a, least))
    direction = np.divide(axis, sine, out=np.array(square), where=sine > 1e-12)
    return matrix_from_rotvec(direction * angle)


def level_world(gravity_in_world: ArrayLike) -> Floats:
    """``(3,3)`` levelled_from_world: turns the measured gravity (pointing down) to -z, heading
    kept.
    """
    gravity = np.asarray(gravity_in_world, dtype=np.float64)
    if not np.isfinite(gravity).all() or np.linalg.norm(gravity) == 0:
        raise BadInputError(
            f"gravity {gravity.tolist()}: expected a direction; nothing to level by"
        )
    return rotation_between(gravity, [0.0, 0.0, -1.0])


def _matching(source: ArrayLike, target: ArrayLike, *, least: int) -> tuple[Floats, Floats]:
    p = np.asarray(source, dtype=np.float64)
    q = np.asarray(target, dtype=np.float64)
    if p.shape != q.shape or p.ndim != 2 or p.shape[1] != 3 or len(p) < least:
        raise BadInputError(
            f"alignment: points {p.shape} and {q.shape}; expected two (N,3) with N >= {least}"
        )
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise BadInputError("alignment: points hold NaN; pass the valid rows only")
    return p, q
