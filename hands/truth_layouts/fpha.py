"""FPHA, First-Person Hand Action: ``Hand_pose_annotation_v1*/Subject_1/<action>/<k>/skeleton.txt``
and ``Video_files/Subject_1/<action>/<k>/color/color_0000.jpeg`` ….

A line is ``t x_1 y_1 z_1 … x_21 y_21 z_21``, millimetres in the depth camera: wrist, the MCPs of
thumb, index, middle, ring, pinky, then PIP, DIP, TIP of each finger in turn; the thumb's "MCP" is
what MediaPipe calls CMC. Only the right hand, which wore the sensors, is annotated. Camera and
extrinsics are the set's published constants.
"""

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInputError
from core.geometry.cameras import PinholeRadtan
from core.session.storage import storage_errors
from hands.truth_layouts.picture import (
    JOINTS,
    TrueHand,
    TruePicture,
    TruthLayout,
    fields_of,
    read_image,
)

ANNOTATIONS = "Hand_pose_annotation_v1*"
# for MediaPipe's joints their places in a line
ORDER = np.array([0, 1, 6, 7, 8, 2, 9, 10, 11, 3, 12, 13, 14, 4, 15, 16, 17, 5, 18, 19, 20])
COLOUR = PinholeRadtan(
    params=(1395.749023, 1395.749268, 935.732544, 540.681030, 0, 0, 0, 0), size_wh=(1920, 1080)
)
COLOUR_FROM_WORLD = np.array([
    [0.999988496304, -0.00468848412856, 0.000982563360594],
    [0.00469115935266, 0.999985218048, -0.00273845880292],
    [-0.000969709653873, 0.00274303671904, 0.99999576807],
])
OFFSET_MM = np.array([25.7, 1.22, 3.902])


class Fpha(TruthLayout):
    """One picture for every line of every skeleton file."""

    name = "fpha"
    about = "FPHA: Hand_pose_annotation_v1/Subject_1/…/skeleton.txt, Video_files/…/color/"

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        return any(folder.glob(ANNOTATIONS)) and (folder / "Video_files").is_dir()

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self._folder = folder
        roots = sorted(folder.glob(ANNOTATIONS))
        paths = sorted(roots[-1].glob("*/*/*/skeleton.txt")) if roots else []
        self._rows: list[tuple[str, int, Any]] = []
        for path in paths:
            sequence = path.parent.relative_to(roots[-1]).as_posix()
            if split is None or sequence.startswith(split):
                self._rows += [(sequence, t, joints) for t, joints in _lines(path)]
        if not self._rows:
            raise BadInputError(f"{folder}: no {ANNOTATIONS}/<subject>/<action>/<k>/skeleton.txt")

    def __len__(self) -> int:
        return len(self._rows)

    def picture(self, index: int) -> TruePicture:
        sequence, frame, joints_mm = self._rows[index]
        folder = self._folder / "Video_files" / sequence / "color"
        path = folder / f"color_{frame:04d}.jpeg"
        joints = (joints_mm[ORDER] @ COLOUR_FROM_WORLD.T + OFFSET_MM) / 1e3
        hand = TrueHand.seen_by(COLOUR, joints, "right")
        name = f"{sequence}/{path.name}"
        return TruePicture(name, lambda: read_image(path), COLOUR, (hand,), complete=False)


def _lines(path: Path) -> list[tuple[int, Any]]:
    """Frame number and joints ``(21,3)`` in millimetres of every line."""
    with storage_errors("read", str(path)), fields_of(str(path), "a text of numbers"):
        lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}: line {number}"
        with fields_of(where, "all numbers, the frame's first"):
            frame, *values = map(float, words)
            frame = int(frame)
        if len(words) != 1 + 3 * JOINTS:
            raise BadInputError(f"{where}: {len(words)} numbers, expected {1 + 3 * JOINTS}")
        rows.append((frame, np.array(values).reshape(JOINTS, 3)))
    return rows
