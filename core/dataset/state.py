"""What a policy is told about its own body: both arms in the head or base frame, in the 32
slots.
"""

import numpy as np

from core.dataset.episode import (
    GRIPPER_COLUMN,
    GRIPPER_VALID,
    POSE_COLUMNS,
    POSE_VALID,
    BoolArray,
    Episode,
    FloatArray,
)
from core.dataset.slots import GRIPPER_SLOTS, SLOT_WIDTH, arm_slots
from core.geometry.se3 import SE3


def state_vectors(episode: Episode) -> tuple[FloatArray, BoolArray]:
    """Policy states ``(T, 32)`` f32 and masks ``(T, 32)``; zero where masked.

    Arm slots hold head_from_palm as translation (m) and rotation vector (rad, at most pi long: it
    jumps where an orientation passes a half turn). The head's pose in the world never enters.
    """
    values = np.zeros((len(episode), SLOT_WIDTH), dtype=np.float32)
    mask = np.zeros((len(episode), SLOT_WIDTH), dtype=bool)
    for side in episode.embodiment.arms:
        poses = SE3.from_pose7(episode.state[:, POSE_COLUMNS[side]].astype(np.float64))
        values[:, arm_slots(side)] = poses.to_vec6()
        mask[:, arm_slots(side)] = episode.valid[:, POSE_VALID[side]][:, None]
    for side in episode.embodiment.grippers:
        values[:, GRIPPER_SLOTS[side]] = episode.state[:, GRIPPER_COLUMN[side]]
        mask[:, GRIPPER_SLOTS[side]] = episode.valid[:, GRIPPER_VALID[side]]
    values[~mask] = 0.0
    return values, mask
