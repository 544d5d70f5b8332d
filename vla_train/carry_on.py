"""The chunk of a body that goes on as it was going: what a policy starts from.

A step's relative pose is a weighted sum of the arm's relative poses at the moments of its history.
The weights are measured on training frames by ridge regression, one set for translations and one
for rotations, shared by both arms and all axes: too few to learn anything by heart. Without
history, or where it is not known, that is staying still.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.dataset.embodiments import SIDES
from core.dataset.slots import arm_slots
from vla_train.frames import FrameTable
from vla_train.state import ARMS, MOMENT_WIDTH, POSE_WIDTH
from vla_train.still import stay_still

HALVES = (slice(0, 3), slice(3, 6))  # of a relative pose: translation, rotation
RIDGE = 1e-2  # share of the histories' own square that is added to it

Momentum = NDArray[np.float64]  # (2, M, H): translation and rotation, moments, chunk steps
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lesson:
    """A table and the chunks to learn, ``(N, H, 32)`` in metres and radians, where ``mask``."""

    table: FrameTable
    chunk: NDArray[np.float32]
    mask: NDArray[np.bool_]


def fit_momentum(lessons: list[Lesson]) -> Momentum:
    """Measure the weights on the completely labelled frames of one embodiment."""
    weights = []
    for half in HALVES:
        pairs = [_pairs(one, arm, half) for one in lessons for arm in range(ARMS)]
        past = np.concatenate([p for p, _ in pairs])
        square = past.T @ past
        ridge = np.diag(RIDGE * np.diag(square) + 1e-12)
        weights.append(
            np.linalg.solve(square + ridge, past.T @ np.concatenate([a for _, a in pairs]))
        )
    return np.stack(weights)


def carry_on(table: FrameTable, momentum: Momentum) -> NDArray[np.float32]:
    """Per frame the chunk ``(N, H, 32)`` in metres and radians; grippers keep their opening."""
    chunk = np.repeat(stay_still(table)[:, None], table.chunk.shape[1], axis=1)
    if not momentum.size:
        return chunk
    for arm, side in enumerate(SIDES):
        known, past = _histories(table, arm)
        moved = np.einsum("nmpx,pmh->nhpx", past.reshape(*past.shape[:2], 2, 3), momentum)
        chunk[known, :, arm_slots(side)] = moved.reshape(*moved.shape[:2], -1)[known]
    return chunk


def _pairs(lesson: Lesson, arm: int, half: slice) -> tuple[Floats, Floats]:
    """What one arm did ``(K, M)`` and what it then did ``(K, H)``, a row per frame and axis."""
    slots = range(*arm_slots(SIDES[arm]).indices(lesson.chunk.shape[2]))[half]
    known, past = _histories(lesson.table, arm)
    rows = np.flatnonzero(known & lesson.mask[:, :, slots].all(axis=(1, 2)))
    before, after = past[rows, :, half], lesson.chunk[rows][:, :, slots].astype(np.float64)
    return _by_axis(before), _by_axis(after)


def _by_axis(moved: Floats) -> Floats:
    """``(K, S, 3)`` to ``(3 K, S)``."""
    return moved.swapaxes(1, 2).reshape(3 * len(moved), moved.shape[1])


def _histories(table: FrameTable, arm: int) -> tuple[NDArray[np.bool_], Floats]:
    """Where one arm's history is complete ``(N,)``, and the history ``(N, M, 6)``."""
    shape = (len(table), ARMS, -1)
    past = table.state.reshape(shape)[:, arm, POSE_WIDTH:].astype(np.float64)
    known = table.state_valid.reshape(shape)[:, arm, POSE_WIDTH:].all(axis=1)
    return known, past.reshape(len(table), past.shape[1] // MOMENT_WIDTH, MOMENT_WIDTH)
