"""Are the stated uncertainties right? Share of errors within one sigma, axis by axis.

Honest Gaussian sigmas hold 68 % of the errors of each axis. N: rows, A: axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, mean
from app.evaluate.hands import HandComparison
from app.evaluate.palms import PalmComparison
from app.evaluate.trajectory import TrajectoryComparison
from core.geometry.heading import levelled_heading
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from core.session.tables import Trajectory

Floats = NDArray[np.float64]

NORMAL = NormalDist()
ONE_SIGMA = 2 * NORMAL.cdf(1.0) - 1
LEVELS = tuple(round(0.05 * k, 2) for k in range(1, 20))  # of probability, for a curve


@dataclass(frozen=True, eq=False)
class SigmaCheck:
    """Signed errors and what was claimed of them. errors, sigmas ``(N,A)``; axes: A words.

    Rows whose sigma is infinite or missing claim nothing and are not counted.
    """

    stage: str
    name: str
    axes: tuple[str, ...]
    errors: Floats
    sigmas: Floats

    def within(self, probability: float, *, axis: int | None = None) -> float:
        """Share of errors inside the interval that should hold this share of Gaussian ones."""
        rows = slice(None) if axis is None else [axis]
        errors, sigmas = self.errors[:, rows], self.sigmas[:, rows]
        known = np.isfinite(sigmas) & np.isfinite(errors)
        reach = NORMAL.inv_cdf(0.5 + probability / 2)
        return mean(np.abs(errors[known]) <= reach * sigmas[known])

    def curve(self) -> list[float]:
        """`within` at every one of LEVELS, all axes together."""
        return [self.within(level) for level in LEVELS]

    def figure(self) -> Figure:
        """Share within one sigma, all axes together; axis by axis in the note."""
        single = [self.within(ONE_SIGMA, axis=k) for k in range(len(self.axes))]
        parts = [
            f"{axis} {100 * value:.0f} %"
            for axis, value in zip(self.axes, single, strict=True)
            if np.isfinite(value)
        ]
        note = ", ".join(parts) if len(parts) > 1 else ""
        name = f"{self.name} within 1 sigma"
        return Figure(self.stage, name, self.within(ONE_SIGMA), "share", note)


def head_checks(comparison: TrajectoryComparison, table: Trajectory) -> list[SigmaCheck]:
    """Head position and rotation along the axes of the estimate's own world.

    Each map is laid on the truth by the position and heading of its first pose, whose place the
    sigmas take as given: an alignment over all frames would hide drift.
    """
    moved, turned = [np.zeros((0, 3))], [np.zeros((0, 3))]
    sigma_m, sigma_rad = [np.zeros((0, 3))], [np.zeros((0, 3))]
    for number in np.unique(comparison.map_id):
        here = np.flatnonzero(comparison.map_id == number)[1:]
        first = np.flatnonzero(comparison.map_id == number)[0]
        exact, found = comparison.truth, SE3.from_pose7(table.world_from_head[comparison.rows])
        turn = levelled_heading(found.rotation[first]) @ levelled_heading(exact.rotation[first]).T
        place = found.translation[first] - turn @ exact.translation[first]
        should = SE3(turn, place) @ exact[here]
        moved.append(found.translation[here] - should.translation)
        turned.append(
            rotvec_from_matrix(found.rotation[here] @ np.swapaxes(should.rotation, -1, -2))
        )
        sigma_m.append(table.sigma_m[comparison.rows[here]].astype(np.float64))
        sigma_rad.append(table.sigma_rad[comparison.rows[here]].astype(np.float64))
    axes = ("x", "y", "z")
    return [
        SigmaCheck("slam", "position", axes, np.concatenate(moved), np.concatenate(sigma_m)),
        SigmaCheck("slam", "rotation", axes, np.concatenate(turned), np.concatenate(sigma_rad)),
    ]


def hand_checks(hands: HandComparison) -> list[SigmaCheck]:
    """Landmarks across (two axes) and along the ray from the head camera to each."""
    found, off = hands.landmarks.reshape(-1, 3), (hands.landmarks - hands.truth).reshape(-1, 3)
    if not len(found):
        return []
    ray = found / np.linalg.norm(found, axis=-1, keepdims=True)
    side = np.cross(ray, np.eye(3)[np.argmin(np.abs(ray), axis=-1)])
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    axes = np.stack([side, np.cross(ray, side)], axis=1)
    across = np.einsum("nai,ni->na", axes, off)
    lateral = np.repeat(hands.sigma_lateral_m.reshape(-1, 1), 2, axis=1)
    along = np.sum(ray * off, axis=-1)[:, None]
    return [
        SigmaCheck("hands", "landmarks across the ray", ("1st", "2nd"), across, lateral),
        SigmaCheck(
            "hands", "landmarks along the ray", ("ray",), along, hands.sigma_ray_m.reshape(-1, 1)
        ),
    ]


def palm_checks(palms: PalmComparison) -> list[SigmaCheck]:
    """Palm position along the head's axes, rotation about the palm's."""
    if not len(palms.side):
        return []
    off = palms.estimate.translation - palms.truth.translation
    turn = np.swapaxes(palms.truth.rotation, -1, -2) @ palms.estimate.rotation
    axes = ("x", "y", "z")
    return [
        SigmaCheck("hands", "palm position", axes, off, palms.sigma_m),
        SigmaCheck("hands", "palm rotation", axes, rotvec_from_matrix(turn), palms.sigma_rad),
    ]


def sigma_figures(checks: Sequence[SigmaCheck], stage: str) -> list[Figure]:
    """Of one stage."""
    return [check.figure() for check in checks if check.stage == stage]
