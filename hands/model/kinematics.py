"""An articulated right hand: 27 numbers to 21 joints, with anatomical limits.

Pose vector, radians and metres: 0-2 wrist position in the camera, 3-5 rotation vector (added on top
of a reference rotation), 6-10 thumb (yaw, lift, twist, MCP and IP flexion), then four numbers for
index, middle, ring, pinky (MCP flexion, spread, PIP and DIP flexion). The palm is rigid. Palm axes:
x to the fingers, y to the little finger, z out of the palm. A left hand is the mirror image of a
right one, so left hands are solved as right hands seen in a mirror.
"""

import numpy as np
from numpy.typing import NDArray

from hands.model.proportions import HandShape

Floats = NDArray[np.float64]

POSE_SIZE = 27
POSITION, ROTATION, THUMB = slice(0, 3), slice(3, 6), slice(6, 11)
FINGERS = slice(11, 27)
STEP = 1e-6  # radians, of finite differences
DIP_PER_PIP = 0.6  # the two joints share a tendon

_deg = np.deg2rad
_finger_rows = {"mean": [25, 0, 35, 21], "sigma": [35, 9, 35, 25]}
_finger_low, _finger_high = [-30, -22, -8, -20], [95, 22, 115, 85]
THUMB_MEAN, THUMB_SIGMA = [-38, 26, 35, 15, 20], [22, 22, 20, 20, 25]
THUMB_LOW, THUMB_HIGH = [-85, -25, -20, -25, -35], [15, 75, 90, 70, 90]

ANGLE_MEAN = _deg(np.array([*THUMB_MEAN, *_finger_rows["mean"] * 4], dtype=np.float64))
ANGLE_SIGMA = _deg(np.array([*THUMB_SIGMA, *_finger_rows["sigma"] * 4], dtype=np.float64))
ANGLE_LOW = _deg(np.array([*THUMB_LOW, *_finger_low * 4], dtype=np.float64))
ANGLE_HIGH = _deg(np.array([*THUMB_HIGH, *_finger_high * 4], dtype=np.float64))


def joints_in_palm(angles: Floats, shape: HandShape) -> Floats:
    """``(…,21)`` joints in MediaPipe's order ``(…,21,3)``, wrist at the origin, from angles
    ``(…,21)``.
    """
    joints = np.zeros((*angles.shape[:-1], 21, 3))
    first = shape.bones_m[:, 0, None] * shape.first_joint_directions
    _put_chain(joints, (1, first[0], shape.bones_m[0, 1:]), _thumb_directions(angles[..., :5]))
    fingers = angles[..., 5:].reshape(*angles.shape[:-1], 4, 4)
    for k in range(4):
        direction = shape.first_joint_directions[k + 1]
        heading = 0.75 * np.arctan2(direction[1], direction[0])  # fingers converge a little
        chain = (5 + 4 * k, first[k + 1], shape.bones_m[k + 1, 1:])
        _put_chain(joints, chain, _finger_directions(fingers[..., k, :], heading))
    return joints


def joints_and_slopes(angles: Floats, shape: HandShape) -> tuple[Floats, Floats]:
    """Joints ``(N,21,3)`` and their derivatives ``(N,21,3,21)``, by finite differences.

    An angle moves its own finger only, so one step of the k-th angle of every finger at once gives
    five columns of the Jacobian.
    """
    joints = joints_in_palm(angles, shape)
    slopes = np.zeros((*joints.shape, 21))
    for k in range(5):
        columns = _SAME_ANGLE[k]
        moved = angles.copy()
        moved[:, columns] += STEP
        change = (joints_in_palm(moved, shape) - joints) / STEP
        for column in columns:
            own = _FINGER_JOINTS[column]
            slopes[:, own, :, column] = change[:, own]
    return joints, slopes


def place(joints: Floats, rotation: Floats, position: Floats) -> Floats:
    """Joints ``(…,21,3)`` of the palm's axes moved to the camera."""
    return joints @ np.swapaxes(rotation, -1, -2) + position[..., None, :]


def _put_chain(joints: Floats, chain: tuple[int, Floats, Floats], directions: Floats) -> None:
    """Write four joints of a finger: the first at a fixed place, three more along ``(…,3,3)``."""
    start, first, lengths = chain
    joints[..., start, :] = first
    joints[..., start + 1 : start + 4, :] = first + np.cumsum(
        directions * lengths[:, None], axis=-2
    )


def _finger_directions(angles: Floats, heading: float) -> Floats:
    """Unit directions ``(…,3 bones,3)``: flexion turns the finger out of the palm, to +z."""
    yaw = heading + angles[..., 1]
    bend = np.cumsum(angles[..., [0, 2, 3]], axis=-1)
    flat = np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], axis=-1)
    return np.asarray(np.cos(bend)[..., None] * flat[..., None, :] + np.sin(bend)[..., None] * _Z)


def _thumb_directions(angles: Floats) -> Floats:
    """Metacarpal by yaw and lift; the outer two bend about an axis that ``twist`` turns."""
    yaw, lift, twist = angles[..., 0], angles[..., 1], angles[..., 2]
    cos_yaw, sin_yaw, cos_lift, sin_lift = np.cos(yaw), np.sin(yaw), np.cos(lift), np.sin(lift)
    forward = np.stack([cos_lift * cos_yaw, cos_lift * sin_yaw, sin_lift], axis=-1)
    across = np.stack([-sin_yaw, cos_yaw, np.zeros_like(yaw)], axis=-1)  # towards the little finger
    palmar = np.stack([-sin_lift * cos_yaw, -sin_lift * sin_yaw, cos_lift], axis=-1)
    inward = np.cos(twist)[..., None] * across + np.sin(twist)[..., None] * palmar
    bend = np.stack([np.zeros_like(yaw), angles[..., 3], angles[..., 3] + angles[..., 4]], axis=-1)
    return np.asarray(
        np.cos(bend)[..., None] * forward[..., None, :]
        + np.sin(bend)[..., None] * inward[..., None, :]
    )


_Z = np.array([0.0, 0.0, 1.0])

# the k-th angle of the thumb and of every finger; the joints that an angle moves
_SAME_ANGLE = [[k, *range(5 + k, 21, 4)] for k in range(4)] + [[4]]
_FINGER_JOINTS = [slice(2, 5)] * 5 + [
    slice(4 * f + 6, 4 * f + 9) for f in range(4) for _ in range(4)
]
