"""The levelled heading frame of a head (or base): z up, x where the wearer faces, also when looking
down.
"""

import numpy as np
from numpy.typing import ArrayLike

from core.geometry.arrays import Floats, unit

UP = np.array([0.0, 0.0, 1.0])


def levelled_heading(world_from_head_rotation: ArrayLike) -> Floats:
    """``(…,3,3)`` world_from_heading L0 with columns x = heading, y = left, z = up.

    ``world_from_head_rotation`` ``(…,3,3)`` in a world whose z points up; camera axes are OpenCV's.
    heading = up cross camera_right, so looking straight down is no special case. It is undefined,
    and NaN, only when the camera's right points straight up or down (the head rolled by 90°).
    """
    right = np.asarray(world_from_head_rotation, dtype=np.float64)[..., :, 0]
    across = np.cross(UP, right)
    across = np.where(np.linalg.norm(across, axis=-1, keepdims=True) > 1e-9, across, 0.0)
    x = unit(across)
    z = np.where(np.isnan(x), np.nan, UP)
    return np.stack([x, np.cross(z, x), z], axis=-1)
