"""A grid of frames with both hands drawn, to check a session at a glance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import StorageError
from core.geometry.cameras import Camera
from core.session.frames import open_frames
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.overlays import DrawnHands, Image, crop_to_hands, draw_hands

CONTACT_SHEET = "hands/contact_sheet.png"
PICTURES, COLUMNS, TILE_WIDTH = 16, 4, 480


def write_contact_sheet(
    folder: SessionFolder, drawn: DrawnHands, *, ticks: Ticks, camera: Camera, progress: Progress
) -> str:
    """Write the sheet; gives its path. Faces stay redacted."""
    import cv2

    rows = sheet_rows(len(ticks), PICTURES)
    progress.total(len(rows), "picture")
    pictures = []
    with open_frames(folder, "head", redact=True) as frames:
        for row in rows.tolist():
            image = frames.near(int(ticks.timestamp_ns[row])).image_rgb.copy()
            draw_hands(image, drawn, row, camera=camera)
            pictures.append(crop_to_hands(image, drawn, row, camera=camera))
            progress.advance()
    sheet = side_by_side(pictures, columns=COLUMNS, tile_width=TILE_WIDTH)
    done, png = cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))
    if not done:
        raise StorageError(f"{folder.place(CONTACT_SHEET)}: the picture could not be encoded")
    folder.write_bytes(CONTACT_SHEET, png.tobytes())
    return CONTACT_SHEET


def sheet_rows(count: int, pictures: int) -> NDArray[np.int64]:
    """Evenly spread tick rows."""
    return np.unique(np.linspace(0, count - 1, min(pictures, count)).round().astype(np.int64))


def side_by_side(images_rgb: Sequence[Image], *, columns: int, tile_width: int) -> Image:
    """Pictures in a grid, scaled to one width."""
    import cv2

    height, width = images_rgb[0].shape[:2]
    size = (tile_width, max(1, round(height * tile_width / width)))
    tiles = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images_rgb]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    return np.vstack(rows)
