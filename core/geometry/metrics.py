"""Error figures for hands and trajectories. Distances in metres, angles in degrees where the name
says so.

Rows with NaN are the caller's to remove or to mask with ``valid``: a figure over nothing is NaN,
not 0.
"""

import numpy as np
from numpy.typing import ArrayLike

from core.geometry.alignment import align_yaw_position, umeyama
from core.geometry.arrays import Floats
from core.geometry.rotations import angle_between
from core.geometry.se3 import SE3


def point_errors(estimate: ArrayLike, truth: ArrayLike) -> Floats:
    """Distances ``(…)`` of matching points ``(…,3)``."""
    difference = np.asarray(estimate, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
    return np.asarray(np.linalg.norm(difference, axis=-1))


def mpjpe(estimate: ArrayLike, truth: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Mean per-joint position error of ``(…,K,3)``, over the joints where ``valid`` ``(…,K)``."""
    errors = point_errors(estimate, truth)
    chosen = errors if valid is None else errors[np.asarray(valid, dtype=bool)]
    return float(np.mean(chosen)) if chosen.size else float("nan")


def wrist_relative(points: ArrayLike, *, wrist: int = 0) -> Floats:
    """Points ``(…,K,3)`` with the wrist moved to the origin."""
    points = np.asarray(points, dtype=np.float64)
    return np.asarray(points - points[..., wrist : wrist + 1, :], dtype=np.float64)


def procrustes(estimate: ArrayLike, truth: ArrayLike) -> Floats:
    """``(…,K,3)`` estimate after the best rotation, translation and scale onto truth, hand by
    hand.
    """
    p = np.asarray(estimate, dtype=np.float64)
    q = np.asarray(truth, dtype=np.float64)
    shape = p.shape
    p, q = p.reshape(-1, *shape[-2:]), q.reshape(-1, *shape[-2:])
    centre_p, centre_q = p.mean(axis=1, keepdims=True), q.mean(axis=1, keepdims=True)
    covariance = np.swapaxes(q - centre_q, 1, 2) @ (p - centre_p)
    u, singular, vt = np.linalg.svd(covariance)
    signs = np.ones_like(singular)
    signs[:, 2] = np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)
    rotation = (u * signs[:, None, :]) @ vt
    scale = np.sum(singular * signs, axis=1) / np.sum((p - centre_p) ** 2, axis=(1, 2))
    moved = scale[:, None, None] * (p - centre_p) @ np.swapaxes(rotation, 1, 2) + centre_q
    return np.asarray(moved.reshape(shape))


def rotation_error_deg(estimate: ArrayLike, truth: ArrayLike) -> Floats:
    """Angles ``(…)`` in degrees between rotations ``(…,3,3)``."""
    return np.degrees(angle_between(estimate, truth))


def ate_errors(estimate: ArrayLike, truth: ArrayLike, *, align: str = "se3") -> Floats:
    """Position errors ``(N,)`` of matching positions ``(N,3)`` after ``align``: se3, sim3, yaw or
    none.
    """
    p = np.asarray(estimate, dtype=np.float64)
    if align in {"se3", "sim3"}:
        motion, scale = umeyama(p, truth, with_scale=align == "sim3")
        p = motion.apply(scale * p)
    elif align == "yaw":
        p = align_yaw_position(p, truth).apply(p)
    elif align != "none":
        raise ValueError(f"align {align!r}: expected se3, sim3, yaw or none")
    return point_errors(p, truth)


def ate_rmse(estimate: ArrayLike, truth: ArrayLike, *, align: str = "se3") -> float:
    """Absolute trajectory error: root mean square of ``ate_errors``."""
    return float(np.sqrt(np.mean(ate_errors(estimate, truth, align=align) ** 2)))


def rpe(estimate: SE3, truth: SE3, *, step: int = 1) -> tuple[Floats, Floats]:
    """Relative pose errors over ``step`` rows: metres ``(N-step,)`` and degrees ``(N-step,)``.

    estimate, truth: matching world_from_body poses, each in its own world.
    """
    moved = estimate[:-step].inverse() @ estimate[step:]
    should = truth[:-step].inverse() @ truth[step:]
    error = should.inverse() @ moved
    metres = np.linalg.norm(error.translation, axis=-1)
    return np.asarray(metres), rotation_error_deg(moved.rotation, should.rotation)


def path_length_m(positions: ArrayLike) -> float:
    """Length of the polyline through ``(N,3)``."""
    return float(np.sum(np.linalg.norm(np.diff(np.asarray(positions), axis=0), axis=-1)))
