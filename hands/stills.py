"""Hands in single pictures, as evaluation sets hold them: looked at twice, and in the mirror too.

A video gives the detector its crop from the frame before; a still gets the same by being shown
twice. The mirrored picture costs as much again and averages out part of the detector's error.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hands.config import HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.looks import lit
from hands.detection.views import FoundHand, same_hand
from hands.model.evidence import MIRROR

LOOKS = 2


class StillDetector:
    """Finds the hands of unrelated pictures."""

    def __init__(self, model: Path, config: HandsDetectConfig) -> None:
        self._detector = HandDetector(model, config)

    def detect(self, image_rgb: NDArray[np.uint8]) -> list[FoundHand]:
        """The hands of one picture ``(H,W,3)``, positions averaged with its mirror image's."""
        image_rgb = lit(image_rgb)
        plain = self._look(image_rgb)
        mirrored = [unmirrored(h, image_rgb.shape[1]) for h in self._look(image_rgb[:, ::-1])]
        return [averaged(hand, mirrored) for hand in plain] or mirrored

    def _look(self, image_rgb: NDArray[np.uint8]) -> list[FoundHand]:
        self._detector.forget()
        return [self._detector.detect(image_rgb) for _ in range(LOOKS)][-1]


def unmirrored(hand: FoundHand, width: int) -> FoundHand:
    """A hand found in the mirrored picture, as it is in the picture itself."""
    return FoundHand(
        side={"left": "right", "right": "left"}[hand.side],
        score=hand.score,
        raw21_px=hand.raw21_px * [-1, 1] + [width - 1, 0],
        raw21_in_hand=hand.raw21_in_hand * MIRROR,
    )


def averaged(hand: FoundHand, others: list[FoundHand]) -> FoundHand:
    """The mean with the nearest of the others, if that is the same hand; the surer label."""
    others = [other for other in others if same_hand(hand, other)]
    if not others:
        return hand
    apart = [np.linalg.norm(hand.raw21_px - other.raw21_px) for other in others]
    other = others[int(np.argmin(apart))]
    surer = hand if hand.score >= other.score else other
    return FoundHand(
        side=surer.side,
        score=surer.score,
        raw21_px=(hand.raw21_px + other.raw21_px) / 2,
        raw21_in_hand=(hand.raw21_in_hand + other.raw21_in_hand) / 2,
    )
