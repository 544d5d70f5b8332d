"""Hands as Aria's trackers give them: 21 points per hand in the device frame, with a confidence."""

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import mediapipe21_from_aria21
from core.geometry.se3 import SE3
from hands.config import HandsConfig
from hands.sources.protocol import LocatedHands

Floats = NDArray[np.float64]


def located(
    device_ns: NDArray[np.int64],
    points_in_device: Floats,
    confidence: Floats,
    *,
    head_from_device: SE3,
    config: HandsConfig,
    sigma_m: float,
) -> LocatedHands:
    """Rows of a tracker as hands in the head frame.

    device_ns: ``(N,)`` device time.   points_in_device: ``(N,2,21,3)``, left and right, Aria's
    order.   confidence: ``(N,2)``, negative or NaN where the hand was not tracked.
    """
    tracked = confidence >= 0
    reason = np.where(tracked, None, "not seen").astype(object)
    reason[tracked & (confidence < config.source_min_confidence)] = "low confidence"
    there = np.equal(reason, None)[..., None, None]
    raw = np.where(there, head_from_device.apply(points_in_device), np.nan)
    order = np.argsort(device_ns, kind="stable")
    return LocatedHands(
        timestamps_ns=device_ns[order] + config.source_offset_ns,
        joints=mediapipe21_from_aria21(raw[order]),
        raw=raw[order],
        reason=reason[order],
        sigma_m=sigma_m,
    )
