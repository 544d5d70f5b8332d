"""Least squares in a few parameters that a gtsam graph does not know, all its own eliminated.

Projections of a graph are at their best for the parameters as they are; how they change with them
is added as columns, and everything else is taken out by hand: first the points, then the rest.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import block_diag, csc_matrix, identity
from scipy.sparse.linalg import splu

from core.geometry.arrays import Bools, Floats, Ints
from slam.bundle import POINT, POSE, VELOCITY, load_gtsam

WIDTHS = {POINT: 3, VELOCITY: 3}  # of gtsam's variables; poses and biases have 6


@dataclass(frozen=True, eq=False)
class Marginal:
    """Normal equations of added parameters, everything else in the graph eliminated.

    information ``(7,7)``, gradient ``(7,)``.
    """

    information: Floats
    gradient: Floats

    @classmethod
    def of(cls, graph: Any, values: Any, slope: Floats, *, through_camera: int) -> "Marginal":
        """Of one parameter with its ``slope`` ``(n,)`` of the first residuals, and of the camera's
        place and turn (3, 3) in the body.

        The latter six are read off the graph: moving the camera on the body is moving the body, for
        the ``through_camera`` first residuals and no others.
        """
        gtsam = load_gtsam()
        every = sorted(values.keys())
        kinds = [chr(gtsam.symbolChr(key)) for key in every]
        widths = np.array([WIDTHS.get(kind, 6) for kind in kinds])
        starts = np.cumsum([0, *widths])
        row, column, value = graph.linearize(values).sparseJacobian_()
        row, column = row.astype(int) - 1, column.astype(int) - 1
        residual = np.zeros(int(row.max()) + 1)
        right = column == starts[-1]
        residual[row[right]] = -value[right]
        row, column, value = row[~right], column[~right], value[~right]
        jacobian = csc_matrix((value, (row, column)), shape=(len(residual), starts[-1]))
        added = np.zeros((len(residual), 7))
        added[: len(slope), 0] = slope
        owner = np.searchsorted(starts, column, side="right") - 1
        mine = (row < through_camera) & (np.array(kinds)[owner] == POSE)
        local = (column - starts[owner])[mine]
        added[row[mine], 1 + (local + 3) % 6] = value[mine]  # gtsam: rotation first
        first = starts[:-1][np.array(kinds) == POINT]
        return cls(*_eliminated(jacobian, added, residual, first=first))

    def solve(self, free: Bools, *, so_far: Floats, sigmas: Floats) -> tuple[Floats, Floats]:
        """Gauss-Newton step ``(7,)`` of the free ones and their sigmas; believed to be 0
        within ``sigmas`` before looking."""
        prior = np.diag(1 / sigmas[free] ** 2)
        inverse = np.linalg.inv(self.information[np.ix_(free, free)] + prior)
        step, spread = np.zeros(len(free)), np.full(len(free), np.inf)
        step[free] = -inverse @ (self.gradient[free] + prior @ so_far[free])
        spread[free] = np.sqrt(np.diagonal(inverse))
        return step, spread


def _eliminated(
    jacobian: csc_matrix, added: Floats, residual: Floats, *, first: Ints
) -> tuple[Floats, Floats]:
    """Information and gradient of the added columns. first: column of every point."""
    points = (first[:, None] + np.arange(3)).ravel()
    others = np.setdiff1d(np.arange(jacobian.shape[1]), points)
    to_points, to_others = jacobian[:, points], jacobian[:, others]
    blocks = (to_points.T @ to_points).tobsr((3, 3))
    own = np.zeros((len(first), 3, 3))
    own[np.repeat(np.arange(len(first)), np.diff(blocks.indptr))] = blocks.data
    size = np.trace(own, axis1=1, axis2=2)[:, None, None]
    inverse = block_diag(list(np.linalg.inv(own + (1e-9 * size + 1e-12) * np.eye(3)))).tocsc()
    right = np.column_stack([added, residual])
    by_points = inverse @ (to_points.T @ right)
    cross = to_others.T @ to_points
    normal = (to_others.T @ to_others - cross @ inverse @ cross.T).tocsc()
    loose = 1e-9 * identity(normal.shape[0], format="csc")
    by_others = splu(normal + loose).solve(to_others.T @ right - cross @ by_points)
    by_points -= inverse @ (cross.T @ by_others)
    left = right - to_points @ by_points - to_others @ by_others
    total = added.T @ left
    return total[:, :-1], total[:, -1]
