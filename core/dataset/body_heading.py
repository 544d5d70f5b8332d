"""Levelled heading frames of heads and of robot bases."""

import numpy as np
from numpy.typing import NDArray

from core.dataset.slots import BoolArray, Kind
from core.geometry.heading import levelled_heading

MIN_HORIZONTAL = 0.1  # of a unit right-pointing axis; below it the heading is not defined


def heading_of(
    world_from_head: NDArray[np.float64], kind: Kind
) -> tuple[NDArray[np.float64], BoolArray]:
    """Levelled heading frames of heads (camera axes) or bases (x forward, z up).

    world_from_head: ``(..., 3, 3)``.  Returns L0 ``(..., 3, 3)`` and where it is defined ``(...)``.
    """
    camera = world_from_head
    if kind == "robot":  # right = -y, down = -z, forward = x
        camera = np.stack(
            [-world_from_head[..., 1], -world_from_head[..., 2], world_from_head[..., 0]], axis=-1
        )
    defined = np.linalg.norm(camera[..., :2, 0], axis=-1) > MIN_HORIZONTAL
    safe = np.where(defined[..., None, None], camera, np.eye(3))
    return levelled_heading(safe), defined
