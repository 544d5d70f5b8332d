"""Fit the articulated hand to the evidence of each frame: a batch of small least-squares problems.

Residuals, each divided by its sigma: landmarks across their rays (robust), the detector's own 3D
shape guess, posture prior, joint limits. Jacobians are finite differences of the kinematics, all
frames at
once: about 1 ms per hand and frame.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec, nearest_rotation
from hands import kinematics as kin
from hands.evidence import Evidence, landmark_mixing, scaled_guess, shift_onto_rays, tangents
from hands.proportions import HandShape

Floats = NDArray[np.float64]

STEP = 1e-5
LIMIT_SIGMA_RAD = np.deg2rad(3.0)
DIP_SIGMA_RAD = np.deg2rad(12.0)
STUDENT_DOF = 4.0  # landmarks have heavy tails
PALM_POINTS = (0, 5, 9, 13, 17)


@dataclass(frozen=True, eq=False)
class HandPoses:
    """N fitted hands.   rotation: ``(N,3,3)`` camera_from_palm.   position: ``(N,3)`` wrist.
    angles: ``(N,21)``.
    """

    rotation: Floats
    position: Floats
    angles: Floats

    def joints(self, shape: HandShape) -> Floats:
        """The 21 joint centres in the camera, ``(N,21,3)``."""
        return kin.place(kin.joints_in_palm(self.angles, shape), self.rotation, self.position)

    def rows(self, rows: Any) -> "HandPoses":
        """Some of the poses."""
        return HandPoses(self.rotation[rows], self.position[rows], self.angles[rows])

    def moved(self, step: Floats) -> "HandPoses":
        """Poses after adding ``(…,N,27)``; rotations turn in their own axes."""
        return HandPoses(
            self.rotation @ matrix_from_rotvec(step[..., kin.ROTATION]),
            self.position + step[..., kin.POSITION],
            self.angles + step[..., 6:],
        )


@dataclass(frozen=True, eq=False)
class Terms:
    """The residuals' constant parts for N frames.

    rays, across: see `Evidence`, `tangents`.   guess: `scaled_guess`, NaN replaced.   weight:
    ``(N,21)`` 1/sigma_rad, robust factor included.   guess_weight: ``(N,1)`` 1/metres, zero without
    a guess.
    """

    shape: HandShape
    mixing: Floats
    rays: Floats
    across: Floats
    weight: Floats
    guess: Floats
    guess_weight: Floats

    def rows(self, rows: Any) -> "Terms":
        """The terms of some frames."""
        names = ("rays", "across", "weight", "guess", "guess_weight")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def residuals(self, poses: HandPoses) -> Floats:
        """``(…,N,R)``."""
        points = self.mixing @ poses.joints(self.shape)
        depth = np.maximum(np.sum(points * self.rays, axis=-1), 0.02)
        offset = (self.across @ points[..., None])[..., 0] / depth[..., None]
        centred = points - points.mean(axis=-2, keepdims=True)
        parts = [
            offset * self.weight[..., None],
            (centred - self.guess) * self.guess_weight[..., None],
            posture_residuals(poses.angles),
        ]
        batch = poses.position.shape[:-1]
        return np.concatenate([p.reshape(*batch, -1) for p in parts], axis=-1)

    def normal_equations(self, poses: HandPoses) -> tuple[Floats, Floats, Floats]:
        """Gauss-Newton: ``(N,27,27)`` information, ``(N,27)`` gradient, ``(N,)`` cost."""
        at = self.residuals(poses)
        steps = np.eye(kin.POSE_SIZE)[:, None, :] * STEP
        jacobian = (self.residuals(poses.moved(steps)) - at) / STEP  # (27,N,R)
        jacobian = np.moveaxis(jacobian, 0, 1)
        information = jacobian @ np.swapaxes(jacobian, 1, 2)
        return information, (jacobian @ at[..., None])[..., 0], np.sum(at * at, axis=-1)


def posture_residuals(angles: Floats) -> Floats:
    """``(…,21)`` angles to the posture prior, the tendon coupling and the limits."""
    fingers = angles[..., 5:].reshape(*angles.shape[:-1], 4, 4)
    coupling = (fingers[..., 3] - kin.DIP_PER_PIP * fingers[..., 2]) / DIP_SIGMA_RAD
    prior = (angles - kin.ANGLE_MEAN) / kin.ANGLE_SIGMA
    outside = np.maximum(angles - kin.ANGLE_HIGH, 0) + np.minimum(angles - kin.ANGLE_LOW, 0)
    return np.concatenate([prior, coupling, outside / LIMIT_SIGMA_RAD], axis=-1)


def terms_of(evidence: Evidence, shape: HandShape, *, guess_sigma_m: float) -> Terms:
    """Prepare N seen frames."""
    guess = scaled_guess(evidence, shape)
    known = np.asarray(np.isfinite(guess).all(axis=(1, 2)))
    return Terms(
        shape=shape,
        mixing=landmark_mixing(),
        rays=evidence.rays,
        across=tangents(evidence.rays),
        weight=1.0 / evidence.sigma_rad,
        guess=np.where(known[:, None, None], guess, 0.0),
        guess_weight=np.where(known, 1.0 / guess_sigma_m, 0.0)[:, None],
    )


def starting_poses(terms: Terms) -> HandPoses:
    """Mean posture, turned like the guess's palm, at the place where the rays want it."""
    count = len(terms.rays)
    angles = np.broadcast_to(kin.ANGLE_MEAN, (count, 21)).copy()
    model = terms.mixing @ kin.joints_in_palm(kin.ANGLE_MEAN, terms.shape)
    palm = list(PALM_POINTS)
    source = model[palm] - model[palm].mean(axis=0)
    target = terms.guess[:, palm] - terms.guess[:, palm].mean(axis=1, keepdims=True)
    rotation = nearest_rotation(np.swapaxes(target, 1, 2) @ source)
    return HandPoses(
        rotation, shift_onto_rays(model @ np.swapaxes(rotation, 1, 2), terms.across), angles
    )


