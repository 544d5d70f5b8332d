"""Hands of a run of pictures, each followed back to before it was found.

A hand that comes into view or comes back is found some frames late. Once it has been followed for
a moment it is followed the other way too, through the last pictures, with the landmark network
alone: 5 ms of CPU for every hand gained, and the memory of those pictures.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hands.config import HandsDetectConfig
from hands.detector import Followed, HandDetector
from hands.views import FoundHand, distinct, whole_hands

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture that is remembered, and its hands so far."""

    image_rgb: Image
    hands: list[FoundHand]


def hands_with_hindsight(
    pictures: Iterable[Image], detector: HandDetector, config: HandsDetectConfig
) -> Iterator[list[FoundHand]]:
    """The hands of every picture ``(H,W,3)``, in order."""
    memory: deque[Seen] = deque()
    for image in pictures:
        memory.append(Seen(image, detector.detect(image)))
        for one in detector.followed:
            if one.age == config.confirm_frames:
                before = list(memory)[: -1 - one.age]
                _follow_back(before, one.first, detector)
        if len(memory) * image.nbytes > config.memory_mib << 20:
            yield memory.popleft().hands
    yield from (seen.hands for seen in memory)


def _follow_back(before: list[Seen], found: FoundHand, detector: HandDetector) -> None:
    """Into the pictures before, until it is not there or somebody has it already."""
    one = Followed.new(found)
    for seen in reversed(before):
        hand = detector.read(seen.image_rgb, one.expected)
        if hand is None:
            one = one.missed()
            if one.unseen > detector.patience_frames:
                return
        elif not distinct([hand], seen.hands) or hand not in whole_hands([hand, *seen.hands]):
            return
        else:
            seen.hands.append(hand)
            one = one.seen(hand)
