"""True and found hands drawn over their pictures, side by side on one sheet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.evaluate.hand_pictures import TruthRow
from app.whole_file import whole_file
from hands.model.evidence import PARENTS
from hands.truth_layouts.picture import TruePicture

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

TILES, COLUMNS, TILE_PX = 24, 6, 240
ROOM = 1.6  # of the true hand's box
TRUTH_RGB, OURS_RGB, MISSED_RGB = (60, 200, 90), (255, 140, 30), (220, 40, 40)


def draw_sheet(
    pictures: Sequence[TruePicture], rows: Sequence[TruthRow], joints: Floats, *, path: str
) -> None:
    """Write a PNG: truth in green, ours in orange, hands that were missed framed in red."""
    import cv2

    chosen = np.unique(np.linspace(0, len(rows) - 1, min(TILES, len(rows))).round().astype(int))
    tiles = [_tile(pictures[rows[k].picture].load(), rows[k], joints[k]) for k in chosen]
    blank = np.zeros((TILE_PX, TILE_PX, 3), dtype=np.uint8)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    lines = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    done, data = cv2.imencode(".png", np.vstack(lines)[..., ::-1])
    assert done
    with whole_file(Path(path), option="--sheet") as partial:
        partial.write_bytes(data.tobytes())


def _tile(image_rgb: Image, row: TruthRow, joints: Floats) -> Image:
    import cv2

    known = np.isfinite(row.truth.px).all(axis=1)
    low, high = row.truth.px[known].min(axis=0), row.truth.px[known].max(axis=0)
    side = max(float((high - low).max()) * ROOM, 16.0)
    corner = (low + high) / 2 - side / 2
    scale = TILE_PX / side
    move = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    tile = cv2.warpAffine(image_rgb, move, (TILE_PX, TILE_PX), flags=cv2.INTER_LINEAR)
    _bones(tile, (row.truth.px - corner) * scale, TRUTH_RGB)
    if row.found is None:
        cv2.rectangle(tile, (0, 0), (TILE_PX - 1, TILE_PX - 1), MISSED_RGB, 4)
    else:
        px = row.found.raw21_px
        if row.camera is not None:
            px, valid = row.camera.project(joints)
            px = np.where(valid[:, None], px, np.nan)
        _bones(tile, (px - corner) * scale, OURS_RGB)
    return np.asarray(tile, dtype=np.uint8)


def _bones(tile: Image, px: Floats, colour: tuple[int, int, int]) -> None:
    import cv2

    for joint in range(1, 21):
        ends = px[[PARENTS[joint], joint]]
        if np.isfinite(ends).all() and np.abs(ends).max() < 1e4:
            (x0, y0), (x1, y1) = ends.round().astype(int).tolist()
            cv2.line(tile, (x0, y0), (x1, y1), colour, 2, cv2.LINE_AA)
