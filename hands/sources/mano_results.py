"""What a MANO regressor wrote: one .npz with a row per hand. Nothing in it is a pickle.

``frame`` (M,) picture of the head video; ``right`` (M,) 1 or 0; ``joints_px`` (M,21,2) pixels of
the whole picture; ``joints`` (M,21,3) metres, camera axes, any origin, in the order that HaMeR and
WiLoR give (wrist, thumb … little finger, outward); ``score`` (M,) optional. Instead of ``joints``:
``vertices`` (M,778,3) and MANO's ``J_regressor`` (16,778).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError

Floats = NDArray[np.float64]

VERTICES, MANO_JOINTS = 778, 16
TIP_VERTICES = (744, 320, 443, 554, 671)  # thumb to little finger
# MANO counts wrist, index, middle, little, ring, thumb; then come the tips
_FROM_MANO = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
USUAL_SCORE = 0.95  # of a side that the file states without a score


@dataclass(frozen=True, eq=False)
class ManoResults:
    """M hands. frame: ``(M,)``.   left: ``(M,)`` probability.   joints_px: ``(M,21,2)``.
    joints: ``(M,21,3)`` metres.
    """

    frame: NDArray[np.int64]
    left: Floats
    joints_px: Floats
    joints: Floats


def read_results(path: Path) -> ManoResults:
    """Read the file. BadInputError names what is missing, of another shape or no number."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"{path}: no results file that can be read ({error}); write it with numpy.savez, plain "
            "numbers only"
        ) from error
    frame = _numbers(arrays, "frame", shape=(-1,), path=path)
    count = len(frame)
    right = _numbers(arrays, "right", shape=(count,), path=path) > 0.5
    score = np.full(count, USUAL_SCORE)
    if "score" in arrays:
        score = np.clip(_numbers(arrays, "score", shape=(count,), path=path), 0.0, 1.0)
    if "joints" in arrays:
        joints = _numbers(arrays, "joints", shape=(count, 21, 3), path=path)
    else:
        vertices = _numbers(arrays, "vertices", shape=(count, VERTICES, 3), path=path)
        regressor = _numbers(arrays, "J_regressor", shape=(MANO_JOINTS, VERTICES), path=path)
        joints = joints_of_vertices(vertices, regressor)
    return ManoResults(
        frame.astype(np.int64),
        np.where(right, 1.0 - score, score),
        _numbers(arrays, "joints_px", shape=(count, 21, 2), path=path),
        joints - joints.mean(axis=1, keepdims=True),
    )


def joints_of_vertices(vertices: Floats, regressor: Floats) -> Floats:
    """21 joints ``(M,21,3)`` of MANO's mesh ``(M,778,3)``: 16 regressed, five tips picked."""
    every = np.concatenate([regressor @ vertices, vertices[:, list(TIP_VERTICES)]], axis=1)
    return np.asarray(every[:, list(_FROM_MANO)])


def _numbers(
    arrays: dict[str, NDArray[np.generic]], name: str, *, shape: tuple[int, ...], path: Path
) -> Floats:
    if name not in arrays:
        raise BadInputError(f"{path}: no {name!r} in it; it has {', '.join(arrays) or 'nothing'}")
    values = arrays[name]
    right_shape = values.ndim == len(shape) and all(
        wanted in {-1, found} for wanted, found in zip(shape, values.shape, strict=True)
    )
    if not right_shape or values.dtype.kind not in "biuf":
        raise BadInputError(
            f"{path}: {name!r} is {values.dtype} of shape {values.shape}; expected {shape}"
        )
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise BadInputError(f"{path}: {name!r} holds numbers that are not finite; leave them out")
    return numbers
