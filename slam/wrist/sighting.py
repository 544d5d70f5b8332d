"""One picture's pose of a wrist camera in the head's map."""

from dataclasses import dataclass

import numpy as np

from core.geometry.arrays import Floats
from core.geometry.rotations import nearest_rotation
from core.geometry.se3 import SE3
from slam.sight.localise import Localised, View


@dataclass(frozen=True, eq=False)
class Sighting:
    """A wrist camera in the map. covariance ``(6,6)``: rotation, translation along world axes.

    inliers: points that agree.   depth: their median distance.   unseen: frames since points of
    the head's map were looked for and found, 0 for this one.
    """

    world_from_camera: SE3
    covariance: Floats
    inliers: int
    depth: float
    unseen: int = 0

    @property
    def sigma_m(self) -> float:
        """Of the position, along the world axis where it is largest."""
        return float(np.sqrt(np.diagonal(self.covariance)[3:].max()))


def sighting_of(found: Localised, view: View) -> Sighting:
    """What was found in a view, with a rotation to the last digit: rounding would double with every
    motion."""
    pose = found.camera_from_world.inverse()
    pose = SE3(nearest_rotation(pose.rotation), pose.translation)
    turn = np.zeros((6, 6))
    turn[:3, :3] = turn[3:, 3:] = pose.rotation
    agree = found.inlier
    depth = np.linalg.norm(view.points[agree] - pose.translation, axis=1)
    return Sighting(
        pose,
        turn @ found.covariance @ turn.T,
        int(agree.sum()),
        float(np.median(depth)) if agree.any() else float("nan"),
    )
