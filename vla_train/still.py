"""The chunk of a body that stays as it is: a baseline, and what a policy may start from."""

import numpy as np
from numpy.typing import NDArray

from core.dataset.slots import GRIPPER_SLOTS, SLOT_WIDTH
from vla_train.frames import FrameTable
from vla_train.state import ARMS, GRIPPER


def stay_still(table: FrameTable) -> NDArray[np.float32]:
    """Per frame the one step, ``(N, 32)`` in metres and radians, that all steps would repeat.

    Relative poses are zero; a gripper keeps its opening, 0 where that is not known.
    """
    still: NDArray[np.float32] = np.zeros((len(table), SLOT_WIDTH), dtype=np.float32)
    arm_width = table.state.shape[1] // ARMS
    for arm, slot in enumerate(GRIPPER_SLOTS.values()):
        still[:, slot] = table.state[:, arm * arm_width + GRIPPER]
    return still
