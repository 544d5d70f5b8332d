"""A hand found late is followed back, as far as it is there and nobody has it."""

import numpy as np

from hands.config import HandsDetectConfig
from hands.detection.followed import Followed
from hands.detection.hindsight import hands_with_hindsight
from hands.detection.views import FoundHand

OPEN_HAND = np.random.default_rng(1).uniform(0, 60, (21, 2))
CONFIG = HandsDetectConfig(confirm_frames=2)


class Hand:
    """A hand in the pictures ``come`` … ``go``, of which a look finds it from ``found`` on.

    From ``drifts`` on what is followed of it goes astray, 60 pixels a picture. In the pictures
    ``faint`` it is seen in doubt.
    """

    def __init__(self, found, *, come=0, go=99, at=200.0, hidden=(), drifts=99, faint=()):
        self.found, self.come, self.go, self.at, self.hidden = found, come, go, at, hidden
        self.drifts, self.faint = drifts, faint

    def in_picture(self, number):
        if not self.come <= number <= self.go or number in self.hidden:
            return None
        shift = [self.at + 3.0 * number, 100.0 + 60.0 * max(0, number - self.drifts)]
        presence = 0.3 if number in self.faint else 0.9
        return FoundHand("left", 0.9, OPEN_HAND + shift, np.zeros((21, 3)), presence)


class Detector:
    """Finds what it is told to, follows it, and reads a hand where there is one."""

    def __init__(self, *hands):
        self.hands, self.followed, self.reads = hands, [], 0

    def detect(self, image):
        number = int(image[0, 0, 0])
        there = [h.in_picture(number) if h.found <= number else None for h in self.hands]
        before = {one.number: one for one in self.followed}
        new = [
            Followed.new(k, hand)
            for k, hand in enumerate(there)
            if k not in before and hand is not None and hand.presence > 0.5
        ]
        old = [self.next_sight(one, there[k]) for k, one in before.items()]
        self.followed = new + [one for one in old if one is not None]

    def onward(self, one, image):
        self.reads += 1
        there = [h.in_picture(int(image[0, 0, 0])) for h in self.hands]
        middle = one.expected.centre_px
        near = [h for h in there if h and np.linalg.norm(h.raw21_px.mean(axis=0) - middle) < 40]
        return self.next_sight(one, near[0] if near else None)

    def next_sight(self, one, hand):
        if hand is None:
            return one.missed() if one.blind < 2 else None
        return one.seen(hand) if hand.presence > 0.5 else one.glimpsed(hand)


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


def test_what_is_seen_in_doubt_counts_between_sure_sights():
    found, _ = hands_of(Hand(found=0, faint=range(5, 12)))
    assert [len(hands) for hands in found] == [1] * 20
    np.testing.assert_allclose(np.diff([hands[0].raw21_px[0, 0] for hands in found]), 3.0)
    found, _ = hands_of(Hand(found=0, faint=range(5, 12), hidden=(8, 9)))  # what was read of it
    assert [len(hands) for hands in found] == [1] * 8 + [0] * 2 + [1] * 10
    found, _ = hands_of(Hand(found=14, come=5, faint=range(7, 11)))  # on the way back, too
    assert [len(hands) for hands in found] == [0] * 5 + [1] * 15


def test_what_ends_in_doubt_does_not_count():
    found, _ = hands_of(Hand(found=0, faint=range(8, 20)))
    assert [len(hands) for hands in found] == [1] * 8 + [0] * 12
    found, _ = hands_of(Hand(found=12, faint=range(9)))
    assert [len(hands) for hands in found] == [0] * 9 + [1] * 11
    found, _ = hands_of(Hand(found=0, faint=range(5, 12), hidden=(8, 9, 10)))  # two hands, maybe
    assert [len(hands) for hands in found] == [1] * 5 + [0] * 6 + [0] + [1] * 8


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
