"""Fit one hand over time: every frame's evidence and a prior that hands accelerate little.

Unknowns are the poses of all frames at once. The prior is a second difference (of position, of body
angular velocity, of joint angles) with Student-t tails: calm hands are held still, quick moves are
not slowed. No lag: past and future count alike. One banded Cholesky per step, a few ms per frame.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from core.geometry.rotations import rotvec_from_matrix
from hands.model import kinematics as kin
from hands.model.fit import Terms
from hands.model.poses import HandPoses

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SIZE = kin.POSE_SIZE
TAIL_DOF = 3.0
BLOCKS = (kin.POSITION, kin.ROTATION, kin.THUMB, kin.FINGERS)
FEWEST_OVER_TIME = 3  # frames: fewer have no acceleration
BATCH = 200  # frames whose Jacobians are held at once


@dataclass(frozen=True)
class Calmness:
    """One sigma of the accelerations of a calm hand."""

    linear_m_s2: float
    angular_rad_s2: float
    joint_rad_s2: float

    def per_number(self) -> Floats:
        sigma = np.full(SIZE, self.joint_rad_s2)
        sigma[kin.POSITION], sigma[kin.ROTATION] = self.linear_m_s2, self.angular_rad_s2
        return sigma


def track_step(
    terms: Terms, poses: HandPoses, *, seen: Bools, times_s: Floats, calmness: Calmness
) -> HandPoses:
    """T poses after one Gauss-Newton step; ``terms`` holds the seen frames only, ``seen`` ``(T,)``
    says which. Fewer than three stay as they are.
    """
    if len(times_s) < FEWEST_OVER_TIME:
        return poses
    information, gradient = evidence_equations(terms, poses, seen)
    banded, pull = motion_equations(poses, times_s=times_s, calmness=calmness)
    add_blocks(banded, information)
    step = -solveh_banded(banded, (gradient + pull).ravel(), check_finite=False)
    return poses.moved(limited(step.reshape(-1, SIZE)))


def evidence_equations(terms: Terms, poses: HandPoses, seen: Bools) -> tuple[Floats, Floats]:
    """Information ``(T,27,27)`` and gradient ``(T,27)``; zero in unseen frames."""
    information = np.zeros((len(seen), SIZE, SIZE))
    gradient = np.zeros((len(seen), SIZE))
    rows = np.flatnonzero(seen)
    for start in range(0, len(rows), BATCH):
        part = slice(start, start + BATCH)
        a, b, _ = terms.rows(part).normal_equations(poses.rows(rows[part]))
        information[rows[part]], gradient[rows[part]] = a, b
    return information, gradient


def motion_equations(
    poses: HandPoses, *, times_s: Floats, calmness: Calmness
) -> tuple[Floats, Floats]:
    """The prior's banded information ``(55, 27 T)`` (upper form) and gradient ``(T,27)``."""
    count = len(times_s)
    dt = np.diff(times_s)
    before, after = 1.0 / dt[:-1, None], 1.0 / dt[1:, None]
    change = velocities(poses) / dt[:, None]
    residual = change[1:] - change[:-1]  # (T-2,27)
    scale = 1.0 / (calmness.per_number() * 0.5 * (dt[1:] + dt[:-1])[:, None])
    weight = (scale * tail_factor(residual * scale)) ** 2
    coefficients = (before, -(before + after), after)
    pull = np.zeros((count, SIZE))
    banded = np.zeros((2 * SIZE + 1, count, SIZE))
    for i, left in enumerate(coefficients):
        pull[i : count - 2 + i] += left * weight * residual
        for j, right in enumerate(coefficients[i:], start=i):
            banded[2 * SIZE - (j - i) * SIZE, j : count - 2 + j] += left * right * weight
    banded[2 * SIZE] += 1e-9  # what nothing holds stays
    return banded.reshape(2 * SIZE + 1, -1), pull


def velocities(poses: HandPoses) -> Floats:
    """Differences between neighbours ``(T-1,27)``; rotation in the earlier one's own axes."""
    turn = rotvec_from_matrix(np.swapaxes(poses.rotation[:-1], 1, 2) @ poses.rotation[1:])
    return np.concatenate([np.diff(poses.position, axis=0), turn, np.diff(poses.angles, axis=0)], 1)


def tail_factor(residual: Floats) -> Floats:
    """Square roots of Student-t weights ``(N,27)``, one per block of numbers that move together."""
    factor = np.empty_like(residual)
    for block in BLOCKS:
        mean_square = np.mean(residual[:, block] ** 2, axis=1, keepdims=True)
        factor[:, block] = np.sqrt((TAIL_DOF + 1) / (TAIL_DOF + mean_square))
    return factor


def add_blocks(banded: Floats, blocks: Floats) -> None:
    """Add ``(T,27,27)`` diagonal blocks to the upper banded form, in place."""
    shaped = banded.reshape(2 * SIZE + 1, -1, SIZE)
    for above in range(SIZE):
        shaped[2 * SIZE - above, :, above:] += np.diagonal(blocks, above, 1, 2)


def limited(step: Floats) -> Floats:
    """Steps ``(T,27)`` cut to what linearisation bears: 10 cm, 0.5 rad."""
    bound = np.full(SIZE, 0.5)
    bound[kin.POSITION] = 0.1
    return np.clip(step, -bound, bound)
