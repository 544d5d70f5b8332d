"""A hand that is followed from picture to picture, also where it is only glimpsed for a while.

Blur leaves the landmark network in doubt whether a hand is there, seldom about where. So what it
reads of a known hand in doubt is kept, and counts once that hand is surely seen again.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hands.detection.crops import Crop, crop_of_hand
from hands.detection.views import FoundHand

SLOWING = 0.5  # of a lost hand, per frame


@dataclass(frozen=True, eq=False)
class Followed:
    """hand: its last sight.   first: as it was found.   step_px: ``(2,)`` its last motion.   age:
    frames since it was found.   glimpses: of each frame since it was surely seen, what was read in
    doubt, None where nothing.   bridged: the same of the frames just before a sure sight.
    """

    number: int
    hand: FoundHand
    first: FoundHand
    step_px: NDArray[np.float64]
    age: int = 0
    glimpses: tuple[FoundHand | None, ...] = ()
    bridged: tuple[FoundHand | None, ...] = ()

    @staticmethod
    def new(number: int, hand: FoundHand) -> "Followed":
        return Followed(number, hand, hand, np.zeros(2))

    @property
    def unseen(self) -> int:
        """Frames since it was surely seen."""
        return len(self.glimpses)

    @property
    def blind(self) -> int:
        """Frames since anything was seen of it."""
        return next((n for n, one in enumerate(self.glimpses[::-1]) if one), self.unseen)

    @property
    def expected(self) -> Crop:
        """Where it is to be read next, if it goes on moving."""
        return crop_of_hand(self.hand.raw21_px + self.step_px)

    def seen(self, hand: FoundHand) -> "Followed":
        """A frame later, found."""
        return replace(self._moved(hand), glimpses=(), bridged=self.glimpses)

    def glimpsed(self, hand: FoundHand) -> "Followed":
        """A frame later, read in doubt."""
        return replace(self._moved(hand), glimpses=(*self.glimpses, hand), bridged=())

    def missed(self) -> "Followed":
        """A frame later, not found: it is expected a little further on."""
        return replace(
            self,
            step_px=self.step_px * SLOWING,
            age=self.age + 1,
            glimpses=(*self.glimpses, None),
            bridged=(),
        )

    def _moved(self, hand: FoundHand) -> "Followed":
        step = hand.raw21_px.mean(axis=0) - self.hand.raw21_px.mean(axis=0)
        return replace(self, hand=hand, step_px=step / (1 + self.blind), age=self.age + 1)
