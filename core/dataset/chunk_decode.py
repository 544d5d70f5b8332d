"""Back from a relative chunk to absolute poses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.body_heading import heading_of
from core.dataset.chunk_settings import ChunkSettings
from core.dataset.slots import BASE_SLOTS, GRIPPER_SLOTS, BoolArray, Kind, arm_slots, head_slots
from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3


@dataclass(frozen=True, eq=False, kw_only=True)
class CurrentPoses:
    """Where a body is when a chunk starts: what the chunk is relative to. Single poses."""

    head_from_palm: dict[str, SE3]
    world_from_head: SE3 | None = None
    kind: Kind = "human"


@dataclass(frozen=True, eq=False, kw_only=True)
class DecodedChunk:
    """Absolute targets, H steps.

    head_from_palm: per side ``(H,)`` poses, in the head frame of the start (``chunk_head``) or of
    each step (``per_tick``).   palm_valid, gripper, gripper_valid: per side ``(H,)``.
    world_from_head: ``(H,)`` poses, None without a start pose.   head_valid: ``(H,)``.
    """

    head_from_palm: dict[str, SE3]
    palm_valid: dict[str, BoolArray]
    gripper: dict[str, NDArray[np.float64]]
    gripper_valid: dict[str, BoolArray]
    world_from_head: SE3 | None
    head_valid: BoolArray


def decode_chunk(
    values: NDArray[Any], mask: BoolArray, *, current: CurrentPoses, settings: ChunkSettings
) -> DecodedChunk:
    """Inverse of `encode_chunk`: values and mask ``(H, 32)`` to absolute poses.

    A planar base keeps only its forward and yaw, so sideways motion does not come back.
    """
    numbers = np.asarray(values, dtype=np.float64)
    palms = {
        side: start @ SE3.from_vec6(numbers[:, arm_slots(side)])
        for side, start in current.head_from_palm.items()
    }
    world_from_head, head_valid = _decode_head(numbers, mask, current=current, settings=settings)
    return DecodedChunk(
        head_from_palm=palms,
        palm_valid={side: np.all(mask[:, arm_slots(side)], axis=1) for side in palms},
        gripper={side: numbers[:, slot] for side, slot in GRIPPER_SLOTS.items()},
        gripper_valid={side: mask[:, slot] for side, slot in GRIPPER_SLOTS.items()},
        world_from_head=world_from_head,
        head_valid=head_valid,
    )


def _decode_head(
    numbers: NDArray[np.float64], mask: BoolArray, *, current: CurrentPoses, settings: ChunkSettings
) -> tuple[SE3 | None, BoolArray]:
    start = current.world_from_head
    if start is None:
        return None, np.zeros(len(numbers), dtype=bool)
    level, defined = heading_of(start.rotation, current.kind)
    offsets, angles = np.zeros((len(numbers), 3)), np.zeros((len(numbers), 3))
    if current.kind == "human":
        slots: tuple[int, ...] = head_slots(settings.base_alignment)
        offsets, angles = numbers[:, slots[:3]], numbers[:, slots[3:]]
    else:
        slots = BASE_SLOTS
        offsets[:, 0], angles[:, 0] = numbers[:, slots[0]], numbers[:, slots[1]]
    turned = matrix_from_ypr(angles[:, 0], angles[:, 1], angles[:, 2])
    rotation = level @ turned @ level.T @ start.rotation
    poses = SE3(rotation, start.translation + offsets @ level.T)
    return poses, np.all(mask[:, list(slots)], axis=1) & bool(defined)
