"""Pictures with 21 marked pixels per hand in one COCO file: what FreiHAND's test pictures come as.

A JSON file with ``images`` (id, file_name, width, height) and ``annotations`` (image_id,
``keypoints`` of 21 times x, y, visibility, in MediaPipe's order), the pictures beside it. There is
no camera and no depth: only detection and pixel errors can be measured.
"""

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInputError
from hands.truth_layouts.picture import (
    JOINTS,
    TrueHand,
    TruePicture,
    TruthLayout,
    array_of,
    fields_of,
    read_image,
    read_json,
)

NUMBERS = 3 * JOINTS


class Keypoints(TruthLayout):
    """One picture for every image of the file; hands that are written twice count once."""

    name = "keypoints"
    about = "COCO keypoints: one .json with 21 keypoints per hand, pictures beside it; 2D only"

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        return len(_files(folder)) == 1 and any(folder.glob("*.jpg"))

    def __init__(self, folder: Path, split: str | None = None) -> None:
        files = [p for p in _files(folder) if split is None or p.stem == split]
        if len(files) != 1:
            raise BadInputError(f"{folder}: {len(files)} files *.json; name one with --split")
        self._folder, self._where = folder, str(files[0])
        document = read_json(files[0])
        with fields_of(self._where, "COCO keypoints"):
            self._images = [(image["id"], str(image["file_name"])) for image in document["images"]]
            self._hands: dict[Any, list[Any]] = {number: [] for number, _ in self._images}
            for annotation in document["annotations"]:
                known = self._hands[annotation["image_id"]]
                if annotation["keypoints"] not in known:
                    known.append(annotation["keypoints"])

    def __len__(self) -> int:
        return len(self._images)

    def picture(self, index: int) -> TruePicture:
        number, name = self._images[index]
        path = self._folder / name
        hands = []
        for numbers in self._hands[number]:
            marked = array_of(numbers, (NUMBERS,), self._where).reshape(JOINTS, 3)
            px = np.where(marked[:, 2:] > 0, marked[:, :2], np.nan)
            hands.append(TrueHand(None, np.full((JOINTS, 3), np.nan), px))
        return TruePicture(name, lambda: read_image(path), None, tuple(hands), complete=True)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))
