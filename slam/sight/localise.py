"""The pose of one view from points whose places are known."""

from dataclasses import dataclass

import cv2
import numpy as np

from core.geometry.arrays import Bools, Floats, Ints, unit
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.sight.rays import tangent_rotations
from slam.sight.tracks import Tracks
from slam.sight.twoview import CONE_COS

NEXT, LAST = [1, 2, 0], [2, 0, 1]  # axes of a cross product; np.cross takes ten times as long


@dataclass(frozen=True, eq=False)
class View:
    """What one frame saw of known points. points: ``(N,3)`` world; rays: ``(N,3)``; rad_per_px:
    ``(N,)``; eyes: ``(N,3)`` as in `Tracks`, or None."""

    points: Floats
    rays: Floats
    rad_per_px: Floats
    eyes: Floats | None = None

    @classmethod
    def of(cls, points: Floats, seen: Tracks, rows: Bools | Ints) -> "View":
        """Points as these observations saw them, in their order."""
        eyes = None if seen.eyes is None else seen.eyes[rows]
        return cls(points, seen.rays[rows], seen.rad_per_px[rows], eyes)

    def towards(self, in_camera: Floats) -> Floats:
        """``(N,3)`` from where the rays begin to these points."""
        return in_camera if self.eyes is None else in_camera - self.eyes


@dataclass(frozen=True, eq=False)
class PosePrior:
    """A pose believed before looking. information: ``(6,6)`` for (rotation, translation) in the
    camera frame."""

    camera_from_world: SE3
    information: Floats


@dataclass(frozen=True, eq=False)
class Localised:
    """camera_from_world, the inliers ``(N,)`` and the covariance ``(6,6)`` (rotation, translation;
    camera frame)."""

    camera_from_world: SE3
    inlier: Bools
    covariance: Floats


def errors_px(view: View, camera_from_world: SE3) -> Floats:
    """Reprojection error ``(N,)``, infinite behind the camera."""
    seen = view.towards(camera_from_world.apply(view.points))
    along = np.sum(view.rays * seen, axis=1)
    across = np.linalg.norm(seen - along[:, None] * view.rays, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(along > 0, across / along / view.rad_per_px, np.inf)


def refine_pose(
    view: View,
    start: SE3,
    *,
    sigma_px: float,
    outlier_px: float,
    prior: PosePrior | None = None,
    rounds: int = 10,
) -> Localised:
    """Gauss-Newton on the tangent-plane errors with Cauchy weights, from ``start``."""
    tangent = tangent_rotations(view.rays)[:, :, :2].transpose(0, 2, 1)  # (N,2,3)
    rotation, translation = start.rotation.copy(), start.translation.copy()
    information = np.eye(6)
    for _ in range(rounds):
        placed = view.points @ rotation.T + translation
        seen = view.towards(placed)
        along = np.maximum(np.sum(view.rays * seen, axis=1), 1e-6)
        flat = np.einsum("nij,nj->ni", tangent, seen) / along[:, None]
        residual = flat / (view.rad_per_px * sigma_px)[:, None]
        weight = 1 / (1 + np.sum(residual**2, axis=1) / 9)
        towards = (tangent - flat[:, :, None] * view.rays[:, None, :]) / along[:, None, None]
        turned = (
            placed[:, None, NEXT] * towards[..., LAST] - placed[:, None, LAST] * towards[..., NEXT]
        )
        jacobian = np.concatenate([turned, towards], axis=2)
        jacobian /= (view.rad_per_px * sigma_px)[:, None, None]
        weighted = (jacobian * weight[:, None, None]).reshape(-1, 6)
        information = weighted.T @ jacobian.reshape(-1, 6)
        gradient = weighted.T @ residual.ravel()
        if prior is not None:
            delta = _off(rotation, translation, prior.camera_from_world)
            information = information + prior.information
            gradient = gradient + prior.information @ delta
        step = -np.linalg.solve(information + 1e-9 * np.trace(information) * np.eye(6), gradient)
        turn = cv2.Rodrigues(step[:3])[0]
        rotation, translation = turn @ rotation, turn @ translation + step[3:]
        if np.abs(step).max() < 1e-7:
            break
    pose = SE3(rotation, translation)
    covariance = np.linalg.pinv(information, hermitian=True)
    return Localised(pose, errors_px(view, pose) < outlier_px, covariance)


def _off(rotation: Floats, translation: Floats, believed: SE3) -> Floats:
    """``(6,)`` rotation and translation from the believed pose to this near one, to first order."""
    turn = rotation @ believed.rotation.T
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    return np.concatenate([axis / 2, translation - turn @ believed.translation])


def ransac_pose(view: View, *, outlier_px: float) -> SE3 | None:
    """A pose from nothing: P3P on the rays near the axis, or on those of a second camera where they
    are more. None where too few agree."""
    if view.eyes is not None:
        return _from_one_camera(view, view.eyes, outlier_px=outlier_px)
    front = view.rays[:, 2] > CONE_COS
    if front.sum() < 8:
        return None
    flat = view.rays[front, :2] / view.rays[front, 2:]
    points = view.points[front]
    try:
        found, _, _, inliers = cv2.solvePnPRansac(
            points,
            flat,
            np.eye(3),
            None,
            flags=cv2.SOLVEPNP_AP3P,
            reprojectionError=2 * outlier_px * float(np.median(view.rad_per_px)),
            iterationsCount=200,
            confidence=0.999,
        )
        if not found or inliers is None or len(inliers) < 8:
            return None
        agree = inliers[:, 0]
        _, rotvec, shift = cv2.solvePnP(
            points[agree], flat[agree], np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error:  # points that lie too close together
        return None
    return SE3(matrix_from_rotvec(rotvec[:, 0]), shift[:, 0])


def _from_one_camera(view: View, eyes: Floats, *, outlier_px: float) -> SE3 | None:
    own = ~eyes.any(axis=1)
    rows = own if own.mean() >= 0.5 else ~own
    camera_from_eye = SE3(np.eye(3), eyes[rows][0])
    if not own[rows].any():
        ahead = tangent_rotations(unit(view.rays[rows].mean(axis=0, keepdims=True)))[0]
        camera_from_eye = SE3(ahead, camera_from_eye.translation)
    rays = view.rays[rows] @ camera_from_eye.rotation
    seen = View(view.points[rows], rays, view.rad_per_px[rows])
    eye_from_world = ransac_pose(seen, outlier_px=outlier_px)
    return None if eye_from_world is None else camera_from_eye @ eye_from_world
