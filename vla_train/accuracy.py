"""How far predicted chunks are from true ones, in millimetres and degrees.

Both chunks are relative to the same start pose, so the distance between their translations is the
distance in the room, and the angle between their rotations the angle between the two hands.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.embodiments import SIDES
from core.dataset.slots import BASE_SLOTS, GRIPPER_SLOTS, arm_slots, head_slots
from core.geometry.rotations import angle_between, matrix_from_rotvec

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def arm_errors(predicted: Any, true: Any, side: str) -> tuple[Floats, Floats]:
    """Per frame and step of one arm, ``(N, H)``: position in millimetres, rotation in degrees."""
    ours = np.asarray(predicted, dtype=np.float64)[..., arm_slots(side)]
    theirs = np.asarray(true, dtype=np.float64)[..., arm_slots(side)]
    position_mm = np.linalg.norm(ours[..., :3] - theirs[..., :3], axis=-1) * 1000.0
    angle = angle_between(matrix_from_rotvec(ours[..., 3:]), matrix_from_rotvec(theirs[..., 3:]))
    return position_mm, np.rad2deg(angle)


def accuracy(
    predicted: Any, true: Any, mask: Bools, *, base_alignment: str = "shared"
) -> dict[str, Any]:
    """Errors of N chunks ``(N, H, 32)`` where ``mask``; a part without a valid entry is left out.

    ``left``, ``right`` and ``arms`` (both together): position_mm and rotation_deg. ``grippers``: as
    a fraction of the opening. ``head``: translation in mm, yaw in degrees. Each with ``mean`` over
    all valid steps, ``final`` over the last step alone, and how many entries those are.
    """
    result: dict[str, Any] = {}
    parts: dict[str, list[tuple[Floats, Bools]]] = {"position_mm": [], "rotation_deg": []}
    for side in SIDES:
        valid = mask[..., arm_slots(side)].all(axis=-1)
        own = dict(zip(parts, arm_errors(predicted, true, side), strict=True))
        for name, errors in own.items():
            parts[name].append((errors, valid))
        _put(result, side, {name: _means([(errors, valid)]) for name, errors in own.items()})
    _put(result, "arms", {name: _means(pairs) for name, pairs in parts.items()})
    difference = np.abs(
        np.asarray(predicted, dtype=np.float64) - np.asarray(true, dtype=np.float64)
    )
    grips = [(difference[..., slot], mask[..., slot]) for slot in GRIPPER_SLOTS.values()]
    _put(result, "grippers", {"opening": _means(grips)})
    _put(result, "head", _head(difference, mask, base_alignment))
    return result


def _head(difference: Floats, mask: Bools, base_alignment: str) -> dict[str, Any]:
    forward, left, up, yaw, _, _ = head_slots(base_alignment)
    if not mask[..., forward].any() and mask[..., BASE_SLOTS[0]].any():
        forward, yaw = BASE_SLOTS
    moving = [slot for slot in (forward, left, up) if mask[..., slot].any()]
    translation = np.linalg.norm(difference[..., moving], axis=-1) * 1000.0
    angle = np.rad2deg(difference[..., yaw])
    known = mask[..., moving].all(axis=-1) if moving else np.zeros(mask.shape[:-1], dtype=bool)
    return {
        "position_mm": _means([(translation, known)]),
        "yaw_deg": _means([(angle, mask[..., yaw])]),
    }


def _means(pairs: list[tuple[Floats, Bools]]) -> dict[str, float] | None:
    """Mean over valid steps and over the valid last steps; None when nothing is valid."""
    everything = np.concatenate([errors[valid] for errors, valid in pairs])
    last = np.concatenate([errors[:, -1][valid[:, -1]] for errors, valid in pairs])
    if not len(everything):
        return None
    means = {"mean": float(everything.mean()), "steps": len(everything), "chunks": len(last)}
    return {**means, "final": float(last.mean())} if len(last) else means


def _put(result: dict[str, Any], part: str, figures: dict[str, Any]) -> None:
    present = {name: means for name, means in figures.items() if means is not None}
    if present:
        result[part] = present
