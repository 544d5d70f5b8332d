"""Hands that the head does not see, read in the picture of the camera that they carry.

That camera has the wrist to millimetres, but a hand that rests or hangs bends there by up to 70
degrees, and where it is bent nobody has seen. So it is looked for as bends differ, one after the
other, until it is found; then it is followed. The bend that fits what was read is where the fit
starts.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec
from hands.cameras.strapped import fitted_apart
from hands.config import HandsConfig
from hands.model.evidence import NO_RAY, Evidence, landmark_mixing
from hands.model.poses import HandPoses, chosen
from hands.model.proportions import HandShape
from hands.model.view_evidence import MountEvidence, ViewEvidence
from hands.model.view_terms import ViewTerms

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

LOOKED_DEG = (0, -40, 40)  # forward or back, and sideways
LOOKS = (0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8)  # of those bends; hands are mostly not bent
TRIED_DEG = range(-75, 76, 15)
# one sigma of a wrist that nobody sees: the forearm hardly twists in the strap, hands bend far
BENT_RAD = np.array([0.1, 0.6, 0.6])


def bent_in_turn(poses: HandPoses, looks: Ints, *, rows: Bools) -> HandPoses:
    """The hands ``(T,)``, in some rows bent as the number ``(T,)`` of the look has it: at every
    fourth one not at all.
    """
    bends = _bends(LOOKED_DEG)[list(LOOKS)]
    turns = np.where(rows[:, None, None], bends[looks % len(bends)], np.eye(3))
    return replace(poses, rotation=poses.rotation @ turns)


def loose(mount: MountEvidence, rows: Bools) -> MountEvidence:
    """The same, but in some rows nobody knows how the wrist is bent."""
    sigma = np.where(rows[:, None], np.hypot(mount.sigma_rad, BENT_RAD), mount.sigma_rad)
    return replace(mount, sigma_rad=sigma)


def as_read(
    poses: HandPoses,
    evidence: Evidence,
    shape: HandShape,
    *,
    view: ViewEvidence,
    mount: MountEvidence,
    rows: Bools,
    config: HandsConfig,
) -> HandPoses:
    """Hands ``(T,)`` bent as the camera that they carry shows them, in rows that the head does not
    see. poses: as the camera holds them there.   view: what its pictures show.
    """
    here = np.flatnonzero(rows & view.seen)
    if not len(here):
        return poses
    start = _best_bend(poses.rows(here), view[here], shape)
    both = replace(evidence[here], views=(view[here], loose(mount, rows)[here]))
    fitted, _ = fitted_apart(both, start, shape, config=config)
    return with_rows(poses, here, fitted)


def with_rows(poses: HandPoses, rows: NDArray[np.intp], some: HandPoses) -> HandPoses:
    """The poses, some of them others."""
    columns = {name: values.copy() for name, values in vars(poses).items()}
    for name, values in columns.items():
        values[rows] = getattr(some, name)
    return HandPoses(**columns)


def _best_bend(poses: HandPoses, view: ViewEvidence, shape: HandShape) -> HandPoses:
    """Of the bends that are tried, those that miss the landmarks least."""
    terms, known = ViewTerms.of(view), view.sigma_rad < NO_RAY
    best, least = poses, np.full(len(view), np.inf)
    for bend in _bends(TRIED_DEG):
        tried = replace(poses, rotation=poses.rotation @ bend)
        offset = terms.offsets(landmark_mixing() @ tried.joints(shape))
        miss = np.nanmedian(np.where(known, np.linalg.norm(offset, axis=-1), np.nan), axis=1)
        better = miss < least
        best, least = chosen(better, tried, best), np.where(better, miss, least)
    return best


def _bends(degrees: Iterable[int]) -> Floats:
    """``(B,3,3)`` turns of a palm at the wrist: each of these angles forward with each sideways."""
    pairs = np.radians(list(product(degrees, repeat=2)))
    return matrix_from_rotvec(np.pad(pairs, ((0, 0), (1, 0))))
