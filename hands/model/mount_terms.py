"""Residuals of a hand against the camera that is strapped to it.

The wrist keeps its place in such a camera, and the palm turns little about the forearm. Where the
camera is located the hand is, too, whether a picture shows it or not.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hands.model.evidence import landmark_mixing
from hands.model.kinematics import joints_in_palm
from hands.model.proportions import HandShape
from hands.model.view_evidence import MountEvidence

Floats = NDArray[np.float64]

RIGID = (0, 5, 9, 13, 17)  # joints that do not move in the palm
DOF = 30.0  # of the tails: a strap slips, a camera is located where it is not


@dataclass(frozen=True, eq=False)
class MountTerms:
    """N frames. target: ``(N,15)`` rigid joints in the camera.   whitening: ``(N,6,15)`` from their
    offsets to place and turn in sigmas; zero where the camera is not located.
    """

    mount: MountEvidence
    target: Floats
    whitening: Floats
    factor: Floats

    @staticmethod
    def of(mount: MountEvidence, shape: HandShape) -> "MountTerms":
        """Every frame believed."""
        palm = joints_in_palm(np.zeros(21), shape)[list(RIGID)]
        target = palm @ np.swapaxes(mount.palm, 1, 2) + mount.wrist[:, None]
        turns = np.stack([np.cross(axis, palm) for axis in np.eye(3)], axis=-1).reshape(15, 3)
        turns = (mount.palm[:, None] @ turns.reshape(5, 3, 3)).reshape(-1, 15, 3)
        split = np.zeros((len(mount), 6, 15))
        split[:, :3, :3] = np.eye(3)  # the wrist itself, however far the palm is turned
        split[:, 3:] = np.linalg.pinv(turns)
        split[:, 3:, :3] = -split[:, 3:].reshape(-1, 3, 5, 3).sum(axis=2)
        whitening = np.linalg.inv(np.linalg.cholesky(covariance(mount))) @ split
        whitening = np.where(mount.seen[:, None, None], whitening, 0.0)
        return MountTerms(mount, target.reshape(-1, 15), whitening, np.ones(len(mount)))

    def rows(self, rows: Any) -> "MountTerms":
        """The terms of some frames."""
        return MountTerms(
            self.mount[rows], self.target[rows], self.whitening[rows], self.factor[rows]
        )

    def residuals(self, points: Floats) -> Floats:
        """``(N,6)`` of landmarks in the head ``(N,21,3)``."""
        here = _rigid(points) @ np.swapaxes(self.mount.rotation, 1, 2)
        here = (here + self.mount.position[:, None]).reshape(-1, 15)
        return self._weighted((here - self.target)[..., None])[..., 0]

    def jacobian(self, points: Floats, slopes: Floats) -> Floats:
        """``(N,6,C)``; slopes: ``(N,21,3,C)`` of the landmarks in the head."""
        flat = _rigid(slopes.reshape(*slopes.shape[:2], -1)).reshape(len(slopes), 5, 3, -1)
        turned = self.mount.rotation[:, None] @ flat
        return self._weighted(turned.reshape(len(slopes), 15, -1))

    def weighed(self, points: Floats) -> "MountTerms":
        """The same, frames that contradict the hand ``(N,21,3)`` counting less."""
        plain = replace(self, factor=np.ones_like(self.factor))
        square = np.sum(plain.residuals(points) ** 2, axis=1)
        return replace(self, factor=np.sqrt((DOF + 6) / (DOF + square)))

    def _weighted(self, values: Floats) -> Floats:
        return np.asarray(self.factor[:, None, None] * (self.whitening @ values))


def covariance(mount: MountEvidence) -> Floats:
    """``(N,6,6)`` of the wrist in the camera and the palm's turn about its own axes: the mount's,
    and what the camera's place has wrong.
    """
    result = np.zeros((len(mount), 6, 6))
    result[:, range(3), range(3)] = (mount.sigma_m**2)[:, None]
    result[:, range(3, 6), range(3, 6)] = mount.sigma_rad**2
    moved = np.zeros((len(mount), 6, 6))
    moved[:, :3, :3] = mount.pose_sigma_m[:, None, None] * np.eye(3)
    swung = np.stack([np.cross(axis, mount.wrist) for axis in np.eye(3)], axis=-1)
    moved[:, :3, 3:] = mount.pose_sigma_rad[:, None, None] * swung
    moved[:, 3:, 3:] = mount.pose_sigma_rad[:, None, None] * np.swapaxes(mount.palm, 1, 2)
    return result + moved @ np.swapaxes(moved, 1, 2)


def _rigid(points: Floats) -> Floats:
    """``(N,5,…)`` joints of the palm from landmarks ``(N,21,…)``."""
    return np.asarray(np.linalg.inv(landmark_mixing())[list(RIGID)] @ points)
