"""A hand found in one image, and when two findings are one hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hands.detection.looks import Look, as_it_is

Floats = NDArray[np.float64]

SAME_HAND = 0.65  # two findings are one hand if their landmarks lie so near each other, in palms
FRAGMENT_SIZE, FRAGMENT_PLACE = (
    1.6,
    0.7,
)  # a piece of a hand: so many times smaller, so near, in palms


@dataclass(frozen=True, eq=False)
class FoundHand:
    """One hand in one image, as the detector gave it.

    side: its label.   score: of the label.   raw21_px: ``(21,2)``, pixel centres.   raw21_in_hand:
    ``(21,3)`` metres, the camera's axes, origin at the hand's middle.   presence: that a hand is
    there at all, 0 … 1.   look: how the picture was shown.
    """

    side: str
    score: float
    raw21_px: Floats
    raw21_in_hand: Floats
    presence: float = 1.0
    look: Look = as_it_is


def distinct(hands: Sequence[FoundHand], known: Sequence[FoundHand]) -> list[FoundHand]:
    """Those of ``hands`` that are none of ``known``, and each of them once: the surest label."""
    new: list[FoundHand] = []
    for hand in sorted(hands, key=lambda hand: -hand.score):
        if not any(same_hand(hand, other) for other in [*known, *new]):
            new.append(hand)
    return new


def same_hand(a: FoundHand, b: FoundHand) -> bool:
    """Whether two findings in one image are the same hand."""
    return is_same(a.raw21_px, b.raw21_px)


def is_same(a_px: Floats, b_px: Floats) -> bool:
    """`same_hand` of two findings' pixels ``(21,2)``."""
    apart = float(np.linalg.norm(a_px - b_px, axis=1).mean())
    return apart < SAME_HAND * min(palm_size_px(a_px), palm_size_px(b_px))


def palm_size_px(raw21_px: Floats) -> float:
    """A size that foreshortening spares: the larger of the palm's two extents ``(21,2)``."""
    wrist, index, middle, little = raw21_px[[0, 5, 9, 17]].tolist()
    return max(math.dist(middle, wrist), 1.4 * math.dist(index, little))


def is_fragment(piece_px: Floats, hand_px: Floats) -> bool:
    """Whether one finding ``(21,2)`` is a piece of the other, taken for a hand of its own.

    A pinch or a fist makes the detector see a small hand inside the large one.
    """
    size = palm_size_px(hand_px)
    apart = float(np.linalg.norm(piece_px.mean(axis=0) - hand_px.mean(axis=0)))
    return size > FRAGMENT_SIZE * palm_size_px(piece_px) and apart < FRAGMENT_PLACE * size


def whole_hands(hands: Sequence[FoundHand]) -> list[FoundHand]:
    """Those that are no pieces of another."""
    return [
        hand
        for hand in hands
        if not any(
            is_fragment(hand.raw21_px, other.raw21_px) for other in hands if other is not hand
        )
    ]
