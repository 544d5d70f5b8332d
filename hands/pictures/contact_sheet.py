"""A grid of frames with both hands drawn, to check a session at a glance."""

from collections.abc import Callable, Sequence
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

Floats = NDArray[np.float64]
DrawnAt = Callable[..., DrawnHands]  # of `ticks`

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
        self._ticks = ticks.take(sheet_rows(len(ticks), PICTURES))
        with_thread = ThreadPoolExecutor(1)
        self._pictures = with_thread.submit(_pictures, folder, self._ticks)
        with_thread.shutdown(wait=False)

    def write(self, drawn_at: DrawnAt, *, camera: Camera) -> str:
        """Draw the hands and write the sheet; gives its path."""
        drawn, tiles = drawn_at(ticks=self._ticks), []
        for row, image in enumerate(self._pictures.result()):
            draw_hands(image, drawn, row, camera=camera)
            tiles.append(crop_to_hands(image, drawn, row, camera=camera))
        return _write(self._folder, CONTACT_SHEET, tiles, drawn=drawn)


def _pictures(folder: SessionFolder, ticks: Ticks) -> list[Image]:
    with open_frames(folder, "head", redact=True) as frames:
        return [frames.near(stamp).image_rgb.copy() for stamp in ticks.timestamp_ns.tolist()]


def write_view_sheet(
    folder: SessionFolder,
    drawn_at: DrawnAt,
    ticks: Ticks,
    *,
    view: SecondView,
    readings: Readings,
) -> str | None:
    """The fitted hands in another camera's pictures, beside what was read there; gives the path of
    the sheet, None where no hand was read.
    """
    read = np.isfinite(readings.raw21_px).all(axis=(-1, -2)).any(axis=1)
    rows = np.flatnonzero(read & view.head_from_camera.finite)
    if not len(rows):
        return None
    rows = rows[sheet_rows(len(rows), VIEW_PICTURES)]
    drawn = seen_from(
        drawn_at(ticks=ticks.take(rows)), view.head_from_camera[rows], readings.raw21_px[rows]
    )
    pictures = []
    with open_frames(folder, view.name, redact=True) as frames:
        for row, picture in enumerate(view.picture[rows].tolist()):
            image = frames.read(picture).image_rgb.copy()
            draw_hands(image, drawn, row, camera=view.camera)
            pictures.append(image)
    return _write(folder, VIEW_SHEET.format(view.name), pictures, drawn=drawn)


def seen_from(drawn: DrawnHands, head_from_camera: SE3, read_px: Floats) -> DrawnHands:
    """The hands in another camera's frame, with what was read in its pictures ``(T,2,21,2)``."""
    count = len(drawn.landmarks)
    pose = head_from_camera.inverse()
    points = pose.apply(drawn.landmarks.reshape(count, 34, 3)).reshape(drawn.landmarks.shape)
    both = SE3(
        np.repeat(pose.rotation[:, None], 2, axis=1),
        np.repeat(pose.translation[:, None], 2, axis=1),
    )
    read = np.isfinite(read_px).all(axis=(-1, -2))
    found = {row: read_px[row][read[row]].reshape(-1, 2) for row in range(count)}
    palms = both @ drawn.head_from_palm
    return replace(drawn, landmarks=points, head_from_palm=palms, found_px=found)


def _write(
    folder: SessionFolder, path: str, pictures: Sequence[Image], *, drawn: DrawnHands
) -> str:
    """A picture of every tick drawn in a grid, with its time and what became of both hands."""
    import cv2

    height, width = pictures[0].shape[:2]
    size = (TILE_WIDTH, max(1, round(height * TILE_WIDTH / width)))
    tiles = []
    for row, picture in enumerate(pictures):
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
