"""Poses of the articulated hand, 27 numbers each, and how its points move with them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec
from hands.model import kinematics as kin
from hands.model.by_frame import ByFrame
from hands.model.evidence import MCP_BEYOND, landmark_mixing
from hands.model.proportions import HandShape

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HandPoses(ByFrame):
    """N fitted hands.   rotation: ``(N,3,3)`` camera_from_palm.   position: ``(N,3)`` wrist.
    angles: ``(N,21)``.
    """

    rotation: Floats
    position: Floats
    angles: Floats

    def joints(self, shape: HandShape) -> Floats:
        """The 21 joint centres in the camera, ``(N,21,3)``."""
        return kin.place(kin.joints_in_palm(self.angles, shape), self.rotation, self.position)

    def moved(self, step: Floats) -> "HandPoses":
        """Poses after adding ``(…,N,27)``; rotations turn in their own axes."""
        return HandPoses(
            self.rotation @ matrix_from_rotvec(step[..., kin.ROTATION]),
            self.position + step[..., kin.POSITION],
            self.angles + step[..., 6:],
        )


def chosen(mask: NDArray[np.bool_], yes: HandPoses, no: HandPoses) -> HandPoses:
    """Row-wise choice between two batches."""
    return HandPoses(
        np.where(mask[:, None, None], yes.rotation, no.rotation),
        np.where(mask[:, None], yes.position, no.position),
        np.where(mask[:, None], yes.angles, no.angles),
    )


def joints_and_slopes(poses: HandPoses, shape: HandShape) -> tuple[Floats, Floats]:
    """Joints in the camera ``(N,21,3)`` and how those of each finger move ``(N,5,4,8,3)``, see
    `hands.model.kinematics.joints_and_slopes`.
    """
    local, slopes = kin.joints_and_slopes(poses.angles, shape)
    turned = slopes.reshape(len(local), -1, 3) @ np.swapaxes(poses.rotation, 1, 2)
    return kin.place(local, poses.rotation, poses.position), turned.reshape(slopes.shape)


def landmarks_and_slopes(poses: HandPoses, shape: HandShape) -> tuple[Floats, Floats]:
    """The same of MediaPipe's landmarks."""
    joints, slopes = joints_and_slopes(poses, shape)
    slopes[:, 1:, 0] += MCP_BEYOND * (slopes[:, 1:, 1] - slopes[:, 1:, 0])
    return landmark_mixing() @ joints, slopes
