"""Rotations as matrices, unit quaternions (wxyz) and rotation vectors, all batched.

Shapes: matrix ``(…,3,3)``, quaternion ``(…,4)``, rotation vector ``(…,3)`` in radians. NaN rows
pass through as NaN. No function loops over rows.
"""

import numpy as np
from numpy.typing import ArrayLike

from core.geometry.arrays import Floats


def quat_wxyz_from_matrix(rotation: ArrayLike) -> Floats:
    """Unit quaternion with w >= 0, by Shepperd's method (exact to rounding at every angle)."""
    m = np.asarray(rotation, dtype=np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = np.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], -1)
    wx, wy, wz = (m[..., j, i] - m[..., i, j] for i, j in ((1, 2), (2, 0), (0, 1)))
    xy, xz, yz = (m[..., i, j] + m[..., j, i] for i, j in ((0, 1), (0, 2), (1, 2)))
    rows = np.empty((*m.shape[:-2], 4, 4))  # 4 q qT, symmetric
    for k, row in enumerate([(0, wx, wy, wz), (wx, 0, xy, xz), (wy, xy, 0, yz), (wz, xz, yz, 0)]):
        for j, value in enumerate(row):
            rows[..., k, j] = squares[..., k] if j == k else value
    best = np.argmax(squares, axis=-1)[..., None, None]
    quat = np.take_along_axis(rows, best, axis=-2)[..., 0, :]
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return _upper(quat)


def _upper(quat_wxyz: Floats) -> Floats:
    """The one of q and -q with w >= 0."""
    return np.asarray(np.where(quat_wxyz[..., :1] < 0, -quat_wxyz, quat_wxyz), dtype=np.float64)


def matrix_from_quat_wxyz(quat_wxyz: ArrayLike) -> Floats:
    """Rotation matrix of a quaternion; the quaternion is normalised first."""
    q = np.asarray(quat_wxyz, dtype=np.float64)
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quat_from_rotvec(rotvec: ArrayLike) -> Floats:
    """Unit quaternion (wxyz) of a rotation vector."""
    v = np.asarray(rotvec, dtype=np.float64)
    half = np.linalg.norm(v, axis=-1, keepdims=True) / 2
    vector = v * np.sinc(half / np.pi) / 2
    return np.concatenate([np.cos(half), vector], axis=-1)


def rotvec_from_quat(quat_wxyz: ArrayLike) -> Floats:
    """Rotation vector of length <= pi."""
    q = _upper(np.asarray(quat_wxyz, dtype=np.float64))
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    scale = np.divide(angle, sine, out=np.full_like(sine, 2.0), where=sine > 1e-12)
    rotvec: Floats = q[..., 1:] * scale
    return rotvec


def matrix_from_rotvec(rotvec: ArrayLike) -> Floats:
    """Rotation matrix of a rotation vector (Rodrigues)."""
    return matrix_from_quat_wxyz(quat_from_rotvec(rotvec))


def rotvec_from_matrix(rotation: ArrayLike) -> Floats:
    """Rotation vector of length <= pi; accurate at 0 and at pi."""
    return rotvec_from_quat(quat_wxyz_from_matrix(rotation))


def quat_multiply(left_wxyz: ArrayLike, right_wxyz: ArrayLike) -> Floats:
    """Hamilton product: the rotation ``right`` first, then ``left``."""
    a, b, c, d = np.moveaxis(np.asarray(left_wxyz, dtype=np.float64), -1, 0)
    w, x, y, z = np.moveaxis(np.asarray(right_wxyz, dtype=np.float64), -1, 0)
    return np.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        axis=-1,
    )


def quat_conjugate(quat_wxyz: ArrayLike) -> Floats:
    """The inverse rotation of a unit quaternion."""
    inverse: Floats = np.asarray(quat_wxyz, dtype=np.float64) * np.array([1.0, -1.0, -1.0, -1.0])
    return inverse


def hemisphere_continuous(quat_wxyz: ArrayLike) -> Floats:
    """Flip signs along axis 0 so that neighbours have a non-negative dot product; NaN rows are
    jumped over.
    """
    q = np.array(quat_wxyz, dtype=np.float64)
    if q.ndim < 2 or len(q) < 2:
        return q
    known = np.isfinite(q).all(axis=-1)
    row = np.arange(len(q)).reshape((-1,) + (1,) * (q.ndim - 2))
    last_known = np.maximum.accumulate(np.where(known, row, 0), axis=0)
    filled = np.take_along_axis(q, last_known[..., None], axis=0)
    dots = np.sum(filled[1:] * filled[:-1], axis=-1)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    q[1:] *= signs[..., None]
    return q


def slerp(start_wxyz: ArrayLike, end_wxyz: ArrayLike, fraction: ArrayLike) -> Floats:
    """The shortest great arc from ``start`` (fraction 0) to ``end`` (1). ``fraction`` has the
    batch's shape.
    """
    start = np.asarray(start_wxyz, dtype=np.float64)
    step = rotvec_from_quat(quat_multiply(quat_conjugate(start), end_wxyz))
    part = np.asarray(fraction, dtype=np.float64)[..., None]
    return quat_multiply(start, quat_from_rotvec(step * part))


def matrix_from_ypr(yaw: ArrayLike, pitch: ArrayLike, roll: ArrayLike) -> Floats:
    """Rz(yaw) Ry(pitch) Rx(roll), radians."""
    y, p, r = (np.asarray(a, dtype=np.float64) for a in (yaw, pitch, roll))
    axes = np.eye(3)
    turns = [
        matrix_from_rotvec(angle[..., None] * axes[k]) for angle, k in ((y, 2), (p, 1), (r, 0))
    ]
    return np.asarray(turns[0] @ turns[1] @ turns[2])


def ypr_from_matrix(rotation: ArrayLike) -> Floats:
    """``(…,3)`` yaw, pitch, roll with R = Rz Ry Rx. At pitch = ±90° roll is set to 0."""
    m = np.asarray(rotation, dtype=np.float64)
    level = np.hypot(m[..., 0, 0], m[..., 1, 0])
    locked = level < 1e-9
    yaw = np.where(
        locked, np.arctan2(-m[..., 0, 1], m[..., 1, 1]), np.arctan2(m[..., 1, 0], m[..., 0, 0])
    )
    roll = np.where(locked, 0.0, np.arctan2(m[..., 2, 1], m[..., 2, 2]))
    return np.stack([yaw, np.arctan2(-m[..., 2, 0], level), roll], axis=-1)


def angle_between(left: ArrayLike, right: ArrayLike) -> Floats:
    """Angle (radians, 0 … pi) of the rotation that takes one matrix to the other."""
    difference = np.swapaxes(np.asarray(left, dtype=np.float64), -1, -2) @ np.asarray(right)
    return np.asarray(np.linalg.norm(rotvec_from_matrix(difference), axis=-1))


def nearest_rotation(matrix: ArrayLike) -> Floats:
    """The rotation nearest to a 3 by 3 matrix in the Frobenius norm (SVD)."""
    u, _, vt = np.linalg.svd(np.asarray(matrix, dtype=np.float64))
    sign = np.ones((*u.shape[:-2], 3))
    sign[..., 2] = np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)
    return np.asarray((u * sign[..., None, :]) @ vt)


def mean_rotation(rotations: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Chordal mean ``(3,3)`` of ``(N,3,3)``, with optional weights ``(N,)``."""
    matrices = np.asarray(rotations, dtype=np.float64)
    factors = np.ones(len(matrices)) if weights is None else np.asarray(weights, dtype=np.float64)
    return nearest_rotation(np.einsum("n,nij->ij", factors, matrices))
