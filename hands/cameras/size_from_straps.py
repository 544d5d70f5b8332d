"""The operator's hand length from the cameras that the hands carry, before any of their pictures.

One camera sees angles: a hand that is larger by s is farther by s. The strap keeps the wrist in its
place, so as the arm moves only hands of the right size stay there. One length for both hands.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hands.cameras.strapped import (
    DOF,
    HEAD_DISTANCE,
    LEAST_SIGMA_M,
    MEDIAN_SQUARE,
    ROUNDS,
    Sightings,
    ways_seen,
)
from hands.model.proportions import HandShape, scaled_shape

Floats = NDArray[np.float64]

SHARED_SIGMA = 0.035  # of log length: the head reads too near or far all the time, maps are small


def length_from_straps(hands: list[Sightings], shape: HandShape) -> HandShape:
    """The shape at the length that keeps the wrists in their places best, its prior in mind.
    hands: of this shape, at least one.
    """
    count = 3 * len(hands) + 1  # places, then the change of log length
    middle = np.concatenate([*(np.median(hand.wrist, axis=0) for hand in hands), [0.0]])
    sigma = np.full(len(hands), 2 * LEAST_SIGMA_M)
    for _ in range(ROUNDS):
        system, pull = np.zeros((count, count)), np.zeros(count)
        system[-1, -1] = (shape.length_m / shape.length_sigma_m) ** 2
        for k, hand in enumerate(hands):
            slopes = np.zeros((len(hand.wrist), 3, count))
            slopes[:, :, 3 * k : 3 * k + 3], slopes[:, :, -1] = np.eye(3), -hand.along
            information = np.linalg.inv(hand.doubted(HEAD_DISTANCE) + sigma[k] ** 2 * np.eye(3))
            miss = hand.wrist - slopes @ middle
            square = np.einsum("ni,nij,nj->n", miss, information, miss)
            trust = (DOF + 3) / (DOF + square) * ways_seen(hand.along) / len(square)
            turned = np.swapaxes(slopes, 1, 2) @ (trust[:, None, None] * information)
            system += (turned @ slopes).sum(axis=0)
            pull += (turned @ hand.wrist[..., None]).sum(axis=0)[:, 0]
            sigma[k] = max(sigma[k] * np.sqrt(np.median(square) / MEDIAN_SQUARE), LEAST_SIGMA_M)
        middle = np.linalg.solve(system, pull)
    larger = scaled_shape(shape, shape.length_m * float(np.exp(middle[-1])))
    off = np.hypot(SHARED_SIGMA, np.sqrt(np.linalg.inv(system)[-1, -1]))
    off = min(float(off), shape.length_sigma_m / shape.length_m)
    return replace(larger, length_sigma_m=off * larger.length_m, scale_source="wrist_camera")
