"""Hands of a run of pictures, each followed back to before it was found.

A hand that comes into view or comes back is found some frames late. Once it has been followed for
a moment it is followed the other way too, through the last pictures, with the landmark network
alone: 5 ms of CPU for every hand gained, and the memory of those pictures.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hands.config import HandsDetectConfig
from hands.detection.detector import Followed, HandDetector
from hands.detection.looks import lit
from hands.detection.views import FoundHand, same_hand, whole_hands

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture that is remembered. hands: so far, by the number of what was followed."""

    image_rgb: Image
    hands: dict[int, FoundHand]


def hands_with_hindsight(
    pictures: Iterable[Image], detector: HandDetector, config: HandsDetectConfig
) -> Iterator[list[FoundHand]]:
    """The hands of every picture ``(H,W,3)``, in order."""
    memory: deque[Seen] = deque()
    done: set[int] = set()
    for image in map(lit, pictures):
        detector.detect(image)
        there = {one.number: one.hand for one in detector.followed if not one.unseen}
        memory.append(Seen(image, there))
        for one in detector.followed:
            if one.age >= config.confirm_frames and not one.unseen and one.number not in done:
                done.add(one.number)
                _follow_back(memory, one, detector)
        if len(memory) * image.nbytes > config.memory_mib << 20:
            yield list(memory.popleft().hands.values())
    yield from (list(seen.hands.values()) for seen in memory)


def _follow_back(memory: Sequence[Seen], found: Followed, detector: HandDetector) -> None:
    """Into the pictures before it was found, until it is not there or somebody has it already."""
    one = Followed.new(found.number, found.first)
    for seen in list(memory)[-2 - found.age :: -1]:
        hand = detector.read(seen.image_rgb, one.expected, one.hand.look)
        if hand is None:
            one = one.missed()
            if one.unseen > detector.patience_frames:
                return
            continue
        holder = next((n for n, other in seen.hands.items() if same_hand(hand, other)), None)
        if holder is not None:
            _end_drift(memory, of=holder, into=found.number, detector=detector)
            return
        if hand not in whole_hands([hand, *seen.hands.values()]):
            return
        seen.hands[found.number] = hand
        one = one.seen(hand)


def _end_drift(memory: Sequence[Seen], *, of: int, into: int, detector: HandDetector) -> None:
    """One hand became two and one of them is lost since: that one had drifted off and goes."""
    if any(one.number == of for one in detector.followed):
        return
    for seen in memory:
        if into in seen.hands:
            seen.hands.pop(of, None)
