"""How a cut-out picture is shown to the networks: as it is, or nearer to what they know.

They learnt from photographs of bare hands. Gloves and hands in grey pictures they know again in the
colour of skin, dark ones as if longer exposed. Costs 0.1 ms of CPU a picture.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Look = Callable[[Image], Image]  # of a cut-out picture (H,W,3) RGB

SKIN = ((0.39, 0.76, 0.15), (0.27, 0.53, 0.1), (0.21, 0.41, 0.08))  # of RGB: its tone of the grey
PALM = (0, 1, 5, 9, 13, 17)  # landmarks around it
BRIGHT = 99  # percentile of a picture's numbers that counts as its light
DIM, EXPOSED = 64.0, 230.0  # a picture with less light than the one is brought to the other


def as_it_is(picture: Image) -> Image:
    """No change."""
    return picture


def skin_coloured(picture: Image) -> Image:
    """Its grey levels in the colour of skin."""
    import cv2

    return np.asarray(cv2.transform(picture, np.array(SKIN)), dtype=np.uint8)


def other(look: Look) -> Look:
    """The other one of the two."""
    return skin_coloured if look is as_it_is else as_it_is


def may_be_skin(image_rgb: Image, raw21_px: NDArray[np.float64]) -> bool:
    """Whether the palm of landmarks ``(21,2)`` may be bare: no skin is more blue or green than red.

    White, black and yellow gloves may be, too.
    """
    corners = raw21_px[list(PALM)]
    inside = (corners + corners.mean(axis=0)) / 2
    edge = np.array(image_rgb.shape[1::-1]) - 1
    x, y = np.clip(np.round(inside), 0, edge).astype(int).T
    red, green, blue = np.median(image_rgb[y, x], axis=0)
    return bool(red >= max(green, blue))


def lit(image_rgb: Image) -> Image:
    """A picture that is too dark for the networks, as if longer exposed; any other as it is."""
    import cv2

    sample = image_rgb[::8, ::8]
    if np.count_nonzero(sample >= DIM) > (1 - BRIGHT / 100) * sample.size:
        return image_rgb
    light = float(np.percentile(sample, BRIGHT))
    return np.asarray(cv2.convertScaleAbs(image_rgb, alpha=EXPOSED / max(light, 1.0)), np.uint8)
