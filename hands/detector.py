"""MediaPipe's hand landmarker over a run of frames: follows hands, looks again for lost ones.

Costs about 10 ms per frame and two hands. Labels: on pictures that are not mirrored the Tasks API's
"Left" is the person's left hand (the older ``mp.solutions`` said the opposite).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.errors import MissingExtraError
from hands.config import HandsDetectConfig

Floats = NDArray[np.float64]

WEARERS_HANDS = 2
FRAME_MS = 33  # MediaPipe wants rising stamps; nothing depends on their size


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


class HandDetector:
    """Follows the hands of one image stream. A context manager."""

    def __init__(self, model: Path, config: HandsDetectConfig) -> None:
        self._model, self._config = model, config
        self._open: list[Any] = []
        self._count = 0
        self._crowded = False

    def __enter__(self) -> Self:
        self._follow = self._landmarker("VIDEO", WEARERS_HANDS)
        self._probe = self._landmarker("IMAGE", self._config.most_hands)
        self._crowd: Any = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for landmarker in self._open:
            landmarker.close()

    def detect_all(self, images_rgb: Iterable[NDArray[np.uint8]]) -> Iterator[list[FoundHand]]:
        """The hands of every image, in order."""
        return (self.detect(image) for image in images_rgb)

    def detect(self, image_rgb: NDArray[np.uint8]) -> list[FoundHand]:
        """The hands of the next image ``(H,W,3)``."""
        import mediapipe

        picture = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image_rgb)
        )
        size_wh = (image_rgb.shape[1], image_rgb.shape[0])
        if self._count % self._config.probe_every == 0:
            self._look_around(picture)
        follow = self._crowd if self._crowded else self._follow
        result = follow.detect_for_video(picture, self._count * FRAME_MS)
        self._count += 1
        return _found(result, size_wh)

    def _look_around(self, picture: Any) -> None:
        """Follow more hands from now on if more than the wearer's are in view."""
        crowded = len(self._probe.detect(picture).handedness) > WEARERS_HANDS
        if crowded and self._crowd is None:
            self._crowd = self._landmarker("VIDEO", self._config.most_hands)
        self._crowded = crowded

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


def _found(result: Any, size_wh: tuple[int, int]) -> list[FoundHand]:
    hands = []
    for label, points, world in zip(
        result.handedness, result.hand_landmarks, result.hand_world_landmarks, strict=True
    ):
        relative = np.array([[p.x, p.y] for p in points])  # 0 and 1 are the picture's outer edges
        hands.append(
            FoundHand(
                side=label[0].category_name.lower(),
                score=float(label[0].score),
                raw21_px=relative * size_wh - 0.5,
                raw21_in_hand=np.array([[p.x, p.y, p.z] for p in world]),
            )
        )
    return hands
