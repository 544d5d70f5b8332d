"""FreiHAND: ``training_xyz.json``, ``training_K.json`` and ``training/rgb/00000000.jpg`` …, or
``evaluation_…`` likewise.

Joints are metres in the camera, in the order wrist, then thumb, index, middle, ring, pinky from the
palm to the tip: MediaPipe's. Every hand is a right hand. The training pictures come in four
versions of 32560 each: picture k shows row k modulo the number of rows.
"""

from pathlib import Path

from core.errors import BadInputError
from core.geometry.cameras import PinholeRadtan
from hands.truth_layouts.picture import (
    TrueHand,
    TruePicture,
    TruthLayout,
    array_of,
    fields_of,
    read_image,
    read_json,
)

SPLITS = ("evaluation", "training")
SIZE_WH = (224, 224)


class FreiHand(TruthLayout):
    """One picture for every file in ``rgb``; the evaluation part where both are there."""

    name = "freihand"
    about = "FreiHAND: training_xyz.json, training_K.json, training/rgb (or evaluation_…)"

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        return any((folder / f"{split}_xyz.json").is_file() for split in SPLITS)

    def __init__(self, folder: Path, split: str | None = None) -> None:
        there = [s for s in SPLITS if (folder / f"{s}_xyz.json").is_file()]
        self._split = split or (there[0] if there else SPLITS[0])
        self._where = str(folder / f"{self._split}_xyz.json")
        self._xyz = read_json(folder / f"{self._split}_xyz.json")
        self._k = read_json(folder / f"{self._split}_K.json")
        with fields_of(self._where, "FreiHAND's lists"):
            rows, cameras = len(self._xyz), len(self._k)
        if rows != cameras:
            raise BadInputError(
                f"{self._where}: {rows} rows, but {self._split}_K.json has {cameras}"
            )
        self._images = sorted((folder / self._split / "rgb").glob("*.jpg"))
        if not self._images:
            raise BadInputError(f"{folder / self._split / 'rgb'}: no pictures *.jpg in it")

    def __len__(self) -> int:
        return len(self._images)

    def picture(self, index: int) -> TruePicture:
        path = self._images[index]
        with fields_of(str(path), "a picture of FreiHAND's lists"):
            row = int(path.stem) % len(self._xyz)
            joints = array_of(self._xyz[row], (21, 3), f"{self._where}, row {row}")
            k = array_of(self._k[row], (3, 3), f"{self._split}_K.json, row {row}")
        camera = PinholeRadtan(
            params=(k[0, 0], k[1, 1], k[0, 2], k[1, 2], 0, 0, 0, 0), size_wh=SIZE_WH
        )
        hand = TrueHand.seen_by(camera, joints, "right")
        return TruePicture(path.name, lambda: read_image(path), camera, (hand,), complete=True)
