"""The real test set of hand-graph: ``truth.npz`` and ``images/00000.jpg`` …, square crops.

``landmarks_in_camera_cm`` (N,21,3): wrist, then thumb, index, middle, ring, pinky from the palm to
the tip: MediaPipe's order. ``fx_fy_u0_v0_px`` (N,4) of the whole picture, ``crop_box_xywh_px``
(N,4) where the crop was cut from it. Every hand is a left hand unless an array ``side`` (N,) says
otherwise.
"""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from core.errors import BadInputError
from core.geometry.cameras import PinholeRadtan
from hands.truth_layouts.picture import TrueHand, TruePicture, TruthLayout, array_of, read_image

TRUTH = "truth.npz"
NEEDED = ("landmarks_in_camera_cm", "fx_fy_u0_v0_px", "crop_box_xywh_px")
CROP_PX = 256


class HandGraph(TruthLayout):
    """Crops with the camera that each crop has."""

    name = "handgraph"
    about = "hand-graph: truth.npz, images/"

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        return (folder / TRUTH).is_file() and (folder / "images").is_dir()

    def __init__(self, folder: Path, split: str | None = None) -> None:
        if split is not None:
            raise BadInputError(f"{folder}: hand-graph has no parts; leave out --split {split}")
        self._folder = folder
        where = str(folder / TRUTH)
        try:
            with (folder / TRUTH).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, EOFError, ValueError, BadZipFile) as error:
            raise BadInputError(f"{where}: not an array file (.npz) that can be read") from error
        absent = [name for name in NEEDED if name not in arrays]
        if absent:
            raise BadInputError(f"{where}: {', '.join(absent)} missing")
        self._joints = array_of(arrays[NEEDED[0]], (-1, 21, 3), where) / 100
        count = len(self._joints)
        self._intrinsics = array_of(arrays[NEEDED[1]], (count, 4), where)
        self._boxes = array_of(arrays[NEEDED[2]], (count, 4), where)
        self._sides = [str(s) for s in arrays.get("side", np.full(count, "left"))]

    def __len__(self) -> int:
        return len(self._joints)

    def picture(self, index: int) -> TruePicture:
        path = self._folder / "images" / f"{index:05d}.jpg"
        fx, fy, u0, v0 = self._intrinsics[index]
        x, y, width, height = self._boxes[index]
        sx, sy = CROP_PX / width, CROP_PX / height
        centre = ((u0 - x + 0.5) * sx - 0.5, (v0 - y + 0.5) * sy - 0.5)  # edges scale, centres not
        camera = PinholeRadtan(
            params=(fx * sx, fy * sy, *centre, 0, 0, 0, 0), size_wh=(CROP_PX, CROP_PX)
        )
        hand = TrueHand.seen_by(camera, self._joints[index], self._sides[index])
        return TruePicture(path.name, lambda: read_image(path), camera, (hand,), complete=True)
