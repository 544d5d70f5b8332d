"""Residuals of a second view, and errors that a detection's landmarks share.

A detector's landmarks err together (all too far left, the whole hand too small in the picture), and
a camera whose place is known to a centimetre moves all of them at once. Such errors are not
averaged out by there being 21: the offsets are whitened with their joint covariance, which takes
the shared part out of the fit (marginalises it).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hands.model.evidence import normalised, tangents
from hands.model.view_evidence import ViewEvidence

Floats = NDArray[np.float64]

SHARED_SHIFT = 0.7  # error that all landmarks of a detection share, in sigmas of one of them
SHARED_SCALE = 0.04  # error of the hand's size in the picture
LET_GO = 3.0  # sigmas at which a landmark's weight falls to a quarter
EXPLAIN_ROUNDS = 5
NEAREST_M = 0.02


@dataclass(frozen=True, eq=False)
class ViewTerms:
    """One other view of N frames. across: `tangents` of the rays.   whitening: of its offsets;
    nothing is left of them until `weighed` has seen the hand's place.
    """

    view: ViewEvidence
    across: Floats
    whitening: "Whitening"

    @staticmethod
    def of(view: ViewEvidence) -> "ViewTerms":
        """Not weighed yet: the view counts for nothing."""
        silent = Whitening.with_modes(np.zeros((len(view), 21)), np.zeros((len(view), 42, 1)))
        return ViewTerms(view, tangents(view.rays), silent)

    def rows(self, rows: Any) -> "ViewTerms":
        """The terms of some frames."""
        return ViewTerms(self.view[rows], self.across[rows], self.whitening.rows(rows))

    def residuals(self, points: Floats) -> Floats:
        """``(N,42)`` of landmarks in the head ``(N,21,3)``."""
        offset, _ = across_rays(self.in_camera(points), self.view.rays, self.across)
        return self.whitening.of(offset)[..., 0]

    def jacobian(self, points: Floats, slopes: Floats) -> Floats:
        """``(N,42,C)``; slopes: ``(N,21,3,C)`` of the landmarks in the head."""
        offset, depth = across_rays(self.in_camera(points), self.view.rays, self.across)
        sideways = self.across - offset[..., None] * self.view.rays[..., None, :]
        sideways = sideways / depth[..., None, None] @ self.view.rotation[:, None]
        return self.whitening.of(sideways @ slopes)

    def weighed(self, points: Floats) -> "ViewTerms":
        """The same with weights for landmarks that lie about here."""
        modes = self.modes(points)
        told = explained(self.offsets(points), self.view.sigma_rad, modes)
        weight = told.factor / self.view.sigma_rad * self.view.seen[:, None]
        return replace(self, whitening=Whitening.with_modes(weight, modes))

    def modes(self, points: Floats) -> Floats:
        """``(N,42,9)`` one sigma of what moves all landmarks at once: the detection's errors and
        those of the camera's place.
        """
        here = self.in_camera(points)
        _, depth = across_rays(here, self.view.rays, self.across)
        flat, over = (len(here), 42, 3), depth[..., None, None]
        turns = np.stack([np.cross(axis, here) for axis in np.eye(3)], axis=-1)
        return np.concatenate(
            [
                shared_modes(self.view.rays, self.across, sigma_rad=self.view.sigma_rad),
                (self.across / over).reshape(flat) * self.view.pose_sigma_m[:, None, None],
                (self.across @ turns / over).reshape(flat)
                * self.view.pose_sigma_rad[:, None, None],
            ],
            axis=-1,
        )

    def offsets(self, points: Floats) -> Floats:
        """``(N,21,2)`` angles across the rays."""
        return across_rays(self.in_camera(points), self.view.rays, self.across)[0]

    def in_camera(self, points: Floats) -> Floats:
        """Points ``(N,21,3)`` of the head, in this camera."""
        return points @ np.swapaxes(self.view.rotation, 1, 2) + self.view.position[:, None]


def across_rays(points: Floats, rays: Floats, across: Floats) -> tuple[Floats, Floats]:
    """Offsets over depth ``(N,21,2)``, and depths ``(N,21)``, of points in the rays' camera."""
    depth = np.maximum(np.einsum("nki,nki->nk", points, rays), NEAREST_M)
    return np.einsum("nkij,nkj->nki", across, points) / depth[..., None], depth


