"""Names of the array types that geometry passes around, and the read-only copy that frozen types
keep.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]


def frozen_floats(values: ArrayLike) -> Floats:
    """A float64 copy that cannot be written (frozen dataclasses do not freeze arrays)."""
    copy = np.array(values, dtype=np.float64)
    copy.flags.writeable = False
    return copy


def unit(vectors: ArrayLike) -> Floats:
    """``(…,k)`` scaled to length 1; a zero vector has no direction and becomes NaN."""
    vectors = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    nowhere = np.full_like(vectors, np.nan)
    direction: Floats = np.divide(vectors, length, out=nowhere, where=length > 0)
    return direction
