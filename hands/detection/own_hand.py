"""The hand that carries its camera: large, cut by the picture's edge, always in about one place.

The palm network does not know such a hand, because its wrist lies outside of the picture; the
landmark network does, once it is shown where. So places are tried: fingers pointing in from any
side.
"""

from itertools import product

import numpy as np

from hands.detection.crops import Crop, crop_of_hand
from hands.detection.views import FoundHand

DIRECTIONS = 8  # in which the fingers may point
SIDES = (0.75, 1.1)  # of the crop, of the picture's longer side
BACK = 0.15  # from the picture's middle to the crop's, towards the wrist, the same way
LARGE = 0.4  # side of the crop of a camera's own hand at least, the same way
SURE = 0.6  # presence of a hand found by trying


def places(image_wh: tuple[int, int]) -> list[Crop]:
    """Crops in which the hand may be, neighbours far apart in their directions."""
    longer, middle = max(image_wh), np.array(image_wh) / 2 - 0.5
    turns = [2 * np.pi * (3 * k % DIRECTIONS) / DIRECTIONS for k in range(DIRECTIONS)]
    return [
        Crop(middle - BACK * longer * np.array([np.sin(a), -np.cos(a)]), side * longer, a)
        for side, a in product(SIDES, turns)
    ]


def is_own(hand: FoundHand, image_wh: tuple[int, int]) -> bool:
    """Whether a hand is as large as only the one that carries the camera is."""
    return crop_of_hand(hand.raw21_px).side_px > LARGE * max(image_wh)