@dataclass(frozen=True, eq=False)
class Whitening:
    """Of offsets that have errors of their own and some in common: ``T`` with ``T^T T`` the inverse
    of their covariance, at the cost of the common ones alone.

    weight: ``(N,42)`` 1/sigma of the own errors, zero where nothing is said.   modes: ``(N,42,M)``
    of the common ones, in own sigmas.   part: ``(N,M,M)``; ``T = (1 - modes part modes^T) weight``.
    """

    weight: Floats
    modes: Floats
    part: Floats

    @staticmethod
    def with_modes(weight: Floats, modes: Floats) -> "Whitening":
        """weight: ``(N,21)``.   modes: ``(N,42,M)`` one sigma of each common error.

        With ``L L^T = 1 + modes^T modes`` the part is the inverse of ``L L^T + L``.
        """
        twice = np.repeat(weight, 2, axis=1)
        modes = modes * twice[..., None]
        gram = np.swapaxes(modes, 1, 2) @ modes + np.eye(modes.shape[-1])
        return Whitening(twice, modes, np.linalg.inv(gram + np.linalg.cholesky(gram)))

    def rows(self, rows: Any) -> "Whitening":
        """That of some detections."""
        return Whitening(self.weight[rows], self.modes[rows], self.part[rows])

    def of(self, offsets: Floats) -> Floats:
        """``(N,42,C)`` of offsets ``(N,21,2[,C])``."""
        weighted = offsets.reshape(len(offsets), 42, -1) * self.weight[..., None]
        common = self.part @ (np.swapaxes(self.modes, 1, 2) @ weighted)
        return np.asarray(weighted - self.modes @ common)


@dataclass(frozen=True, eq=False)
class Explained:
    """How N detections miss expected hands. shared: ``(N,M)`` what their landmarks have in common,
    in sigmas.   own: ``(N,21)`` what is left of each, in sigmas.   factor: ``(N,21)`` square roots
    of robust weights.
    """

    shared: Floats
    own: Floats
    factor: Floats


def explained(offset: Floats, sigma_rad: Floats, modes: Floats) -> Explained:
    """Split offsets ``(N,21,2)`` into shared modes ``(N,42,M)`` and the landmarks' own errors.

    Landmarks far off are mistaken for something else (a thumb that is hidden, say) and let go
    (Geman-McClure).
    """
    flat = offset.reshape(len(offset), 42, 1)
    factor = np.ones_like(sigma_rad)
    for _ in range(EXPLAIN_ROUNDS):
        weight = np.repeat((factor / sigma_rad) ** 2, 2, axis=1)[..., None]
        turned = np.swapaxes(modes, 1, 2)
        system = turned @ (weight * modes) + np.eye(modes.shape[-1])
        shared = np.linalg.solve(system, turned @ (weight * flat))
        rest = (flat - modes @ shared).reshape(offset.shape)
        own = np.linalg.norm(rest, axis=-1) / sigma_rad
        factor = 1.0 / (1.0 + own**2 / LET_GO**2)
    return Explained(shared[..., 0], own, factor)


def shared_modes(rays: Floats, across: Floats, *, sigma_rad: Floats) -> Floats:
    """``(N,42,3)`` one sigma of: all too far right, all too far down, all too large."""
    shift = SHARED_SHIFT * np.median(sigma_rad, axis=1)[:, None, None, None]
    sideways = np.broadcast_to(np.eye(2), (*rays.shape[:2], 2, 2)) * shift
    middle = normalised(rays.mean(axis=1, keepdims=True))
    larger = SHARED_SCALE * (across @ (rays - middle)[..., None])
    return np.concatenate([sideways, larger], axis=-1).reshape(len(rays), 42, 3)
