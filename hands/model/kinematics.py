"""An articulated right hand: 27 numbers to 21 joints, with anatomical limits.

Pose vector, radians and metres: 0-2 wrist position in the camera, 3-5 rotation vector (added on top
of a reference rotation), 6-10 thumb (yaw, lift, twist, MCP and IP flexion), then four numbers for
index, middle, ring, pinky (MCP flexion, spread, PIP and DIP flexion). The palm is rigid. Palm axes:
x to the fingers, y to the little finger, z out of the palm. A left hand is the mirror image of a
right one, so left hands are solved as right hands seen in a mirror.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hands.model.proportions import HandShape

Floats = NDArray[np.float64]

POSE_SIZE = 27
POSITION, ROTATION, THUMB = slice(0, 3), slice(3, 6), slice(6, 11)
FINGERS = slice(11, 27)
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
    return _joints(_bends(angles, shape), shape)


def joints_and_slopes(angles: Floats, shape: HandShape) -> tuple[Floats, Floats]:
    """Joints ``(N,21,3)``, and how each finger's four move ``(N,5,4,8,3)`` with turns about the
    palm's three axes and with the finger's own five angles (the fingers' fifth is none).

    Every angle turns what lies beyond a joint about an axis through it.
    """
    bends = _bends(angles, shape)
    joints = _joints(bends, shape)
    fingers = joints[:, 1:].reshape(-1, 5, 4, 3)
    slopes = np.empty((len(joints), 5, 4, 8, 3))
    slopes[..., :3, :] = (fingers @ _ABOUT_WRIST).reshape(*fingers.shape[:-1], 3, 3)
    pivots = np.take_along_axis(fingers, _PIVOT[None, :, :, None], axis=2)
    arms = (fingers[..., None, :] - pivots[:, :, None]) * _BEYOND
    slopes[..., 3:, :] = _cross(_axes(bends)[:, :, None], arms)
    return joints, slopes


@dataclass(frozen=True, eq=False)
class _Bends:
    """Thumb and fingers as chains in a plane each. forward: ``(…,5,3)`` along the straight chain;
    inward: to where it bends; across: ``(…,3)`` the thumb's, towards the little finger.   bend:
    ``(…,5,3)`` of the three outer bones, radians.
    """

    forward: Floats
    inward: Floats
    across: Floats
    bend: Floats


def _bends(angles: Floats, shape: HandShape) -> _Bends:
    """Fingers: spread, then three joints that flex out of the palm, to +z. Thumb: yaw and lift of
    the metacarpal; the outer two bones bend about an axis that ``twist`` turns.
    """
    fingers = angles[..., 5:].reshape(*angles.shape[:-1], 4, 4)
    starts = shape.first_joint_directions[1:]
    heading = 0.75 * np.arctan2(starts[:, 1], starts[:, 0])  # fingers converge a little
    yaw = np.concatenate([angles[..., :1], heading + fingers[..., 1]], axis=-1)
    forward = np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], axis=-1)
    inward = np.broadcast_to(_Z, forward.shape).copy()
    across = _cross(_Z, forward[..., 0, :])
    cos, sin = np.cos(angles[..., 1:3, None]), np.sin(angles[..., 1:3, None])  # lift, twist
    palmar = cos[..., 0, :] * _Z - sin[..., 0, :] * forward[..., 0, :]
    forward[..., 0, :] = cos[..., 0, :] * forward[..., 0, :] + sin[..., 0, :] * _Z
    inward[..., 0, :] = cos[..., 1, :] * across + sin[..., 1, :] * palmar
    bend = np.zeros((*angles.shape[:-1], 5, 3))
    bend[..., 0, 1:] = np.cumsum(angles[..., 3:5], axis=-1)
    bend[..., 1:, :] = np.cumsum(fingers[..., [0, 2, 3]], axis=-1)
    return _Bends(forward, inward, across, bend)


def _joints(bends: _Bends, shape: HandShape) -> Floats:
    joints = np.zeros((*bends.bend.shape[:-2], 21, 3))
    bones = np.cos(bends.bend)[..., None] * bends.forward[..., None, :]
    bones += np.sin(bends.bend)[..., None] * bends.inward[..., None, :]
    chains = np.empty((*bends.bend.shape[:-1], 4, 3))
    chains[..., 0, :] = shape.bones_m[:, 0, None] * shape.first_joint_directions
    chains[..., 1:, :] = bones * shape.bones_m[:, 1:, None]
    joints[..., 1:, :] = np.cumsum(chains, axis=-2).reshape(*joints.shape[:-2], 20, 3)
    return joints


def _axes(bends: _Bends) -> Floats:
    """``(N,5,5,3)`` what each finger's own angles turn about."""
    axes = np.zeros((*bends.forward.shape[:-1], 5, 3))
    flexion = _cross(bends.forward, bends.inward)
    axes[:, 0, 0], axes[:, 0, 1], axes[:, 0, 2] = _Z, -bends.across, bends.forward[:, 0]
    axes[:, 0, 3:] = flexion[:, :1]
    axes[:, 1:, [0, 2, 3]] = flexion[:, 1:, None]
    axes[:, 1:, 1] = _Z
    return axes


def _cross(one: Floats, other: Floats) -> Floats:
    """`numpy.cross` of vectors ``(…,3)`` in half its time."""
    (ax, ay, az), (bx, by, bz) = (np.moveaxis(v, -1, 0) for v in (one, other))
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def place(joints: Floats, rotation: Floats, position: Floats) -> Floats:
    """Joints ``(…,21,3)`` of the palm's axes moved to the camera."""
    return joints @ np.swapaxes(rotation, -1, -2) + position[..., None, :]


_Z = np.array([0.0, 0.0, 1.0])
# how a point moves with turns about each axis: point ``(…,3)`` @ this, ``(…,9)``
_ABOUT_WRIST = np.cross(np.eye(3), np.eye(3)[:, None]).reshape(3, 9)

# the joint of its finger ``(5,5)`` that each angle turns about, and which of the four lie beyond
_PIVOT = np.array([[0, 0, 0, 1, 2], *[[0, 0, 1, 2, 3]] * 4])
_BEYOND = (np.arange(4)[:, None] > _PIVOT[:, None])[..., None]  # (5,4,5,1)
