"""Least squares in a few parameters that a gtsam graph does not know, all its own eliminated.

Projections of a graph are at their best for the parameters as they are; how they change with them
is added as columns, and everything else is taken out by hand: first the points, then the rest.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import identity
from scipy.sparse.linalg import splu

from core.geometry.arrays import Bools, Floats
from slam.map.bundle import POINT, POSE, WIDTHS
from slam.map.elimination import Points, linearised

LOOSE = 1e-9  # information that nobody lacks: what nothing tells stays where it is


@dataclass(frozen=True, eq=False)
class Marginal:
    """Normal equations of added parameters, everything else in the graph eliminated.

    information ``(7,7)``, gradient ``(7,)``.
    """

    information: Floats
    gradient: Floats

    @classmethod
    def of(cls, graph: Any, values: Any, slope: Floats, *, through_camera: int) -> "Marginal":
        """Of the focal length's logarithm, with the ``slope`` ``(n,)`` by which it moves the first
        residuals' rays, and of the camera's place and turn (3, 3) in the body.

        Corners err by pixels, and the same pixels are a smaller angle behind a longer lens: so the
        residuals count as slope too. Else that slope goes with the noise that moved the corners,
        and a right focal length comes out one or two percent too long.

        The latter six are read off the graph: moving the camera on the body is moving the body, for
        the ``through_camera`` first residuals and no others.
        """
        linear = linearised(graph, values, widths=WIDTHS)
        every = linear.jacobian.tocoo()
        added = np.zeros((len(linear.residual), 7))
        added[: len(slope), 0] = slope + linear.residual[: len(slope)]
        owner = np.searchsorted(linear.starts, every.col, side="right") - 1
        mine = (every.row < through_camera) & (np.array(linear.kinds)[owner] == POSE)
        local = (every.col - linear.starts[owner])[mine]
        added[every.row[mine], 1 + (local + 3) % 6] = every.data[mine]  # gtsam: rotation first
        points = Points.of(linear.jacobian, linear.columns(POINT))
        right = np.column_stack([added, linear.residual]) * points.weight[:, None]
        left = left_over(points, right)
        total = right[:, :7].T @ left
        return cls(total[:, :7], total[:, 7])

    def solve(self, free: Bools, *, so_far: Floats, sigmas: Floats) -> tuple[Floats, Floats]:
        """Gauss-Newton step ``(7,)`` of the free ones and their sigmas; believed to be 0
        within ``sigmas`` before looking."""
        prior = np.diag(1 / sigmas[free] ** 2)
        inverse = np.linalg.inv(self.information[np.ix_(free, free)] + prior)
        step, spread = np.zeros(len(free)), np.full(len(free), np.inf)
        step[free] = -inverse @ (self.gradient[free] + prior @ so_far[free])
        spread[free] = np.sqrt(np.diagonal(inverse))
        return step, spread


def left_over(points: Points, right: Floats) -> Floats:
    """What the graph's own variables cannot take up of the columns ``(m,k)``."""
    return eliminated(points, right)[0]


def eliminated(points: Points, right: Floats) -> tuple[Floats, Floats]:
    """The same, and how far those that are no points move to take up the rest, ``(n,k)``."""
    by_points = points.inverse @ (points.to_points.T @ right)
    cross = points.to_others.T @ points.to_points
    normal = points.reduced() + LOOSE * identity(len(points.others), format="csc")
    by_others = splu(normal.tocsc()).solve(points.to_others.T @ right - cross @ by_points)
    by_points = by_points - points.inverse @ (cross.T @ by_others)
    left = right - points.to_points @ by_points - points.to_others @ by_others
    return np.asarray(left), -by_others
