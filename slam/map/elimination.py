"""A gtsam graph as plain matrices, and its points taken out of them by hand (Schur complement)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import block_diag, csc_matrix, diags

from core.geometry.arrays import Floats, Ints

NEAR_CAMERA = 1e4  # times the usual information of a point: it lies at a camera and is left out


@dataclass(frozen=True, eq=False)
class Linear:
    """A linearised graph: ``residual + jacobian @ step``, whitened, in gtsam's order of keys.

    jacobian ``(m,n)`` sparse; residual ``(m,)``.   keys, kinds: variables and their letters.
    starts: first column of every variable, and n.
    """

    jacobian: csc_matrix
    residual: Floats
    keys: list[int]
    kinds: list[str]
    starts: Ints

    def columns(self, kind: str) -> Ints:
        """First column of every variable of this kind."""
        return self.starts[:-1][np.array(self.kinds) == kind]


def linearised(graph: Any, values: Any, *, widths: dict[str, int]) -> Linear:
    """widths: columns of the kinds of variables that do not have 6."""
    import gtsam

    keys = sorted(values.keys())
    kinds = [chr(gtsam.symbolChr(key)) for key in keys]
    starts = np.cumsum([0, *(widths.get(kind, 6) for kind in kinds)])
    row, column, value = graph.linearize(values).sparseJacobian_()
    row, column = row.astype(int) - 1, column.astype(int) - 1
    residual = np.zeros(int(row.max()) + 1)
    right = column == starts[-1]  # the last column is the right-hand side
    residual[row[right]] = -value[right]
    jacobian = csc_matrix(
        (value[~right], (row[~right], column[~right])), shape=(len(residual), starts[-1])
    )
    return Linear(jacobian, residual, keys, kinds, starts)


@dataclass(frozen=True, eq=False)
class Points:
    """The points of a linearised graph and how the rest hangs on them.

    weight ``(m,)``: 0 for residuals of points at a camera: their slopes drown everybody's digits.
    others: columns that are no point's.   inverse: of the points' own information.
    """

    columns: Ints
    others: Ints
    weight: Floats
    to_points: csc_matrix
    to_others: csc_matrix
    inverse: csc_matrix

    @classmethod
    def of(cls, jacobian: csc_matrix, first: Ints) -> "Points":
        """first: first of the three columns of every point."""
        columns = (first[:, None] + np.arange(3)).ravel()
        others = np.setdiff1d(np.arange(jacobian.shape[1]), columns)
        own = _blocks(jacobian[:, columns])
        size = np.trace(own, axis1=1, axis2=2)
        near = (
            np.repeat(size > NEAR_CAMERA * np.median(size), 3) if len(size) else np.zeros(0, bool)
        )
        weight = np.ones(jacobian.shape[0])
        weight[np.unique(jacobian[:, columns[near]].nonzero()[0])] = 0.0
        jacobian = (diags(weight) @ jacobian).tocsc()
        own = _blocks(jacobian[:, columns])
        size = np.trace(own, axis1=1, axis2=2)[:, None, None]
        inverse = block_diag(list(np.linalg.inv(own + (1e-9 * size + 1e-12) * np.eye(3)))).tocsc()
        return cls(columns, others, weight, jacobian[:, columns], jacobian[:, others], inverse)

    def reduced(self) -> csc_matrix:
        """Information of the others, the points taken out."""
        cross = self.to_others.T @ self.to_points
        return (self.to_others.T @ self.to_others - cross @ self.inverse @ cross.T).tocsc()


def _blocks(to_points: csc_matrix) -> Floats:
    """``(P,3,3)`` information of every point alone."""
    blocks = (to_points.T @ to_points).tobsr((3, 3))
    own = np.zeros((to_points.shape[1] // 3, 3, 3))
    own[np.repeat(np.arange(len(own)), np.diff(blocks.indptr))] = blocks.data
    return own
