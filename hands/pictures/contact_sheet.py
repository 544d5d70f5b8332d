"""A grid of frames with both hands drawn, to check a session at a glance."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.errors import StorageError
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from core.session.frames import open_frames
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.cameras.look_again import Readings
from hands.cameras.second_views import SecondView
from hands.pictures.overlays import (
    DrawnHands,
    Image,
    caption,
    crop_to_hands,
    draw_hands,
    write_caption,
)

CONTACT_SHEET = "hands/contact_sheet.png"
VIEW_SHEET = "hands/contact_sheet.{}.png"  # of another stream
PICTURES, COLUMNS, TILE_WIDTH = 16, 4, 480
VIEW_PICTURES = 8


class ContactSheet:
    """Reads its pictures beside whatever else goes on, from when it is made. Faces stay
    redacted.
    """

    def __init__(self, folder: SessionFolder, ticks: Ticks) -> None:
        self._folder = folder
        with_thread = ThreadPoolExecutor(1)
        self._pictures = with_thread.submit(_pictures, folder, ticks)
        with_thread.shutdown(wait=False)

    def write(self, drawn: DrawnHands, *, camera: Camera) -> str:
        """Draw the hands and write the sheet; gives its path."""
        pictures = {}
        for row, image in self._pictures.result().items():
            draw_hands(image, drawn, row, camera=camera)
            pictures[row] = crop_to_hands(image, drawn, row, camera=camera)
        return _write(self._folder, CONTACT_SHEET, pictures, drawn=drawn)


def _pictures(folder: SessionFolder, ticks: Ticks) -> dict[int, Image]:
    """Evenly spread tick rows and their pictures."""
    rows = sheet_rows(len(ticks), PICTURES).tolist()
    with open_frames(folder, "head", redact=True) as frames:
        return {row: frames.near(int(ticks.timestamp_ns[row])).image_rgb.copy() for row in rows}


def write_view_sheet(
    folder: SessionFolder, drawn: DrawnHands, view: SecondView, *, readings: Readings
) -> str | None:
    """The fitted hands in another camera's pictures, beside what was read there; gives the path of
    the sheet, None where no hand was read.
    """
    read = np.isfinite(readings.raw21_px).all(axis=(-1, -2)).any(axis=1)
    ticks = np.flatnonzero(read & view.head_from_camera.finite)
    if not len(ticks):
        return None
    seen = seen_from(drawn, view, readings)
    pictures = {}
    with open_frames(folder, view.name, redact=True) as frames:
        for row in ticks[sheet_rows(len(ticks), VIEW_PICTURES)].tolist():
            image = frames.read(int(view.picture[row])).image_rgb.copy()
            draw_hands(image, seen, row, camera=view.camera)
            pictures[row] = image
    return _write(folder, VIEW_SHEET.format(view.name), pictures, drawn=seen)


def seen_from(drawn: DrawnHands, view: SecondView, readings: Readings) -> DrawnHands:
    """The hands in another camera's frame, with what was read in its pictures."""
    count = len(drawn.landmarks)
    pose = view.head_from_camera.inverse()
    points = pose.apply(drawn.landmarks.reshape(count, 34, 3)).reshape(drawn.landmarks.shape)
    both = SE3(
        np.repeat(pose.rotation[:, None], 2, axis=1),
        np.repeat(pose.translation[:, None], 2, axis=1),
    )
    read = np.isfinite(readings.raw21_px).all(axis=(-1, -2))
    found = {row: readings.raw21_px[row][read[row]].reshape(-1, 2) for row in range(count)}
    palms = both @ drawn.head_from_palm
    return replace(drawn, landmarks=points, head_from_palm=palms, found_px=found)


def _write(
    folder: SessionFolder, path: str, pictures: Mapping[int, Image], *, drawn: DrawnHands
) -> str:
    """The pictures of tick rows in a grid, each with its time and what became of both hands."""
    import cv2

    height, width = next(iter(pictures.values())).shape[:2]
    size = (TILE_WIDTH, max(1, round(height * TILE_WIDTH / width)))
    tiles = []
    for row, picture in pictures.items():
        tile = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        write_caption(tile, caption(drawn, row))
        tiles.append(tile)
    done, png = cv2.imencode(".png", np.ascontiguousarray(in_a_grid(tiles)[..., ::-1]))
    if not done:
        raise StorageError(f"{folder.place(path)}: the picture could not be encoded")
    folder.write_bytes(path, png.tobytes())
    return path


def sheet_rows(count: int, pictures: int) -> NDArray[np.int64]:
    """Evenly spread tick rows."""
    return np.unique(np.linspace(0, count - 1, min(pictures, count)).round().astype(np.int64))


def in_a_grid(tiles: Sequence[Image]) -> Image:
    """Pictures of one size in rows of COLUMNS."""
    tiles = [*tiles, *[np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)]
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    return np.vstack(rows)
