"""The operator's own bone lengths, estimated once from frames of the whole session and kept.

The lengths of an average hand are a start; where the fitted hand keeps missing the landmarks in the
same way, its bones are stretched or shrunk, within what people differ by. Overall size cannot be
seen
by one camera: it stays what `hands.model.proportions` says.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hands.model.evidence import Evidence
from hands.model.fit import Terms, bones_of, fit_frames, robustified, terms_of
from hands.model.poses import HandPoses
from hands.model.proportions import BONE_SIGMA, HandShape

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDS = 3
FIRST, AGAIN = 5, 2  # iterations of the poses in the first round and, from there, in later ones
# Frames of one session repeat each other's errors: this many count as independent.
INDEPENDENT_FRAMES = 4.0
FEWEST_FRAMES = 20
PALM_BONE_SIGMA = 0.005
LENGTH_SIGMA = 0.01  # how firmly the middle ray keeps the stated hand length


def own_bones(
    evidence: list[Evidence],
    shape: HandShape,
    *,
    guess_sigma_m: tuple[float, float],
    frames: int,
    palm_sigma: float = PALM_BONE_SIGMA,
    sessions: int = 1,
) -> HandShape:
    """The shape with bones fitted to at most ``frames`` frames of both hands (as right hands).
    palm_sigma: of the log lengths of the palm's bones; a second view may ask for others.
    sessions: that the evidence comes from. Bones that are known already stay.
    """
    sample = spread_sample(evidence, frames)
    if shape.bones_known or len(sample) < FEWEST_FRAMES:
        return shape
    start = np.log(shape.bones_m)
    change = np.zeros(20)
    poses: HandPoses | None = None
    for _ in range(ROUNDS):
        terms = terms_of(sample, shape, guess_sigma_m=guess_sigma_m)
        poses, _ = fit_frames(terms, poses, iterations=AGAIN if poses else FIRST)
        terms = robustified(terms, poses, sample.sigma_rad)
        information, gradient = _bone_equations(terms, poses, sessions * INDEPENDENT_FRAMES)
        prior = np.diag(1.0 / _bone_sigmas(palm_sigma) ** 2)
        length = _length_row(shape)
        information += prior + np.outer(length, length)
        gradient += prior @ change + length * (length @ change)
        change = change - np.linalg.solve(information, gradient)
        shape = replace(shape, bones_m=np.exp(start + change.reshape(5, 4)))
    return shape


def spread_sample(evidence: list[Evidence], frames: int) -> Evidence:
    """Evenly spread seen frames of both hands."""
    return Evidence.concat([hand[spread_rows(hand.seen, frames // 2)] for hand in evidence])


def spread_rows(seen: Bools, most: int) -> NDArray[np.intp]:
    """At most so many rows that are seen, evenly spread."""
    rows = np.flatnonzero(seen)
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)]


def _bone_equations(terms: Terms, poses: HandPoses, independent: float) -> tuple[Floats, Floats]:
    """Information ``(20,20)``, gradient ``(20,)`` of log lengths, the poses eliminated (Schur);
    as much as so many independent frames tell.
    """
    at = terms.residuals(poses)
    by_pose = terms.jacobian(poses)
    joints = poses.joints(terms.shape)
    longer = np.einsum("kj,njib->nkib", terms.mixing, lengthened(joints))
    by_bone = terms.slopes_by_points(terms.mixing @ joints, longer)
    turned = np.swapaxes(by_pose, 1, 2)
    explained = np.linalg.solve(
        turned @ by_pose, turned @ np.concatenate([by_bone, at[..., None]], axis=-1)
    )
    rest = np.concatenate([by_bone, at[..., None]], axis=-1) - by_pose @ explained
    share = min(1.0, independent / len(at))
    information = share * np.sum(np.swapaxes(by_bone, 1, 2) @ rest, axis=0)
    return np.asarray(information[:, :20]), np.asarray(information[:, 20])


def lengthened(joints: Floats) -> Floats:
    """``(N,21,3,20)`` how joints ``(N,21,3)`` move with the logarithms of the bones' lengths."""
    bones = bones_of(joints)
    slopes = np.zeros((*joints.shape, 20))
    for bone in range(20):
        beyond = slice(1 + bone, 5 + bone // 4 * 4)  # the rest of its finger
        slopes[:, beyond, :, bone] = bones[:, None, bone]
    return slopes


def _bone_sigmas(palm_sigma: float) -> Floats:
    """``(20,)`` of log lengths. To one camera the palm stays average: a hand that leans more than
    the fit believes looks like one with another palm, and the palm's size is what tells its
    distance.
    """
    sigma = np.full((5, 4), BONE_SIGMA)
    sigma[:, 0] = palm_sigma
    return sigma.ravel()


def _length_row(shape: HandShape) -> Floats:
    """``(20,)`` derivative of log(wrist to middle fingertip), over its sigma."""
    row = np.zeros((5, 4))
    row[2] = shape.bones_m[2] / shape.bones_m[2].sum()
    return row.ravel() / LENGTH_SIGMA
