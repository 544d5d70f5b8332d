"""Parts of the image in which hands are looked for and followed.

MediaPipe's palm detector sees its picture at 192 x 192 pixels: in a wide frame a hand at arm's
length is a few of them and is not found. In a square part of the frame it is. A hand once found in
a part is followed there, at full resolution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

TILE = 0.75  # side of a square part, of the image's shorter side
STRIDE = 0.5  # between parts, of their side
SAME_HAND = 0.65  # two findings are one hand if their landmarks lie so near each other, in palms
FRAGMENT_SIZE, FRAGMENT_PLACE = (
    1.6,
    0.7,
)  # a piece of a hand: so many times smaller, so near, in palms
BORDER = 0.03  # a hand this near to an inner edge of a part, in sides, may be cut by it
STEP = 0.06  # sides that a part moves per frame at most: MediaPipe looks where the hand just was


@dataclass(frozen=True, eq=False)
class FoundHand:
    """One hand in one image, as the detector gave it.

    side: its label.   score: of the label.   raw21_px: ``(21,2)``, pixel centres.   raw21_in_hand:
    ``(21,3)`` metres, the camera's axes, origin at the hand's middle.
    """

    side: str
    score: float
    raw21_px: Floats
    raw21_in_hand: Floats

    @property
    def box_xyxy_px(self) -> Floats:
        return np.concatenate([self.raw21_px.min(axis=0), self.raw21_px.max(axis=0)])

    def moved(self, shift_px: Floats) -> "FoundHand":
        """The same hand, its pixels shifted."""
        return FoundHand(self.side, self.score, self.raw21_px + shift_px, self.raw21_in_hand)


@dataclass(frozen=True)
class Part:
    """A rectangle of the image, in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, image: Image) -> Image:
        return np.ascontiguousarray(
            image[self.y : self.y + self.height, self.x : self.x + self.width]
        )

    @property
    def corner(self) -> Floats:
        return np.array([self.x, self.y], dtype=np.float64)

    def holds(self, hand: FoundHand, image_wh: tuple[int, int]) -> bool:
        """Whether the hand keeps clear of the part's inner edges (not of the image's own)."""
        box = hand.box_xyxy_px
        margin = BORDER * min(self.width, self.height)
        right, bottom = self.x + self.width, self.y + self.height
        return bool(
            (self.x == 0 or box[0] > self.x + margin)
            and (self.y == 0 or box[1] > self.y + margin)
            and (right == image_wh[0] or box[2] < right - margin)
            and (bottom == image_wh[1] or box[3] < bottom - margin)
        )

    def moved_to(self, hands: Sequence[FoundHand], image_wh: tuple[int, int]) -> "Part":
        """This part a step further towards the middle of its hands, inside the image."""
        if not hands:
            return self
        middle = np.mean([hand.raw21_px.mean(axis=0) for hand in hands], axis=0)
        size = np.array([self.width, self.height])
        step = np.clip(middle - self.corner - size / 2, -STEP * size, STEP * size)
        x, y = np.clip(self.corner + step.round(), 0, np.array(image_wh) - size).astype(int)
        return Part(int(x), int(y), self.width, self.height)


def whole(image_wh: tuple[int, int]) -> Part:
    """All of the image."""
    return Part(0, 0, *image_wh)


def tiles(image_wh: tuple[int, int]) -> list[Part]:
    """Overlapping squares that cover the image, lower ones first: the wearer's hands are there."""
    side = int(TILE * min(image_wh))
    xs, ys = (_starts(length, side) for length in image_wh)
    return [Part(x, y, side, side) for y in reversed(ys) for x in _middle_first(xs)]


def _starts(length: int, side: int) -> list[int]:
    count = int(np.ceil((length - side) / (STRIDE * side))) + 1
    return [round(float(x)) for x in np.linspace(0, length - side, count)]


def _middle_first(values: Sequence[int]) -> list[int]:
    middle = (values[0] + values[-1]) / 2
    return sorted(values, key=lambda value: abs(value - middle))


def best_part(parts: Sequence[Part], hand: FoundHand) -> int:
    """Index of the part whose middle is nearest to the hand's."""
    centre = hand.raw21_px.mean(axis=0)
    middles = np.array([p.corner + np.array([p.width, p.height]) / 2 for p in parts])
    return int(np.argmin(np.linalg.norm(middles - centre, axis=1)))


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
    long = np.linalg.norm(raw21_px[9] - raw21_px[0])
    return float(max(long, 1.4 * np.linalg.norm(raw21_px[5] - raw21_px[17])))


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
        if not any(is_fragment(hand.raw21_px, other.raw21_px) for other in hands)
    ]
