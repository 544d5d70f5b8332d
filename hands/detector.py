"""MediaPipe's hand landmarker over a run of frames: follows hands, looks again for lost ones.

Costs about 10 ms per frame while two hands are followed, about three times as much while one is
missing. Labels: on pictures that are not mirrored the Tasks API's "Left" is the person's left hand
(the older ``mp.solutions`` said the opposite).
"""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.errors import MissingExtraError
from hands.config import HandsDetectConfig
from hands.views import FoundHand, Part, best_part, distinct, tiles, whole, whole_hands

Image = NDArray[np.uint8]

WEARERS_HANDS = 2
FRAME_MS = 33  # MediaPipe wants rising stamps; nothing depends on their size
PATIENCE = 3  # frames without a hand after which a part of the image is given up


class HandDetector:
    """Follows the hands of one image stream, all of one size. A context manager."""

    def __init__(self, model: Path, config: HandsDetectConfig) -> None:
        self._model, self._config = model, config
        self._open: list[Any] = []
        self._count = 0
        self._followers: dict[tuple[Part, int], Any] = {}
        self._active: dict[Part, int] = {}  # parts that hold hands -> frames without one
        self._place: dict[Part, Part] = {}  # where an active part is by now: it goes with its hand
        self._tiles: list[Part] = []
        self._next_tile = 0
        self._before: list[FoundHand] = []
        self._crowded = False

    def __enter__(self) -> Self:
        self._probe = self._landmarker("IMAGE", self._config.most_hands)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for landmarker in self._open:
            landmarker.close()

    def detect(self, image_rgb: Image) -> list[FoundHand]:
        """The hands of the next image ``(H,W,3)``."""
        image_wh = (image_rgb.shape[1], image_rgb.shape[0])
        self._tiles = self._tiles or tiles(image_wh)
        if self._count % self._config.probe_every == 0:
            self._crowded = len(self._look(image_rgb, whole(image_wh))) > WEARERS_HANDS
        hands = self._follow(image_rgb)
        if len(hands) < WEARERS_HANDS and self._config.search_every:
            hands = whole_hands(hands + self._search(image_rgb, hands))
        self._before = hands
        self._count += 1
        return hands

    def _follow(self, image_rgb: Image) -> list[FoundHand]:
        """Hands in the active parts and, as long as one is missing, in the whole image."""
        image_wh = (image_rgb.shape[1], image_rgb.shape[0])
        everything = whole(image_wh)
        hands: list[FoundHand] = []
        order = [everything, *self._active] if self._crowded else [*self._active, everything]
        for part in order:
            if len(hands) >= WEARERS_HANDS:
                break
            place = self._place.get(part, part)
            found = self._follower(part).detect_for_video(
                _picture(place.cut(image_rgb)), self._count * FRAME_MS
            )
            new = distinct(_found(found, place), hands)
            new = [hand for hand in new if place.holds(hand, image_wh)]
            hands = whole_hands(hands + new)
            new = [hand for hand in new if hand in hands]
            if part in self._active:
                self._active[part] = 0 if new else self._active[part] + 1
                self._place[part] = place.moved_to(new, image_wh)
        self._active = {part: idle for part, idle in self._active.items() if idle <= PATIENCE}
        self._place = {part: self._place[part] for part in self._active if part in self._place}
        return hands

    def _search(self, image_rgb: Image, known: list[FoundHand]) -> list[FoundHand]:
        """Look into one part: where a hand has just been lost, else the next in turn."""
        lost = distinct(self._before, known)
        if lost:
            tile = self._tiles[best_part(self._tiles, lost[0])]
        elif self._count % self._config.search_every == 0:
            tile = self._tiles[self._next_tile]
            self._next_tile = (self._next_tile + 1) % len(self._tiles)
        else:
            return []
        image_wh = (image_rgb.shape[1], image_rgb.shape[0])
        new = [h for h in self._look(image_rgb, tile) if tile.holds(h, image_wh)]
        new = distinct(new, known)
        if new:
            self._active[tile] = 0
        return new

    def _look(self, image_rgb: Image, part: Part) -> list[FoundHand]:
        """Hands of a part by themselves, nothing followed."""
        return _found(self._probe.detect(_picture(part.cut(image_rgb))), part)

    def _follower(self, part: Part) -> Any:
        hands = self._config.most_hands if self._crowded else WEARERS_HANDS
        key = (part, hands)
        if key not in self._followers:
            self._followers[key] = self._landmarker("VIDEO", hands)
        return self._followers[key]

    def _landmarker(self, mode: str, hands: int) -> Any:
        try:
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise MissingExtraError(
                "finding hands needs mediapipe: pip install 'handoff-ego[hands]'"
            ) from error
        options = vision.HandLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self._model)),
            running_mode=getattr(vision.RunningMode, mode),
            num_hands=hands,
            min_hand_detection_confidence=self._config.min_detection_confidence,
            min_hand_presence_confidence=self._config.min_tracking_confidence,
            min_tracking_confidence=self._config.min_tracking_confidence,
        )
        self._open.append(vision.HandLandmarker.create_from_options(options))
        return self._open[-1]


def _picture(image_rgb: Image) -> Any:
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image_rgb)


def _found(result: Any, part: Part) -> list[FoundHand]:
    hands = []
    for label, points, world in zip(
        result.handedness, result.hand_landmarks, result.hand_world_landmarks, strict=True
    ):
        relative = np.array([[p.x, p.y] for p in points])  # 0 and 1 are the picture's outer edges
        hand = FoundHand(
            side=label[0].category_name.lower(),
            score=float(label[0].score),
            raw21_px=relative * [part.width, part.height] - 0.5,
            raw21_in_hand=np.array([[p.x, p.y, p.z] for p in world]),
        )
        hands.append(hand.moved(part.corner))
    return hands
