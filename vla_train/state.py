"""The policy's state: both arms' poses in the head or base frame, never the head's pose in the
world.

Per arm ten numbers: position in metres, the first two columns of the rotation (continuous, unlike
quaternions), gripper. Twenty in all, with a mask.
"""

import numpy as np
from numpy.typing import NDArray

from core.dataset.episode import GRIPPER_COLUMN, GRIPPER_VALID, POSE_COLUMNS, POSE_VALID, Episode
from core.geometry.rotations import matrix_from_quat_wxyz

ARM_WIDTH = 10
STATE_NAMES = tuple(
    f"{side}_{name}"
    for side in POSE_COLUMNS
    for name in ("x", "y", "z", "r00", "r10", "r20", "r01", "r11", "r21", "gripper")
)


def policy_state(episode: Episode) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """State ``(T, 20)`` and its mask ``(T, 20)``; masked entries are 0."""
    frames = len(episode)
    state = np.zeros((frames, 2 * ARM_WIDTH), dtype=np.float32)
    valid = np.zeros((frames, 2 * ARM_WIDTH), dtype=bool)
    for arm, side in enumerate(POSE_COLUMNS):
        pose = episode.state[:, POSE_COLUMNS[side]].astype(np.float64)
        rotation = matrix_from_quat_wxyz(pose[:, 3:7])
        start = arm * ARM_WIDTH
        state[:, start : start + 3] = pose[:, :3]
        state[:, start + 3 : start + 9] = np.swapaxes(rotation[:, :, :2], 1, 2).reshape(frames, 6)
        state[:, start + 9] = episode.state[:, GRIPPER_COLUMN[side]]
        valid[:, start : start + 9] = episode.valid[:, POSE_VALID[side], None]
        valid[:, start + 9] = episode.valid[:, GRIPPER_VALID[side]]
    state[~valid] = 0.0
    return state, valid
