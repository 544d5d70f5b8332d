"""What HOT3D's clips and full recordings share: how poses are spelled, which way is up."""

from typing import Any

import numpy as np

from core.geometry.se3 import SE3
from hands.truth_layouts.picture import Floats, array_of

SEEN = 0.1  # share of a hand that must be visible; what the set's own challenge uses
UP = {"aria": np.array([0.0, 0.0, 1.0]), "quest3": np.array([0.0, 1.0, 0.0])}  # of their worlds


def pose_of(entry: Any, where: str) -> SE3:
    """A pose in any of the set's spellings: quaternion and translation, or a 4 x 4 matrix."""
    if isinstance(entry, dict):
        quat = entry.get("quaternion_wxyz", entry.get("q_wxyz"))
        position = entry.get("translation_xyz", entry.get("t_xyz"))
        quat_wxyz = array_of(quat, (4,), where)
        unit = quat_wxyz / np.linalg.norm(quat_wxyz)
        return SE3.from_pose7(np.concatenate([array_of(position, (3,), where), unit]))
    return SE3.from_matrix(array_of(entry, (4, 4), where))


def upright_turn(up_in_camera: Floats) -> int:
    """Degrees clockwise, a multiple of 90, after which up points most nearly up in the picture."""
    x, y = up_in_camera[:2]
    # a quarter turn clockwise takes (x, y) to (-y, x)
    up_after = {0: -y, 90: -x, 180: y, 270: x}
    return max(up_after, key=lambda degrees: up_after[degrees])
