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

from hands.evidence import normalised, tangents
from hands.view_evidence import ViewEvidence

Floats = NDArray[np.float64]

SHARED_SHIFT = 1.5  # error that all landmarks of a detection share, in sigmas of one of them
SHARED_SCALE = 0.04  # error of the hand's size in the picture
STUDENT_DOF = 4.0  # landmarks have heavy tails
NEAREST_M = 0.02


@dataclass(frozen=True, eq=False)
class ViewTerms:
    """One other view of N frames. across: `tangents` of the rays.   whitening: ``(N,42,42)``; zero
    where the view says nothing, and until `weighed` has seen the hand's place.
    """

    view: ViewEvidence
    across: Floats
    whitening: Floats

    @staticmethod
    def of(view: ViewEvidence) -> "ViewTerms":
        """Not weighed yet: the view counts for nothing."""
        return ViewTerms(view, tangents(view.rays), np.zeros((len(view), 42, 42)))

    def rows(self, rows: Any) -> "ViewTerms":
        """The terms of some frames."""
        return ViewTerms(self.view[rows], self.across[rows], self.whitening[rows])

    def residuals(self, points: Floats) -> Floats:
        """``(N,42)`` of landmarks in the head ``(N,21,3)``."""
        offset, _ = across_rays(self._in_camera(points), self.view.rays, self.across)
        return whitened(self.whitening, offset)[..., 0]

    def jacobian(self, points: Floats, slopes: Floats) -> Floats:
        """``(N,42,C)``; slopes: ``(N,21,3,C)`` of the landmarks in the head."""
        offset, depth = across_rays(self._in_camera(points), self.view.rays, self.across)
        turned = self.view.rotation[:, None] @ slopes
        along = np.einsum("nki,nkic->nkc", self.view.rays, turned)
        sideways = (self.across @ turned - offset[..., None] * along[..., None, :]) / depth[
            ..., None, None
        ]
        return whitened(self.whitening, sideways)

    def weighed(self, points: Floats) -> "ViewTerms":
        """The same with weights for landmarks that lie about here."""
        here = self._in_camera(points)
        offset, _ = across_rays(here, self.view.rays, self.across)
        factor = student_factor(offset, self.view.sigma_rad)
        covariance = self.covariance(points, sigma_rad=self.view.sigma_rad / factor)
        whitening = np.linalg.inv(np.linalg.cholesky(covariance))
        return replace(self, whitening=np.where(self.view.seen[:, None, None], whitening, 0.0))

    def covariance(self, points: Floats, *, sigma_rad: Floats) -> Floats:
        """``(N,42,42)`` of the offsets: each landmark's own error, shared ones, the camera's."""
        here = self._in_camera(points)
        _, depth = across_rays(here, self.view.rays, self.across)
        modes = [shared_modes(self.view.rays, self.across, sigma_rad=self.view.sigma_rad)]
        flat = len(here), 42, 3
        moved = (self.across / depth[..., None, None]).reshape(flat)
        modes.append(moved * self.view.pose_sigma_m[:, None, None])
        turns = np.stack([np.cross(axis, here) for axis in np.eye(3)], axis=-1)
        turned = (self.across @ turns / depth[..., None, None]).reshape(flat)
        modes.append(turned * self.view.pose_sigma_rad[:, None, None])
        return covariance_of(sigma_rad, np.concatenate(modes, axis=-1))

    def offsets(self, points: Floats) -> Floats:
        """``(N,21,2)`` angles across the rays."""
        return across_rays(self._in_camera(points), self.view.rays, self.across)[0]

    def _in_camera(self, points: Floats) -> Floats:
        return points @ np.swapaxes(self.view.rotation, 1, 2) + self.view.position[:, None]


def across_rays(points: Floats, rays: Floats, across: Floats) -> tuple[Floats, Floats]:
    """Offsets over depth ``(N,21,2)``, and depths ``(N,21)``, of points in the rays' camera."""
    depth = np.maximum(np.sum(points * rays, axis=-1), NEAREST_M)
    return (across @ points[..., None])[..., 0] / depth[..., None], depth


def whitened(whitening: Floats, values: Floats) -> Floats:
    """``(N,42,C)`` of values ``(N,21,2[,C])``."""
    return np.asarray(whitening @ values.reshape(len(values), 42, -1))


def student_factor(offset: Floats, sigma_rad: Floats) -> Floats:
    """Square roots of Student-t weights ``(N,21)``; what all landmarks share is no outlier."""
    own = offset - np.median(offset, axis=1, keepdims=True)
    squared = np.sum(own**2, axis=-1) / sigma_rad**2
    return np.asarray(np.sqrt((STUDENT_DOF + 2) / (STUDENT_DOF + squared)))


def shared_modes(rays: Floats, across: Floats, *, sigma_rad: Floats) -> Floats:
    """``(N,42,3)`` one sigma of: all too far right, all too far down, all too large."""
    shift = SHARED_SHIFT * np.median(sigma_rad, axis=1)[:, None, None, None]
    sideways = np.broadcast_to(np.eye(2), (*rays.shape[:2], 2, 2)) * shift
    middle = normalised(rays.mean(axis=1, keepdims=True))
    larger = SHARED_SCALE * (across @ (rays - middle)[..., None])
    return np.concatenate([sideways, larger], axis=-1).reshape(len(rays), 42, 3)


def covariance_of(sigma_rad: Floats, modes: Floats) -> Floats:
    """``(N,42,42)`` of independent sigmas ``(N,21)`` and shared modes ``(N,42,M)``."""
    own = np.repeat(sigma_rad**2, 2, axis=1)[..., None] * np.eye(42)
    return np.asarray(own + modes @ np.swapaxes(modes, 1, 2))
