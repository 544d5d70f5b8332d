"""Hands drawn over the images: a contact sheet to check a session at a glance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import INDEX
from hands.evidence import PARENTS
from hands.wearer import WearerHand

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

COLOUR_RGB = {"left": (40, 160, 255), "right": (255, 140, 30)}
PALE = 0.55  # interpolated hands are drawn paler
AXIS_COLOURS_RGB = ((230, 30, 30), (30, 200, 30), (60, 60, 255))
AXIS_M = 0.05
CROP_ROOM = 1.8


def draw_hand(image_rgb: Image, hand: WearerHand, row: int, *, camera: Camera) -> None:
    """Draw one hand of tick row ``row`` into the image, in place: bones, detected points, palm
    axes.
    """
    import cv2

    if hand.state[row] == "missing":
        return
    colour = np.array(COLOUR_RGB[hand.side], dtype=np.float64)
    if hand.state[row] == "interpolated":
        colour = PALE * colour + (1 - PALE) * 255
    thick = max(1, image_rgb.shape[1] // 480)
    joints_px = _pixels(hand.joints[row], camera)
    for joint in range(1, 21):
        _line(image_rgb, joints_px[PARENTS[joint]], joints_px[joint], colour=colour, thick=thick)
    for point in hand.raw21_px[row]:
        if np.isfinite(point).all():
            cv2.circle(image_rgb, _whole(point), thick, (255, 255, 255), -1, cv2.LINE_AA)
    _draw_axes(image_rgb, hand, row, camera=camera, thick=thick)


def _draw_axes(image_rgb: Image, hand: WearerHand, row: int, *, camera: Camera, thick: int) -> None:
    origin = hand.landmarks[row, INDEX["palm"]]
    tips = origin + AXIS_M * hand.head_from_palm.rotation[row].T
    pixels = _pixels(np.vstack([origin, tips]), camera)
    for end, colour in zip(pixels[1:], AXIS_COLOURS_RGB, strict=True):
        _line(image_rgb, pixels[0], end, colour=np.array(colour), thick=thick + 1)


def _pixels(points: Floats, camera: Camera) -> Floats:
    uv_px, valid = camera.project(points)
    return np.where(valid[..., None] & (np.abs(uv_px) < 1e5), uv_px, np.nan)


def _line(image_rgb: Image, start: Floats, end: Floats, *, colour: Floats, thick: int) -> None:
    import cv2

    if np.isfinite(start).all() and np.isfinite(end).all():
        cv2.line(image_rgb, _whole(start), _whole(end), colour.tolist(), thick, cv2.LINE_AA)


def _whole(point: Floats) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def sheet_rows(count: int, pictures: int) -> NDArray[np.int64]:
    """Evenly spread tick rows."""
    return np.unique(np.linspace(0, count - 1, min(pictures, count)).round().astype(np.int64))


def crop_to_hands(
    image_rgb: Image, hands: Sequence[WearerHand], row: int, *, camera: Camera
) -> Image:
    """The part of the image around the hands, with room to see what they do; all of it without
    hands.

    The crop has the image's own proportions, so that all pictures of a sheet fit together.
    """
    height, width = image_rgb.shape[:2]
    pixels = np.vstack([_pixels(hand.joints[row], camera) for hand in hands])
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    if not len(pixels):
        return image_rgb
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    scale = min(1.0, CROP_ROOM * float(np.max((high - low) / (width, height))))
    size = np.maximum(np.array([width, height]) * scale, 32).astype(int)
    corner = np.clip((low + high) / 2 - size / 2, 0, np.array([width, height]) - size).astype(int)
    return image_rgb[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]


def contact_sheet(images_rgb: Sequence[Image], *, columns: int, tile_width: int) -> Image:
    """Pictures side by side, scaled to one width."""
    import cv2

    height, width = images_rgb[0].shape[:2]
    size = (tile_width, max(1, round(height * tile_width / width)))
    tiles = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images_rgb]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    return np.vstack(rows)
