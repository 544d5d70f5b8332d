"""Normal equations of one hand's landmarks and bones, a finger at a time.

What a finger shows hangs on the hand's six numbers and its own five, not on the other sixteen: so
its 20 residuals make a block of 11, and five of them the hand's 27. A tenth of the work of the
whole matrix.
"""

import numpy as np
from numpy.typing import NDArray

from hands.model.kinematics import POSE_SIZE, POSITION

Floats = NDArray[np.float64]

# the hand's numbers, and each finger's own
OWN = (slice(6, 11), *(slice(11 + 4 * k, 15 + 4 * k) for k in range(4)))


def whole(slopes: Floats) -> Floats:
    """Slopes by finger ``(N,5,4,8,3)`` (see `hands.model.kinematics.joints_and_slopes`) as those of
    all joints by the pose vector, ``(N,21,3,27)``.
    """
    result = np.zeros((len(slopes), 21, 3, POSE_SIZE))
    result[..., POSITION] = np.eye(3)
    for finger, own in enumerate(OWN):
        columns = [3, 4, 5, *range(own.start, own.stop)]
        joints = slice(1 + 4 * finger, 5 + 4 * finger)
        used = slopes[:, finger, :, : len(columns)]
        result[:, joints, :, 3:6] = np.swapaxes(used[..., :3, :], -1, -2)
        result[:, joints, :, own] = np.swapaxes(used[..., 3:, :], -1, -2)
    return result


def middle_slopes(slopes: Floats, direction: Floats) -> Floats:
    """``(N,27)`` how the landmarks' middle moves along ``direction`` ``(N,3)``."""
    result = np.empty((len(slopes), POSE_SIZE))
    result[:, POSITION] = direction
    along = (slopes.sum(axis=2) @ direction[:, None, :, None])[..., 0] / 21  # (N,5,8)
    result[:, 3:6] = along[..., :3].sum(axis=1)
    for finger, own in enumerate(OWN):
        result[:, own] = along[:, finger, 3 : 3 + own.stop - own.start]
    return result


def landmark_equations(
    slopes: Floats, sideways: Floats, bone_weight: Floats, *, at: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """``(N,27,27)`` information and ``(N,27)`` gradient.

    slopes: ``(N,5,4,8,3)`` of the landmarks.   sideways: ``(N,21,2,3)`` of weighted offsets across
    the rays by the landmark's place.   bone_weight: ``(N,20)``.   at: the residuals across the rays
    ``(N,42)`` and of the bones ``(N,60)``.
    """
    count = len(slopes)
    by_finger = sideways[:, 1:].reshape(count, 5, 4, 2, 3)
    rows = np.zeros((count, 5, 20, 11))
    across = rows[:, :, :8].reshape(count, 5, 4, 2, 11)
    across[..., :3] = by_finger
    across[..., 3:] = by_finger @ np.swapaxes(slopes, -1, -2)
    rows[:, :, :8] = across.reshape(count, 5, 8, 11)
    bones = slopes.copy()
    bones[:, :, 1:] -= slopes[:, :, :-1]
    bones *= bone_weight.reshape(count, 5, 4, 1, 1)
    rows[:, :, 8:, 3:] = np.swapaxes(bones, -1, -2).reshape(count, 5, 12, 8)
    values = np.concatenate(
        [at[0][:, 2:].reshape(count, 5, 8), at[1].reshape(count, 5, 12)], axis=-1
    )
    turned = np.swapaxes(rows, -1, -2)
    wrist = np.swapaxes(sideways[:, 0], -1, -2)
    information, gradient = assembled(turned @ rows, (turned @ values[..., None])[..., 0])
    information[:, POSITION, POSITION] += wrist @ sideways[:, 0]
    gradient[:, POSITION] += (wrist @ at[0][:, :2, None])[..., 0]
    return information, gradient


def assembled(blocks: Floats, sides: Floats) -> tuple[Floats, Floats]:
    """Blocks ``(N,5,11,11)`` and right sides ``(N,5,11)`` of the fingers as those of the hand."""
    information = np.zeros((len(blocks), POSE_SIZE, POSE_SIZE))
    gradient = np.empty((len(blocks), POSE_SIZE))
    information[:, :6, :6] = blocks[:, :, :6, :6].sum(axis=1)
    gradient[:, :6] = sides[:, :, :6].sum(axis=1)
    for finger, own in enumerate(OWN):
        used = slice(6, 6 + own.stop - own.start)
        information[:, :6, own] = blocks[:, finger, :6, used]
        information[:, own, :6] = blocks[:, finger, used, :6]
        information[:, own, own] = blocks[:, finger, used, used]
        gradient[:, own] = sides[:, finger, used]
    return information, gradient
