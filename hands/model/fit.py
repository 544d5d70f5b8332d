"""Fit the articulated hand to the evidence of each frame: a batch of small least-squares problems.

Residuals, each divided by its sigma: landmarks across their rays (robust), the detector's own 3D
shape guess bone by bone, its distance, posture prior, joint limits. All frames at once, under 1 ms
per hand and frame.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import nearest_rotation
from hands.model import kinematics as kin
from hands.model.by_finger import landmark_equations, middle_slopes, whole
from hands.model.evidence import (
    PALM_JOINTS,
    PARENTS,
    Evidence,
    landmark_mixing,
    normalised,
    scaled_guess,
    shift_onto_rays,
    tangents,
)
from hands.model.mount_terms import MountTerms
from hands.model.poses import HandPoses, chosen, landmarks_and_slopes
from hands.model.posture import posture_equations, posture_residuals, posture_slopes
from hands.model.proportions import HandShape
from hands.model.view_evidence import MountEvidence
from hands.model.view_terms import ViewTerms, Whitening, across_rays, shared_modes

Floats = NDArray[np.float64]

STUDENT_DOF = 4.0  # landmarks have heavy tails
GUESS_DOF = 1.0  # the guess is often right and sometimes far off: which way a hand leans
# Landmarks of one hand err together, so their sigmas count for less than 42 numbers; beside them
# the lifter's distance counts this much more than its own sigma says.
TOGETHER = 2.0


BY_FRAME = (
    "rays", "across", "weight", "guess", "guess_weight", "distance", "distance_weight", "posture",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Terms:
    """The residuals' constant parts for N frames.

    rays, across: see `Evidence`, `tangents`.   weight: ``(N,21)`` 1/sigma_rad, robust factor
    included.   guess: ``(N,21,3)`` `scaled_guess`.   guess_weight: ``(N,20)``
    1/metres of its bones, zero without a guess.   distance, distance_weight: ``(N,)`` of the
    landmarks' middle, metres and 1/metres.   posture: see `Evidence`.   views: of other cameras.
    shared: of the weighted offsets, where another view can tell which of the head's landmarks'
    errors are common to them all; None where there is no other view.
    """

    shape: HandShape
    mixing: Floats
    rays: Floats
    across: Floats
    weight: Floats
    guess: Floats
    guess_weight: Floats
    distance: Floats
    distance_weight: Floats
    posture: Floats
    views: tuple[ViewTerms | MountTerms, ...] = ()
    shared: Whitening | None = None

    def rows(self, rows: Any) -> "Terms":
        """The terms of some frames."""
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in BY_FRAME},
            views=tuple(view.rows(rows) for view in self.views),
            shared=self.shared and self.shared.rows(rows),
        )

    def residuals(self, poses: HandPoses) -> Floats:
        """``(N,R)``: 42 across the rays, 60 of bones against the guess, distance, 46 of posture,
        42 across the rays of each other view.
        """
        return self._residuals_at(self.mixing @ poses.joints(self.shape), poses.angles)

    def jacobian(self, poses: HandPoses) -> Floats:
        """``(N,R,27)`` of the residuals."""
        points, slopes = landmarks_and_slopes(poses, self.shape)
        rows = self.slopes_by_points(points, whole(slopes))
        rows[:, 103:149, 6:] = posture_slopes(poses.angles)
        return rows

    def slopes_by_points(self, points: Floats, slopes: Floats) -> Floats:
        """``(N,R,C)`` of the residuals as far as they hang on the landmarks ``(N,21,3)``, which
        move by ``slopes`` ``(N,21,3,C)``.
        """
        bones = bones_of(slopes) * self.guess_weight[..., None, None]
        farther = np.einsum("ni,nic->nc", self._middle_ray(), slopes.mean(axis=1))
        parts = [
            self._whitened(self._sideways(points) @ slopes),
            bones,
            farther * self.distance_weight[:, None],
            np.zeros((len(points), 46, slopes.shape[-1])),  # posture
            *(view.jacobian(points, slopes) for view in self.views),
        ]
        flat = [p.reshape(len(points), -1, slopes.shape[-1]) for p in parts]
        return np.concatenate(flat, axis=1)

    def normal_equations(self, poses: HandPoses) -> tuple[Floats, Floats, Floats]:
        """Gauss-Newton: ``(N,27,27)`` information, ``(N,27)`` gradient, ``(N,)`` cost."""
        points, slopes = landmarks_and_slopes(poses, self.shape)
        at, sideways = self._residuals_at(points, poses.angles), self._sideways(points)
        apart = np.zeros_like(sideways) if self.views else sideways
        information, gradient = landmark_equations(
            slopes, apart, self.guess_weight, at=(at[:, :42], at[:, 42:102])
        )
        farther = middle_slopes(slopes, self._middle_ray() * self.distance_weight[:, None])
        information += farther[:, :, None] * farther[:, None]
        gradient += farther * at[:, 102, None]
        posture, pull = posture_equations(poses.angles, at[:, 103:149])
        information[:, 6:, 6:] += posture
        gradient[:, 6:] += pull
        if self.views:  # what landmarks have in common joins all fingers
            moves = whole(slopes)
            rows = self._whitened(sideways @ moves).reshape(len(points), 42, -1)
            views = [view.jacobian(points, moves) for view in self.views]
            rows = np.concatenate([rows, *views], axis=1)
            turned, values = np.swapaxes(rows, 1, 2), np.delete(at, slice(42, 149), axis=1)
            information += turned @ rows
            gradient += (turned @ values[..., None])[..., 0]
        return information, gradient, np.sum(at * at, axis=-1)

    def _residuals_at(self, points: Floats, angles: Floats) -> Floats:
        offset, _ = across_rays(points, self.rays, self.across)
        farther = np.sum(points.mean(axis=1) * self._middle_ray(), axis=-1) - self.distance
        bones = (bones_of(points) - bones_of(self.guess)) * self.guess_weight[..., None]
        parts = [
            self._whitened(offset * self.weight[..., None]),
            bones,
            farther * self.distance_weight,
            posture_residuals(angles, self.posture),
            *(view.residuals(points) for view in self.views),
        ]
        return np.concatenate([p.reshape(len(points), -1) for p in parts], axis=-1)

    def _sideways(self, points: Floats) -> Floats:
        """``(N,21,2,3)`` slopes of the weighted offsets by the landmark's place."""
        offset, depth = across_rays(points, self.rays, self.across)
        slopes = self.across - offset[..., None] * self.rays[..., None, :]
        return np.asarray(slopes * (self.weight / depth)[..., None, None])

    def _middle_ray(self) -> Floats:
        return normalised(self.rays.mean(axis=1))

    def _whitened(self, weighted: Floats) -> Floats:
        return weighted if self.shared is None else self.shared.of(weighted)