def fit_frames(
    terms: Terms, start: HandPoses | None = None, *, iterations: int = 12
) -> tuple[HandPoses, Floats]:
    """Levenberg-Marquardt on every frame by itself. Returns the poses and ``(N,27,27)``
    information.
    """
    poses = start or starting_poses(terms)
    damping = np.full(len(terms.rays), 1e-2)
    information, gradient, cost = terms.normal_equations(poses)
    for _ in range(iterations):
        diagonal = np.einsum("nii->ni", information)
        system = information + (damping[:, None] * diagonal)[..., None] * np.eye(kin.POSE_SIZE)
        step = -np.linalg.solve(system, gradient[..., None])[..., 0]
        tried = poses.moved(step)
        better = np.sum(terms.residuals(tried) ** 2, axis=-1) < cost
        poses = chosen(better, tried, poses)
        damping = np.where(better, damping * 0.3, damping * 5.0)
        if not better.any():
            break
        information, gradient, cost = terms.normal_equations(poses)
    return poses, information


def chosen(mask: NDArray[np.bool_], yes: HandPoses, no: HandPoses) -> HandPoses:
    """Row-wise choice between two batches."""
    return HandPoses(
        np.where(mask[:, None, None], yes.rotation, no.rotation),
        np.where(mask[:, None], yes.position, no.position),
        np.where(mask[:, None], yes.angles, no.angles),
    )


def ray_offsets(terms: Terms, poses: HandPoses) -> Floats:
    """``(N,21)`` angle between each landmark's ray and the fitted one, radians."""
    points = terms.mixing @ poses.joints(terms.shape)
    depth = np.maximum(np.sum(points * terms.rays, axis=-1), 0.02)
    return np.asarray(np.linalg.norm((terms.across @ points[..., None])[..., 0], axis=-1) / depth)


def robustified(terms: Terms, poses: HandPoses, sigma_rad: Floats) -> Terms:
    """The same terms with Student-t weights of the present offsets."""
    squared = (ray_offsets(terms, poses) / sigma_rad) ** 2
    factor = np.sqrt((STUDENT_DOF + 2) / (STUDENT_DOF + squared))
    return replace(terms, weight=factor / sigma_rad)
