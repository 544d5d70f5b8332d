"""The palms of a picture: MediaPipe's single-shot detector, decoded, and the views it is given.

The network reads 192 x 192 pixels, so a hand at arm's length in a wide frame is a few of them and
is not found; in a square part of the frame it is. It answers for 2016 anchors, two per cell of a
24 x 24 grid and six per cell of a 12 x 12 one: a palm's box and seven key points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hands.detection.crops import Crop, crop_of_palm
from hands.detection.looks import Look, as_it_is
from hands.detection.networks import PALM_PX, HandNetworks

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

GRIDS = ((24, 2), (12, 6))  # cells a side, anchors in each cell
OVERLAP = 0.3  # answers that share so much of their union are one palm
WRIST, KNUCKLE = 2, 4  # rows of an answer's points: the box's two corners, seven key points
TILE = 0.75  # side of a square part, of the picture's shorter side
STRIDE = 0.5  # between parts, of their side


@dataclass(frozen=True, eq=False)
class Palm:
    """score: the network's.   crop: where its hand is to be read."""

    score: float
    crop: Crop


def find_palms(
    networks: HandNetworks, image: Image, view: Crop, *, least: float, look: Look = as_it_is
) -> list[Palm]:
    """Palms in a view of the picture ``(H,W,3)``, of score ``least`` or more, the surest first."""
    import cv2

    picture = look(view.cut(image, size=PALM_PX, border=cv2.BORDER_CONSTANT))
    raw, logits = networks.palms(picture)
    score = 1 / (1 + np.exp(-np.clip(logits, -100, 100)))
    rows = np.flatnonzero(score >= least)
    decoded, sure = merged(decode(raw[rows], anchors()[rows]), score[rows])
    px = view.in_picture(decoded.reshape(-1, 9, 2))
    return [Palm(float(s), _crop(one)) for s, one in zip(sure, px, strict=True)]


def _crop(points_px: Floats) -> Crop:
    box = points_px[:2].ravel()
    return crop_of_palm(box, wrist_px=points_px[WRIST], knuckle_px=points_px[KNUCKLE])


@cache
def anchors() -> Floats:
    """``(2016,2)`` centres, 0 … 1 across the view."""
    centres = []
    for cells, each in GRIDS:
        y, x = np.divmod(np.arange(cells * cells), cells)
        centres.append(np.repeat((np.column_stack([x, y]) + 0.5) / cells, each, axis=0))
    return np.concatenate(centres)


def decode(raw: Floats, centres: Floats) -> Floats:
    """Answers ``(N,18)`` to corners and key points ``(N,18)``, 0 … 1 across the view."""
    points = raw.reshape(-1, 9, 2) / PALM_PX
    middle, size = points[:, 0] + centres, points[:, 1]
    rest = (points[:, 2:] + centres[:, None]).reshape(-1, 14)
    return np.concatenate([middle - size / 2, middle + size / 2, rest], axis=1)


def merged(decoded: Floats, score: Floats) -> tuple[Floats, Floats]:
    """Overlapping answers as one: their mean weighted by score, with the best one's score."""
    means, best = [], []
    left = np.argsort(-score, kind="stable")
    while len(left):
        same = iou(decoded[left[0]], decoded[left]) > OVERLAP
        same[0] = True
        group = left[same]
        means.append(np.average(decoded[group], axis=0, weights=score[group]))
        best.append(score[group[0]])
        left = left[~same]
    return np.array(means).reshape(-1, 18), np.array(best)


def iou(box: Floats, others: Floats) -> Floats:
    """Shared part of the union of one box and others ``(N,4…)``, xyxy."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:4], others[:, 2:4])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(others[:, 2:4] - others[:, :2], axis=1)
    return shared / np.maximum(areas + np.prod(box[2:4] - box[:2]) - shared, 1e-12)


def whole_view(image_wh: tuple[int, int]) -> Crop:
    """All of the picture, in the middle of a square."""
    return Crop(np.array(image_wh) / 2 - 0.5, float(max(image_wh)))


@cache
def everywhere_views(image_wh: tuple[int, int]) -> tuple[Crop, ...]:
    """All of the picture, then its parts."""
    return (whole_view(image_wh), *tile_views(image_wh))


def tile_views(image_wh: tuple[int, int]) -> list[Crop]:
    """Overlapping squares that cover it, the lower ones first: the wearer's hands are there."""
    side = TILE * min(image_wh)
    xs, ys = (_middles(length, side) for length in image_wh)
    return [Crop(np.array([x, y]), side) for y in reversed(ys) for x in _middle_first(xs)]


def _middles(length: int, side: float) -> list[float]:
    count = int(np.ceil((length - side) / (STRIDE * side))) + 1
    return [float(x) for x in np.linspace(side / 2, length - side / 2, count) - 0.5]


def _middle_first(values: Sequence[float]) -> list[float]:
    middle = (values[0] + values[-1]) / 2
    return sorted(values, key=lambda value: abs(value - middle))
