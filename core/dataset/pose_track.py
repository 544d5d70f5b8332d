"""Poses at whole knots, read anywhere between two of them."""

import numpy as np
from numpy.typing import NDArray

from core.dataset.episode import BoolArray
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3


class PoseTrack:
    """N poses one knot apart. Rotations between neighbours are prepared once, so reads are
    cheap.
    """

    def __init__(self, poses: SE3, valid: BoolArray) -> None:
        self.poses = poses
        self.valid = valid
        turns = np.swapaxes(poses.rotation[:-1], -1, -2) @ poses.rotation[1:]
        self._turns = np.concatenate([rotvec_from_matrix(turns), np.zeros((1, 3))])

    def at(self, where: NDArray[np.float64]) -> tuple[SE3, BoolArray]:
        """Poses at fractional knots ``(...)``: linear and slerp; valid only between valid knots.

        Beyond the last knot nothing is valid; the pose returned there is the last one.
        """
        last = len(self.valid) - 1
        floor = np.floor(where)
        low = np.clip(floor.astype(np.int64), 0, last)
        high = np.minimum(low + 1, last)
        fraction = np.where((where > last) | (where < 0), 0.0, where - floor)
        rotation = self.poses.rotation[low] @ matrix_from_rotvec(
            fraction[..., None] * self._turns[low]
        )
        start, end = self.poses.translation[low], self.poses.translation[high]
        translation = start + fraction[..., None] * (end - start)
        valid = (
            self.valid[low] & (self.valid[high] | (fraction == 0)) & (where <= last) & (where >= 0)
        )
        return SE3(rotation, translation), valid
