"""Two views of one scene: which matches agree with an essential matrix, and the motion it gives."""

from dataclasses import dataclass

import cv2
import numpy as np

from core.geometry.arrays import Bools, Floats
from core.geometry.se3 import SE3
from slam.sight.rays import angular_error, fit_rotation, triangulate

CONE_COS = np.cos(np.deg2rad(65))  # rays further out do not enter the sampling, only the test


def _essential(first: Floats, second: Floats, max_rad: float) -> Floats | None:
    """Essential matrix with ``second · E first = 0``, from the rays near the axis; None if none."""
    front = (first[:, 2] > CONE_COS) & (second[:, 2] > CONE_COS)
    if front.sum() < 8:
        return None
    flat_first, flat_second = (r[front, :2] / r[front, 2:] for r in (first, second))
    found, _ = cv2.findEssentialMat(
        flat_first, flat_second, np.eye(3), method=cv2.RANSAC, prob=0.999, threshold=max_rad
    )
    return None if found is None or found.shape[0] < 3 else found[:3]


def epipolar_error(essential: Floats, first: Floats, second: Floats) -> Floats:
    """The larger of the two angles (radians) between a ray and the epipolar plane of the other."""
    plane_second, plane_first = first @ essential.T, second @ essential
    value = np.abs(np.sum(second * plane_second, axis=1))
    lengths = np.minimum(np.linalg.norm(plane_second, axis=1), np.linalg.norm(plane_first, axis=1))
    return value / np.maximum(lengths, 1e-12)


def epipolar_inliers(first: Floats, second: Floats, *, max_rad: float) -> Bools:
    """Matches of rays ``(N,3)`` that fit one rigid motion. All of them where none can be told."""
    turn = fit_rotation(first, second)
    still = np.linalg.norm(second - first @ turn.T, axis=1)
    if np.mean(still < 1.5 * max_rad) > 0.9:  # hardly any parallax: a rotation explains the scene
        return still < 4 * max_rad
    essential = _essential(first, second, max_rad)
    if essential is None:
        return np.ones(len(first), bool)
    return epipolar_error(essential, first, second) < 1.5 * max_rad


@dataclass(frozen=True, eq=False)
class TwoView:
    """second_from_first with a unit translation, and its triangulated matches (N).

    points_in_first: ``(N,3)``, NaN where not good.   parallax_rad: median over the good ones.
    """

    second_from_first: SE3
    points_in_first: Floats
    good: Bools
    parallax_rad: float


def two_view(first: Floats, second: Floats, *, max_rad: float) -> TwoView | None:
    """Relative motion from rays ``(N,3)``; None where the essential matrix gives none."""
    essential = _essential(first, second, max_rad)
    if essential is None:
        return None
    inlier = epipolar_error(essential, first, second) < 2 * max_rad
    turn_a, turn_b, shift = cv2.decomposeEssentialMat(essential)
    best: TwoView | None = None
    for turn in (turn_a, turn_b):
        for sign in (1.0, -1.0):
            view = _triangulated(
                SE3(turn, sign * shift[:, 0]), first, second, inlier=inlier, max_rad=max_rad
            )
            if best is None or view.good.sum() > best.good.sum():
                best = view
    return best


def _triangulated(
    second_from_first: SE3, first: Floats, second: Floats, *, inlier: Bools, max_rad: float
) -> TwoView:
    first_from_second = second_from_first.inverse()
    n = len(first)
    origins = np.repeat([np.zeros(3), first_from_second.translation], [n, n], axis=0)
    directions = np.concatenate([first, first_from_second.rotate(second)])
    order = np.arange(2 * n).reshape(2, n).T.ravel()
    points, spread = triangulate(origins[order], directions[order], np.repeat(np.arange(n), 2))
    error = np.maximum(
        angular_error(first, points), angular_error(second, second_from_first.apply(points))
    )
    good = inlier & (error < 2 * max_rad) & (spread > 4e-3)
    parallax = 2 * float(np.median(spread[good])) if good.any() else 0.0
    return TwoView(second_from_first, np.where(good[:, None], points, np.nan), good, parallax)
