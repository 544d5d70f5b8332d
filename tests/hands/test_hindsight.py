"""A hand found late is followed back, as far as it is there and nobody has it."""

import numpy as np

from hands.config import HandsDetectConfig
from hands.detection.detector import Followed
from hands.detection.hindsight import hands_with_hindsight
from hands.detection.views import FoundHand

OPEN_HAND = np.random.default_rng(1).uniform(0, 60, (21, 2))
CONFIG = HandsDetectConfig(confirm_frames=2)


class Hand:
    """A hand in the pictures ``come`` … ``go``, of which a look finds it from ``found`` on.

    From ``drifts`` on what is followed of it goes astray, 60 pixels a picture.
    """

    def __init__(self, found, *, come=0, go=99, at=200.0, hidden=(), drifts=99):
        self.found, self.come, self.go, self.at, self.hidden = found, come, go, at, hidden
        self.drifts = drifts

    def in_picture(self, number):
        if not self.come <= number <= self.go or number in self.hidden:
            return None
        shift = [self.at + 3.0 * number, 100.0 + 60.0 * max(0, number - self.drifts)]
        return FoundHand("left", 0.9, OPEN_HAND + shift, np.zeros((21, 3)))


class Detector:
    """Finds what it is told to, follows it, and reads a hand where there is one."""

    patience_frames = 2

    def __init__(self, *hands):
        self.hands, self.followed, self.reads = hands, [], 0

    def detect(self, image):
        number = int(image[0, 0, 0])
        there = [h.in_picture(number) if h.found <= number else None for h in self.hands]
        before = {one.number: one for one in self.followed}
        self.followed = []
        for k, found in enumerate(there):
            if found is not None:
                old = before.get(k)
                self.followed.append(old.seen(found) if old else Followed.new(k, found))
            elif k in before and before[k].unseen < self.patience_frames:
                self.followed.append(before[k].missed())

    def read(self, image, crop, look):
        self.reads += 1
        there = [h.in_picture(int(image[0, 0, 0])) for h in self.hands]
        middle = [(h, np.linalg.norm(h.raw21_px.mean(axis=0) - crop.centre_px)) for h in there if h]
        return next((hand for hand, apart in middle if apart < 40), None)


def numbered(number, *, high=4, wide=4):
    """A picture bright enough to be left as it is."""
    return np.full((high, wide, 3), (number, 255, 255), dtype=np.uint8)


def hands_of(*hands, count=20, config=CONFIG):
    pictures = (numbered(n) for n in range(count))
    detector = Detector(*hands)
    return list(hands_with_hindsight(pictures, detector, config)), detector


def test_a_hand_found_late_is_there_from_its_coming():
    found, _ = hands_of(Hand(found=12, come=4))
    assert [len(hands) for hands in found] == [0] * 4 + [1] * 16
    px = [hands[0].raw21_px[0, 0] for hands in found[4:]]
    np.testing.assert_allclose(np.diff(px), 3.0)


def test_a_short_hiding_is_looked_through_and_stays_empty():
    found, _ = hands_of(Hand(found=12, hidden=(7, 8)))
    assert [len(hands) for hands in found] == [1] * 7 + [0] * 2 + [1] * 11
    found, _ = hands_of(Hand(found=12, hidden=(6, 7, 8)))
    assert [len(hands) for hands in found] == [0] * 9 + [1] * 11


def test_a_hand_somebody_has_is_not_had_twice():
    found, detector = hands_of(Hand(found=0, at=200.0), Hand(found=12, at=205.0))
    assert [len(hands) for hands in found[:12]] == [1] * 12
    assert detector.reads == 1


def test_what_drifted_off_a_hand_that_is_found_again_goes():
    astray = Hand(found=0, drifts=8, go=11)
    found, _ = hands_of(astray, Hand(found=12, come=8))
    assert [len(hands) for hands in found] == [1] * 20
    assert {hands[0].raw21_px[0, 1] for hands in found[:12]} == {OPEN_HAND[0, 1] + 100.0}
    found, _ = hands_of(Hand(found=0, drifts=8), Hand(found=12, come=8))  # not lost: it stays
    assert [len(hands) for hands in found[10:]] == [2] * 10


def test_a_hand_lost_at_once_is_not_followed_back():
    for go in (12, 13):
        found, detector = hands_of(Hand(found=12, go=go))
        assert detector.reads == 0
        assert sum(map(len, found)) == go - 11
    found, _ = hands_of(Hand(found=12, come=4, hidden=(14,)))  # hidden when it would be confirmed
    assert [len(hands) for hands in found] == [0] * 4 + [1] * 10 + [0] + [1] * 5


def test_pictures_are_forgotten_in_time():
    big = (numbered(n, high=512, wide=2048) for n in range(20))  # 3 MiB
    config = HandsDetectConfig(confirm_frames=2, memory_mib=15)
    found = list(hands_with_hindsight(big, Detector(Hand(found=12)), config))
    assert [len(hands) for hands in found] == [0] * 9 + [1] * 11
