"""Finds the hands of an image stream and follows them: MediaPipe's two networks, run by us.

A followed hand costs one run of the landmark network, 5 ms of CPU; a look for palms costs as much
and happens while one of two hands is missing, and now and then for a third. Labels: on
pictures that are not mirrored "left" is the person's left hand.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hands.config import HandsDetectConfig
from hands.detection.crops import Crop, crop_of_hand
from hands.detection.followed import Followed
from hands.detection.looks import Look, as_it_is, may_be_skin, other, skin_coloured
from hands.detection.networks import HAND_PX, HandNetworks
from hands.detection.own_hand import SURE, is_own, places
from hands.detection.palms import everywhere_views, find_palms
from hands.detection.views import FoundHand, distinct, same_hand, whole_hands

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

WEARERS_HANDS = 2
KNOWN_NEAR, KNOWN_TURN = 0.25, 0.8  # a palm's crop so near a known hand's, in sides and radians
OTHER_EVERY = 8  # frames between looks for the other hand, from a camera that one hand carries
LOST_VIEW = 1.6  # side of the look around a lost hand, in sides of its crop
GLIMPSE = 0.1  # presence of a followed hand, at least, that shows where it may be
BLURRED = 15  # frames through which a hand is followed that is only glimpsed
LONG_MISSING = 30  # frames without one of two hands, after which another look is tried
PLAINLY = 0.8  # presence of a hand above which the picture needs no other look
FAINT = 0.6  # of the palm network's usual score, that counts in another look
HELD = 0.5  # presence below which a hand that is followed in another look counts as lost
BARE = 30  # more sightings of bare hands than of gloves, or fewer: that is what the wearer has
MIRRORED_EVERY = 4  # frames between looks for a gloved hand where the other one is in the mirror
OTHERWISE = 0.75  # presence of a hand, at least, that is seen only in another look


class HandDetector:
    """Follows the hands of one image stream. Not for use by two threads at once.

    worn: the camera is carried by a hand, which is looked for as `hands.detection.own_hand` says.
    """

    def __init__(self, model: Path, config: HandsDetectConfig, *, worn: bool = False) -> None:
        self._config, self._worn = config, worn
        self._networks = HandNetworks(model)
        self.forget()

    def forget(self) -> None:
        """The next image has nothing to do with the ones before."""
        self.followed: list[Followed] = []
        self._count, self._tries, self._numbers = 0, 0, 0
        self._missing, self._bare = LONG_MISSING, 0
        self._turns = {as_it_is: 0, skin_coloured: 0}
        self._own_place: Crop | None = None

    def detect(self, image_rgb: Image) -> list[FoundHand]:
        """The hands of the next image ``(H,W,3)``."""
        hands = self._follow(image_rgb)
        new = self._search(image_rgb, hands)
        for hand in new:
            self._take_up(hand)
        self._count += 1
        for hand in (*hands, *new):
            self._bare += self._bareness(hand, image_rgb)
        return [*hands, *new]

    def onward(self, one: Followed, image_rgb: Image) -> Followed | None:
        """A followed hand in the next image, in the other look if need be; None: it is given up."""
        look = one.hand.look
        hand = self.read(image_rgb, one.expected, look, least=GLIMPSE)
        if hand is not None and hand.presence >= self._sure(look):
            return one.seen(hand)
        again = self.read(image_rgb, one.expected, other(look), least=OTHERWISE)
        if again is not None:
            return one.seen(again)
        if hand is None:
            return one.missed() if one.blind < self._config.patience_frames else None
        return one.glimpsed(hand) if one.unseen < BLURRED else None

    def read(
        self, image_rgb: Image, crop: Crop, look: Look = as_it_is, *, least: float | None = None
    ) -> FoundHand | None:
        """The hand in a crop, if one is there. least: its presence, when not as configured."""
        import cv2

        cut = crop.cut(image_rgb, size=HAND_PX, border=cv2.BORDER_REPLICATE)
        answer = self._networks.hand(look(cut))
        if answer.presence < (self._sure(look) if least is None else least):
            return None
        world = answer.world.copy()
        world[:, :2] = world[:, :2] @ crop.turn.T
        is_left = answer.right < 0.5
        return FoundHand(
            side="left" if is_left else "right",
            score=1.0 - answer.right if is_left else answer.right,
            raw21_px=crop.in_picture(answer.points / HAND_PX),
            raw21_in_hand=world,
            presence=answer.presence,
            look=look,
        )

    def _follow(self, image_rgb: Image) -> list[FoundHand]:
        """The followed hands in this image; those not seen for long are given up."""
        followed = [one for one in self.followed if self._counts(one.first.look)]
        onward = [now for one in followed if (now := self.onward(one, image_rgb)) is not None]
        kept = whole_hands(distinct([one.hand for one in onward if not one.unseen], []))
        self.followed = [
            one
            for one in onward
            if (one.unseen and not any(same_hand(one.hand, hand) for hand in kept))
            or one.hand in kept
        ]
        return kept

    def _take_up(self, hand: FoundHand) -> None:
        """Follow a hand just found: one that was glimpsed there, or a new one."""
        for n, one in enumerate(self.followed):
            if one.unseen and not one.blind and same_hand(one.hand, hand):
                self.followed[n] = one.seen(hand)
                return
        self._numbers += 1
        self.followed.append(Followed.new(self._numbers, hand))

    def _bareness(self, hand: FoundHand, image_rgb: Image) -> int:
        """What a hand tells of whether the wearer's are bare: 1, 0 or -1."""
        if hand.look is not as_it_is:
            return -1
        return int(hand.presence >= PLAINLY) * (1 if may_be_skin(image_rgb, hand.raw21_px) else -1)

    @property
    def _usual(self) -> Look:
        """How this wearer's hands are looked for."""
        return skin_coloured if self._bare < -BARE else as_it_is

    def _sure(self, look: Look) -> float:
        """Presence from which on a hand is there."""
        least = self._config.min_tracking_confidence
        return least if look is as_it_is else max(least, HELD)

    def _search(self, image_rgb: Image, known: list[FoundHand]) -> list[FoundHand]:
        """Hands that nobody follows: looked for while one is missing, else now and then."""
        found: list[FoundHand] = []
        everywhere = everywhere_views((image_rgb.shape[1], image_rgb.shape[0]))
        for view, look in self._views(everywhere, len(known)):
            found += self._found_in(image_rgb, view, look=look, known=[*known, *found])
        if self._starts and not found:
            for view in everywhere:
                found += self._found_in(image_rgb, view, look=skin_coloured, known=found)
        tried = self._own_hand if self._worn else self._mirrored
        found += distinct(tried(image_rgb, [*known, *found]), [*known, *found])
        whole = whole_hands([*known, *found])
        return [hand for hand in found if hand in whole]

    def _found_in(
        self, image_rgb: Image, view: Crop, *, look: Look, known: list[FoundHand]
    ) -> list[FoundHand]:
        """Hands of the palms in a view, without the known ones."""
        config, found = self._config, list[FoundHand]()
        least = config.min_detection_confidence * (1.0 if look is as_it_is else FAINT)
        for palm in find_palms(self._networks, image_rgb, view, least=least, look=look):
            taken = [crop_of_hand(hand.raw21_px) for hand in [*known, *found]]
            if len(taken) >= config.most_hands or any(_near(palm.crop, t) for t in taken):
                continue
            hand = self._refined(image_rgb, palm.crop, look)
            if hand is not None:
                found = distinct([hand], [*known, *found]) + found
        return found

    def _own_hand(self, image_rgb: Image, known: list[FoundHand]) -> list[FoundHand]:
        """The hand that carries the camera: where it last was, or the next place it may be."""
        image_wh = (image_rgb.shape[1], image_rgb.shape[0])
        for hand in known:
            if is_own(hand, image_wh):
                self._own_place = crop_of_hand(hand.raw21_px)
                return []
        if not self._config.search_every or self._count % self._config.search_every:
            return []
        turn, self._tries = self._tries, self._tries + 1
        crops = places(image_wh)
        crop = crops[turn % len(crops)]
        if self._own_place is not None and turn % 2:
            crop = self._own_place
        tried = self._refined(image_rgb, crop)
        sure = tried is not None and tried.presence >= SURE and is_own(tried, image_wh)
        return [tried] if tried is not None and sure else []

    def _mirrored(self, image_rgb: Image, known: list[FoundHand]) -> list[FoundHand]:
        """The other gloved hand, where the known one is in the mirror: the palm network does not
        know palms of gloves, the landmark network does once it is shown where.
        """
        if len(known) != 1 or self._usual is as_it_is or self._count % MIRRORED_EVERY:
            return []
        crop = crop_of_hand(known[0].raw21_px).mirrored(image_rgb.shape[1])
        hand = self._refined(image_rgb, crop, self._usual)
        return [hand] if hand is not None else []

    def _refined(self, image_rgb: Image, crop: Crop, look: Look = as_it_is) -> FoundHand | None:
        """Read twice: a palm's crop is coarser than the hand's own. As it is, if that will do."""
        hand = self.read(image_rgb, crop, look)
        if hand is None:
            return None
        own = crop_of_hand(hand.raw21_px)
        plain = self.read(image_rgb, own)
        if look is as_it_is or (plain is not None and plain.presence >= PLAINLY):
            return plain
        hand = self.read(image_rgb, own, look) if self._counts(look) else None
        return hand if hand is not None and hand.presence >= OTHERWISE else None

    def _counts(self, look: Look) -> bool:
        """Whether hands seen in a look only are believed: a wearer of bare hands has no gloves."""
        return look is as_it_is or self._bare <= BARE

    @property
    def _starts(self) -> bool:
        """Whether all of the picture is to be searched: it is the first one."""
        return self._count == 0 and self._config.search_every > 0

    def _views(self, everywhere: Sequence[Crop], seen: int) -> list[tuple[Crop, Look]]:
        """Where to look for palms in this image, and how: around a hand just lost, and what is in
        turn.
        """
        config, whole = self._config, everywhere[0]
        if self._starts:
            return [(view, as_it_is) for view in everywhere]
        views = [
            (Crop(one.hand.raw21_px.mean(axis=0), LOST_VIEW * one.expected.side_px), one.hand.look)
            for one in self.followed
            if one.unseen == 1
        ]
        if self._worn:
            return [*views, (whole, as_it_is)] if self._count % OTHER_EVERY == 0 else views
        if seen >= WEARERS_HANDS or not config.search_every:
            self._missing = 0
            return [*views, (whole, as_it_is)] if self._count % config.probe_every == 0 else views
        usual = self._usual
        if self._count % config.search_every == 0:
            views.append((self._next_view(everywhere, usual), usual))
        self._missing += 1
        every = config.search_every * (1 + seen)  # a hand that is read leaves less time for this
        if self._missing > LONG_MISSING and (self._count + 1) % every == 0:
            views.append((self._next_view(everywhere, other(usual)), other(usual)))
        return views

    def _next_view(self, everywhere: Sequence[Crop], look: Look) -> Crop:
        """All of the picture and its parts by turns, for each look by itself."""
        turn = self._turns[look]
        self._turns[look] += 1
        whole, *tiles = everywhere
        return whole if turn % 2 == 0 else tiles[(turn // 2) % len(tiles)]


def _near(crop: Crop, other: Crop) -> bool:
    """Whether two crops are of the same hand, as far as crops can tell."""
    apart = float(np.linalg.norm(crop.centre_px - other.centre_px))
    turned = abs((crop.angle - other.angle + np.pi) % (2 * np.pi) - np.pi)
    return apart < KNOWN_NEAR * max(crop.side_px, other.side_px) and turned < KNOWN_TURN
