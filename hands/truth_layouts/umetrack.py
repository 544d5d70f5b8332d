"""The hand model of HOT3D's truth: joint angles and a wrist pose to 21 landmarks.

The model comes with every recording, in millimetres and as a left hand: fingers along +x, palm
towards -y. Four hinges per finger turn about axes through their rest positions; the frames after
the second, third and fourth carry the landmarks. Order of the landmarks: Aria's, see
`core.geometry.landmarks.RAW21_ARIA`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from hands.truth_layouts.picture import JOINTS, array_of, fields_of

Floats = NDArray[np.float64]

HINGES, FINGERS, PER_FINGER = 20, 5, 4
FRAMES = 2 + 3 * FINGERS  # root, wrist, three per finger
MM = 1e-3


@dataclass(frozen=True, eq=False)
class UmeTrackHand:
    """One person's left hand, metres.

    axes, centres: ``(20,3)`` of the hinges.   landmarks: ``(21,3)`` at rest.   weights:
    ``(21,17)`` of the frames that carry each landmark.
    """

    axes: Floats
    centres: Floats
    landmarks: Floats
    weights: Floats

    @staticmethod
    def from_json(document: Any, where: str) -> "UmeTrackHand":
        """The profile's ``hand_model``."""
        with fields_of(where, "a UmeTrack hand model"):
            indices = np.asarray(document["landmark_rest_bone_indices"], dtype=np.intp)
            shares = array_of(document["landmark_rest_bone_weights"], (JOINTS, -1), where)
            centres = array_of(document["joint_rest_positions"], (-1, 3), where)[:HINGES]
            axes = array_of(document["joint_rotation_axes"], (-1, 3), where)[:HINGES]
            rest = array_of(document["landmark_rest_positions"], (JOINTS, 3), where)
        weights = np.zeros((JOINTS, FRAMES))
        np.add.at(weights, (np.arange(JOINTS)[:, None], indices), shares)
        return UmeTrackHand(axes, centres * MM, rest * MM, weights)

    def landmarks_in_wrist(self, angles: Floats) -> Floats:
        """``(21,3)`` of the left hand in its wrist's frame, for ``(20,)`` angles in radians."""
        turn = matrix_from_rotvec(self.axes * angles[:HINGES, None])
        shift = self.centres - (turn @ self.centres[..., None])[..., 0]
        hinges = SE3(turn, shift)
        frames = [SE3.identity()] * 2
        for finger in range(FINGERS):
            frame = SE3.identity()
            for k in range(PER_FINGER):
                frame = frame @ hinges[finger * PER_FINGER + k]
                if k:
                    frames.append(frame)
        placed = np.stack([frame.apply(self.landmarks) for frame in frames], axis=1)
        return np.asarray((self.weights[..., None] * placed).sum(axis=1))

    def landmarks_in_world(self, angles: Floats, world_from_wrist: SE3, side: str) -> Floats:
        """``(21,3)``, Aria's order. A right hand is the left one mirrored at its wrist's x = 0."""
        points = self.landmarks_in_wrist(angles)
        return world_from_wrist.apply(points * [-1.0, 1.0, 1.0] if side == "right" else points)
