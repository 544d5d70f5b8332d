"""How far a frame's landmarks miss the fit, and what frames that miss by much are worth."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hands.model.evidence import NO_RAY
from hands.model.fit import Terms, ray_offsets
from hands.model.poses import HandPoses

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DOUBT = 0.6  # times the usual miss of landmarks: frames that miss by more count less than half
LEAST_USUAL_MISS = 0.003  # palms


def misses(terms: Terms, poses: HandPoses) -> Floats:
    """Median distance ``(N,)`` of landmarks from their rays, in lengths of the person's palm; zero
    where the head's picture says nothing.
    """
    distance = np.linalg.norm(poses.position, axis=1)
    told = (terms.weight > 2.0 / NO_RAY).any(axis=1)
    miss = np.median(ray_offsets(terms, poses), axis=1) * distance / terms.shape.bones_m[2, 0]
    return np.where(told, miss, 0.0)


def doubted(terms: Terms, poses: HandPoses, *, twice: Bools) -> Terms:
    """The same terms, frames that contradict the fit counting less: what misleads a detector, a
    hand half behind things, misleads all its landmarks together. Where another camera sees the hand
    too the fit knows what they share, and the frame is not doubted; nor is the distance that others
    tell of the frames between.
    """
    miss = misses(terms, poses)
    usual = max(float(np.median(miss)), LEAST_USUAL_MISS) if len(miss) else LEAST_USUAL_MISS
    trust = np.where(twice, 1.0, 1.0 / np.hypot(1.0, miss / (DOUBT * usual)))
    return replace(
        terms,
        weight=terms.weight * trust[:, None],
        guess_weight=terms.guess_weight * trust[:, None],
        distance_weight=terms.distance_weight * (1.0 if terms.views else trust),
    )
