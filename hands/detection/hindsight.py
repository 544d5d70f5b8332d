"""Hands of a run of pictures, each followed back to before it was found.

A hand that comes into view or comes back is found some frames late. Once it has been followed for
a moment it is followed the other way too, through the last pictures, with the landmark network
alone: 5 ms of CPU for every hand gained, and the memory of those pictures. What was read in doubt
counts as soon as the hand is surely seen again.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hands.config import HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.followed import Followed
from hands.detection.looks import lit
from hands.detection.views import FoundHand, distinct, same_hand, whole_hands

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
    spare: Image | None = None  # fresh memory for every picture costs 1 ms of CPU
    for picture in map(lit, pictures):
        image = np.empty_like(picture) if spare is None else spare
        np.copyto(image, picture)
        detector.detect(image)
        there = {one.number: one.hand for one in detector.followed if not one.unseen}
        for one in detector.followed:
            _bridge(memory, one.number, one.bridged)
        memory.append(Seen(image, there))
        for one in detector.followed:
            if one.age >= config.confirm_frames and not one.unseen and one.number not in done:
                done.add(one.number)
                _follow_back(memory, one, detector)
        if len(memory) * image.nbytes > config.memory_mib << 20:
            oldest = memory.popleft()
            spare = oldest.image_rgb
            yield list(oldest.hands.values())
    yield from (list(seen.hands.values()) for seen in memory)


def _follow_back(memory: Sequence[Seen], found: Followed, detector: HandDetector) -> None:
    """Into the pictures before it was found, until it is not there or somebody has it already."""
    one: Followed | None = Followed.new(found.number, found.first)
    walked: list[Seen] = []
    for seen in list(memory)[-2 - found.age :: -1]:
        one = detector.onward(one, seen.image_rgb)
        if one is None:
            return
        if not one.blind:
            hand = one.hand
            holder = next((n for n, other in seen.hands.items() if same_hand(hand, other)), None)
            if holder is not None:
                _bridge(walked, one.number, one.bridged or one.glimpses[:-1])
                _end_drift(memory, of=holder, into=one.number, detector=detector)
                return
            if hand not in whole_hands([hand, *seen.hands.values()]):
                return
        if not one.unseen:
            _bridge(walked, one.number, one.bridged)
            seen.hands[one.number] = one.hand
        walked.append(seen)


def _bridge(walked: Sequence[Seen], number: int, glimpses: Sequence[FoundHand | None]) -> None:
    """What was read in doubt in the last pictures counts, where nobody else has that hand."""
    for seen, hand in zip(reversed(walked), reversed(glimpses), strict=False):
        others = list(seen.hands.values())
        if hand and distinct([hand], others) and hand in whole_hands([hand, *others]):
            seen.hands[number] = hand


def _end_drift(memory: Sequence[Seen], *, of: int, into: int, detector: HandDetector) -> None:
    """One hand became two and one of them is lost since: that one had drifted off and goes."""
    if any(one.number == of for one in detector.followed):
        return
    for seen in memory:
        if into in seen.hands:
            seen.hands.pop(of, None)
