"""The turned square of a picture that a network reads.

The conventions are MediaPipe's, so that its networks answer as under its own runner: the crop of a
hand has it upright, 2.6 palms wide around a palm, twice the landmarks' extent around known ones.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

PALM_SCALE, PALM_SHIFT = 2.6, -0.5  # crop around a palm, in sides of the palm's box
HAND_SCALE, HAND_SHIFT = 2.0, -0.1  # crop around landmarks, in sides of their box
BOXED = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)  # landmarks that count for the box
WRIST, INDEX, MIDDLE, RING = 0, 5, 9, 13  # knuckles


@dataclass(frozen=True, eq=False)
class Crop:
    """centre_px: ``(2,)``, pixel centres.   side_px.   angle: radians by which its up is turned
    clockwise from the picture's.
    """

    centre_px: Floats
    side_px: float
    angle: float = 0.0

    @cached_property
    def turn(self) -> Floats:
        """``(2,2)``: its axes in the picture."""
        return turned_by(self.angle)

    def cut(self, image: Image, *, size: int, border: int) -> Image:
        """``(size,size,3)``; ``border``: OpenCV's way to go on outside of the picture."""
        import cv2

        scaled = self.turn * (self.side_px / size)
        corner = self.centre_px + 0.5 - scaled @ np.full(2, size / 2)  # MediaPipe's half pixel
        matrix = np.column_stack([scaled, corner])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=border)
        return np.asarray(cut, dtype=np.uint8)

    def mirrored(self, width_px: int) -> "Crop":
        """The same in the mirror image of the picture."""
        centre = np.array([width_px - 1 - self.centre_px[0], self.centre_px[1]])
        return Crop(centre, self.side_px, -self.angle)

    def in_picture(self, points: Floats) -> Floats:
        """Points of the crop ``(...,2)``, 0 and 1 its outer edges, as pixels of the picture."""
        return (points - 0.5) @ self.turn.T * self.side_px + self.centre_px


def crop_of_palm(box_xyxy_px: Floats, *, wrist_px: Floats, knuckle_px: Floats) -> Crop:
    """Around a palm: its box, the wrist and the middle finger's knuckle."""
    return _shifted(
        (box_xyxy_px[:2] + box_xyxy_px[2:]) / 2,
        size_px=box_xyxy_px[2:] - box_xyxy_px[:2],
        angle=upright_angle(knuckle_px - wrist_px),
        by=(PALM_SCALE, PALM_SHIFT),
    )


def crop_of_hand(raw21_px: Floats) -> Crop:
    """Around landmarks ``(21,2)``, of the frame before for instance."""
    px = raw21_px
    knuckles = ((px[INDEX] + px[RING]) / 2 + px[MIDDLE]) / 2
    angle = upright_angle(knuckles - px[WRIST])
    boxed, turn = px[list(BOXED)], turned_by(angle)
    middle = (boxed.min(axis=0) + boxed.max(axis=0)) / 2
    own = (boxed - middle) @ turn
    low, high = own.min(axis=0), own.max(axis=0)
    return _shifted(
        turn @ ((low + high) / 2) + middle,
        size_px=high - low,
        angle=angle,
        by=(HAND_SCALE, HAND_SHIFT),
    )


def upright_angle(direction_px: Floats) -> float:
    """Radians by which a direction is turned clockwise from the picture's up, in -pi … pi."""
    x, y = direction_px
    return float(np.arctan2(x, -y))


def turned_by(angle: float) -> Floats:
    """``(2,2)``: by radians, clockwise as one sees the picture."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _shifted(centre_px: Floats, *, size_px: Floats, angle: float, by: tuple[float, float]) -> Crop:
    """The crop of a turned box: moved along its own axis by its height, then squared."""
    scale, shift = by
    down = np.array([-np.sin(angle), np.cos(angle)])
    return Crop(centre_px + down * shift * size_px[1], float(scale * size_px.max()), angle)
