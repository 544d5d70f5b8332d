"""The operator's hand length from hands that two cameras saw: estimated once and kept.

One camera sees angles; two that know their distance see metres. In every frame the length that the
second view asks for is read off the fit (all poses eliminated); the session's length is the median.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hands.model.bones import spread_sample
from hands.model.evidence import Evidence
from hands.model.fit import Terms, fit_frames, robustified, terms_of
from hands.model.poses import HandPoses
from hands.model.proportions import HandShape, scaled_shape

Floats = NDArray[np.float64]

ROUNDS = 3
STEP = 1e-3  # of log length, of finite differences
LEAST_FRAMES = 20
FRAMES_TOGETHER = 15  # frames in a row err alike: so many count as one
SHARED_SIGMA = 0.035  # of log length: what a detector's idea of a hand and a rig are off together


def length_from_views(
    evidence: list[Evidence], shape: HandShape, *, guess_sigma_m: tuple[float, float], frames: int
) -> tuple[HandShape, Floats]:
    """The shape at the length that the views ask for, its prior in mind, and what the single frames
    asked for ``(N,)``, metres. The same shape for too few frames. evidence: of frames seen twice.
    """
    if sum(int(one.seen.sum()) for one in evidence) < LEAST_FRAMES:
        return shape, np.zeros(0)
    sample = spread_sample(evidence, frames)
    prior_m = shape.length_m
    prior_sigma = shape.length_sigma_m / shape.length_m
    poses: HandPoses | None = None
    for _ in range(ROUNDS):
        terms = terms_of(sample, shape, guess_sigma_m=guess_sigma_m)
        poses = poses or fit_frames(terms)[0]
        for _ in range(2):
            robust = robustified(terms, poses, sample.sigma_rad)
            poses, _ = fit_frames(robust, poses, iterations=3)
        step, weight = _steps(sample, robust, poses, guess_sigma_m=guess_sigma_m)
        asked = np.log(shape.length_m / prior_m) + step
        middle = _weighted_median(asked, weight)
        spread = 1.48 * _weighted_median(np.abs(asked - middle), weight)
        sigma = np.hypot(SHARED_SIGMA, spread / np.sqrt(max(len(asked) / FRAMES_TOGETHER, 1.0)))
        posterior = 1.0 / (1.0 / sigma**2 + 1.0 / prior_sigma**2)
        wanted = prior_m * np.exp(middle * posterior / sigma**2)
        shape = scaled_shape(shape, wanted)
    return replace(shape, length_sigma_m=float(wanted * np.sqrt(posterior))), prior_m * np.exp(
        asked
    )


def seen_twice(evidence: Evidence) -> Evidence:
    """The evidence of frames in which another camera saw the hand too."""
    return replace(evidence, seen=evidence.read & evidence.twice)


def _steps(
    sample: Evidence, terms: Terms, poses: HandPoses, *, guess_sigma_m: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Changes ``(N,)`` of log length that single frames ask for, and their information ``(N,)``."""
    at, jacobian = terms.residuals(poses), terms.jacobian(poses)
    larger = scaled_shape(terms.shape, terms.shape.length_m * np.exp(STEP))
    fresh = terms_of(sample, larger, guess_sigma_m=guess_sigma_m)
    moved = replace(terms, shape=larger, guess=fresh.guess, distance=fresh.distance).residuals(
        poses
    )
    by_size = (moved - at) / STEP
    turned = np.swapaxes(jacobian, 1, 2)
    both = np.stack([by_size, at], axis=-1)
    rest = both - jacobian @ np.linalg.solve(turned @ jacobian, turned @ both)
    information = np.einsum("nr,nr->n", by_size, rest[..., 0])
    gradient = np.einsum("nr,nr->n", by_size, rest[..., 1])
    return -gradient / np.maximum(information, 1e-9), information


def _weighted_median(values: Floats, weight: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
