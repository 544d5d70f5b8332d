"""The 32 action slots every embodiment shares, and who owns which.

A slot an embodiment does not own is masked in the input, the loss and the output; it is never
filled.
Shared alignment puts a human head's forward and yaw where a mobile base has its own; separate
alignment gives the head six slots of its own (16-21) and shares nothing.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Kind = Literal["human", "robot"]
BaseAlignment = Literal["shared", "separate"]

SLOT_WIDTH = 32
GRIPPER_SLOTS = {"left": 6, "right": 13}
BASE_SLOTS = (14, 15)
# slot of each head or base quantity: forward, left, up (metres), yaw, pitch, roll (radians)
HEAD_SLOTS: dict[str, tuple[int, int, int, int, int, int]] = {
    "shared": (14, 16, 17, 15, 18, 19),
    "separate": (16, 17, 18, 19, 20, 21),
}
SLOT_NAMES: tuple[str, ...] = (
    *(f"left_{axis}" for axis in ("x", "y", "z", "rot_x", "rot_y", "rot_z")),
    "left_gripper",
    *(f"right_{axis}" for axis in ("x", "y", "z", "rot_x", "rot_y", "rot_z")),
    "right_gripper",
    "base_forward",
    "base_yaw",
    "head_left",
    "head_up",
    "head_pitch",
    "head_roll",
    *(f"free_{slot}" for slot in range(20, SLOT_WIDTH)),
)
HEAD_QUANTITIES = ("forward", "left", "up", "yaw", "pitch", "roll")


def arm_slots(side: str) -> slice:
    """The six end-effector slots of one side: translation in metres, then rotation vector."""
    return {"left": slice(0, 6), "right": slice(7, 13)}[side]


def head_slots(base_alignment: str) -> tuple[int, int, int, int, int, int]:
    """Slots of a head's forward, left, up, yaw, pitch, roll."""
    return HEAD_SLOTS[base_alignment]


def slots_of(kind: Kind, base_alignment: BaseAlignment = "shared") -> BoolArray:
    """Slots the full two-armed embodiment of this kind owns, ``(32,)``: 18 human, 16 robot."""
    owned = np.zeros(SLOT_WIDTH, dtype=bool)
    for side in ("left", "right"):
        owned[arm_slots(side)] = True
        owned[GRIPPER_SLOTS[side]] = kind == "robot"
    owned[list(BASE_SLOTS if kind == "robot" else head_slots(base_alignment))] = True
    return owned


def slot_names(base_alignment: BaseAlignment = "shared") -> tuple[str, ...]:
    """Name of every slot under one alignment."""
    if base_alignment == "shared":
        return SLOT_NAMES
    names = [*SLOT_NAMES[:16], *(f"free_{slot}" for slot in range(16, SLOT_WIDTH))]
    for slot, name in zip(head_slots("separate"), HEAD_QUANTITIES, strict=True):
        names[slot] = f"head_{name}"
    return tuple(names)
