"""What postures a hand likes: joint angles near expected ones, tendons, anatomical limits."""

import numpy as np
from numpy.typing import NDArray

from hands.model import kinematics as kin

Floats = NDArray[np.float64]

LIMIT_SIGMA_RAD = np.deg2rad(3.0)
DIP_SIGMA_RAD = np.deg2rad(12.0)


def posture_residuals(angles: Floats, expected: Floats) -> Floats:
    """``(N,21)`` angles to the expected ones, tendon coupling and limits, ``(N,46)``."""
    habit = angles @ _HABIT.T
    habit[:, :21] -= expected / kin.ANGLE_SIGMA
    outside = np.maximum(angles - kin.ANGLE_HIGH, 0) + np.minimum(angles - kin.ANGLE_LOW, 0)
    return np.concatenate([habit, outside / LIMIT_SIGMA_RAD], axis=-1)


def posture_slopes(angles: Floats) -> Floats:
    """``(N,46,21)`` derivatives of `posture_residuals`."""
    slopes = np.zeros((len(angles), 46, 21))
    slopes[:, :25] = _HABIT
    slopes[:, 25:] = np.eye(21) * _beyond(angles)[:, None]
    return slopes


def posture_equations(angles: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Gauss-Newton of the residuals ``(N,46)``: ``(N,21,21)`` information, ``(N,21)`` gradient."""
    beyond = _beyond(angles)
    information = _HABIT.T @ _HABIT + np.eye(21) * (beyond**2)[:, None]
    return information, at[:, :25] @ _HABIT + at[:, 25:] * beyond


def _beyond(angles: Floats) -> Floats:
    """``(N,21)`` slope of the limits: zero within them."""
    return ((angles > kin.ANGLE_HIGH) | (angles < kin.ANGLE_LOW)) / LIMIT_SIGMA_RAD


def _habit() -> Floats:
    """``(25,21)``: 21 of the prior, 4 of the tendon that bends a finger's outer two joints."""
    rows = np.zeros((25, 21))
    rows[:21] = np.diag(1.0 / kin.ANGLE_SIGMA)
    for finger in range(4):
        pip = 5 + 4 * finger + 2
        rows[21 + finger, [pip, pip + 1]] = np.array([-kin.DIP_PER_PIP, 1.0]) / DIP_SIGMA_RAD
    return rows


_HABIT = _habit()