def bones_of(points: Floats) -> Floats:
    """``(N,21,…)`` points to ``(N,20,…)`` differences to their parents."""
    return points[:, 1:] - points[:, PARENTS[1:]]


def terms_of(evidence: Evidence, shape: HandShape, *, guess_sigma_m: tuple[float, float]) -> Terms:
    """Prepare N seen frames. guess_sigma_m: of the guess's finger and palm bones, the latter where
    the evidence has no sigma of its own.
    """
    known = np.asarray(np.isfinite(evidence.guess).all(axis=(1, 2)))
    palm = evidence.palm_sigma * shape.length_m
    sigma_m = np.full((len(evidence), 20), guess_sigma_m[0])
    sigma_m[:, np.array(PALM_JOINTS) - 1] = np.where(np.isnan(palm), guess_sigma_m[1], palm)
    return Terms(
        shape=shape,
        mixing=landmark_mixing(),
        rays=evidence.rays,
        across=tangents(evidence.rays),
        weight=1.0 / evidence.sigma_rad,
        guess=scaled_guess(evidence, shape),
        guess_weight=np.where(known[:, None], 1.0 / sigma_m, 0.0),
        distance=evidence.distance * shape.length_m,
        distance_weight=TOGETHER / (evidence.distance * shape.length_m * evidence.distance_sigma),
        posture=evidence.posture,
        views=tuple(
            MountTerms.of(view, shape) if isinstance(view, MountEvidence) else ViewTerms.of(view)
            for view in evidence.views
        ),
    )


def starting_poses(terms: Terms) -> HandPoses:
    """Mean posture, turned like the guess's palm, at the place where the rays want it."""
    count = len(terms.rays)
    angles = np.broadcast_to(kin.ANGLE_MEAN, (count, 21)).copy()
    model = terms.mixing @ kin.joints_in_palm(kin.ANGLE_MEAN, terms.shape)
    palm = [0, *PALM_JOINTS[1:]]
    source = model[palm] - model[palm].mean(axis=0)
    target = terms.guess[:, palm] - terms.guess[:, palm].mean(axis=1, keepdims=True)
    rotation = nearest_rotation(np.swapaxes(target, 1, 2) @ source)
    return HandPoses(
        rotation, shift_onto_rays(model @ np.swapaxes(rotation, 1, 2), terms.across), angles
    )


def fit_frames(
    terms: Terms, start: HandPoses | None = None, *, iterations: int = 5
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
        there = terms.normal_equations(tried)
        better = there[2] < cost
        poses = chosen(better, tried, poses)
        damping = np.where(better, damping * 0.3, damping * 5.0)
        information[better], gradient[better], cost[better] = (one[better] for one in there)
    return poses, information


def ray_offsets(terms: Terms, poses: HandPoses) -> Floats:
    """``(N,21)`` angle between each landmark's ray and the fitted one, radians."""
    points = terms.mixing @ poses.joints(terms.shape)
    offset, _ = across_rays(points, terms.rays, terms.across)
    return np.asarray(np.linalg.norm(offset, axis=-1))


def robustified(terms: Terms, poses: HandPoses, sigma_rad: Floats) -> Terms:
    """The same terms with Student-t weights of the present offsets and bones."""
    squared = (ray_offsets(terms, poses) / sigma_rad) ** 2
    factor = np.sqrt((STUDENT_DOF + 2) / (STUDENT_DOF + squared))
    points = terms.mixing @ poses.joints(terms.shape)
    bones = np.linalg.norm(bones_of(points) - bones_of(terms.guess), axis=-1) * terms.guess_weight
    guess_factor = np.sqrt((GUESS_DOF + 3) / (GUESS_DOF + bones**2))
    terms = replace(
        terms, weight=factor / sigma_rad, guess_weight=terms.guess_weight * guess_factor
    )
    return with_views(terms, points, sigma_rad) if terms.views else terms


def with_views(terms: Terms, points: Floats, sigma_rad: Floats) -> Terms:
    """The same terms with the other views weighed for landmarks ``(N,21,3)`` about here.

    One camera alone needs its landmarks' mean for direction and their spread for distance. Where
    another camera tells both, in this frame or in those around, what the head's landmarks may have
    wrong in common is left open.
    """
    modes = shared_modes(terms.rays, terms.across, sigma_rad=sigma_rad)
    modes = modes * np.repeat(terms.weight, 2, axis=1)[..., None]
    return replace(
        terms,
        views=tuple(view.weighed(points) for view in terms.views),
        shared=Whitening.with_modes(np.ones_like(sigma_rad), modes),
        distance_weight=terms.distance_weight / TOGETHER,
    )
