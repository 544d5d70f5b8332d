"""InterHand2.6M: ``annotations/…/InterHand2.6M_<split>_{data,camera,joint_3d}.json`` and
``images/<split>/Capture…``.

Joints are world millimetres, 21 of the right hand, then 21 of the left: thumb, index, middle, ring,
pinky, each from its tip to the palm (``r_thumb4`` … ``r_thumb1``), the wrist last. A point in the
camera is ``camrot @ (world - campos)``. Joints that ``joint_valid`` does not vouch for are NaN;
a hand without its wrist is left out.
"""

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInputError
from core.geometry.cameras import PinholeRadtan
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

SPLITS = ("test", "val", "train")
WRIST = 20
# for MediaPipe's joints their places in one hand of the set
ORDER = np.array([
    WRIST,
    *(3, 2, 1, 0),
    *(7, 6, 5, 4),
    *(11, 10, 9, 8),
    *(15, 14, 13, 12),
    *(19, 18, 17, 16),
])
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
NAMES = (*(f"{finger}{k}" for finger in FINGERS for k in (4, 3, 2, 1)), "wrist")
SIDES = (("right", 0), ("left", JOINTS))


class InterHand(TruthLayout):
    """One picture for every annotation."""

    name = "interhand"
    about = "InterHand2.6M: annotations/…_data.json, …_camera.json, …_joint_3d.json, images/"

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        return bool(_annotations(folder, SPLITS))

    def __init__(self, folder: Path, split: str | None = None) -> None:
        found = _annotations(folder, (split,) if split else SPLITS)
        if not found:
            raise BadInputError(
                f"{folder}: no annotations/**/InterHand2.6M_{split or '<split>'}_data.json in it"
            )
        data, self._split = found[0]
        stem = data.name.removesuffix("_data.json")
        document = read_json(data)
        self._where = str(data)
        self._cameras = read_json(data.with_name(f"{stem}_camera.json"))
        self._joints = read_json(data.with_name(f"{stem}_joint_3d.json"))
        with fields_of(self._where, "InterHand2.6M's"):
            self._pictures = {image["id"]: image for image in document["images"]}
            self._annotations = list(document["annotations"])
        self._folder = folder
        _check_names(folder / "annotations" / "skeleton.txt")

    def __len__(self) -> int:
        return len(self._annotations)

    def picture(self, index: int) -> TruePicture:
        annotation = self._annotations[index]
        with fields_of(
            f"{self._where}: annotation {index}", "InterHand2.6M's, its cameras and joints"
        ):
            return self._picture(annotation, self._pictures[annotation["image_id"]])

    def _picture(self, annotation: Any, image: Any) -> TruePicture:
        capture, name = str(image["capture"]), str(image["camera"])
        camera, rotation, position = self._camera(image, capture, name)
        world = self._joints[capture][str(image["frame_idx"])]
        world = world["world_coord"] if isinstance(world, dict) else world
        where = f"{self._where}: frame {image['frame_idx']}"
        valid = array_of(np.ravel(annotation["joint_valid"]), (2 * JOINTS,), where) > 0
        joints = (array_of(world, (2 * JOINTS, 3), where) - position) @ rotation.T / 1e3
        joints = np.where(valid[:, None], joints, np.nan)
        hands = tuple(
            TrueHand.seen_by(camera, joints[start + ORDER], side)
            for side, start in SIDES
            if valid[start + WRIST]
        )
        path = self._folder / "images" / self._split / image["file_name"]
        whole = annotation.get("hand_type") in ("right", "left", "interacting")
        return TruePicture(
            image["file_name"], lambda: read_image(path), camera, hands, complete=whole
        )

    def _camera(self, image: Any, capture: str, name: str) -> tuple[PinholeRadtan, Any, Any]:
        """The camera, camera_from_world's rotation and the camera's place in millimetres."""
        known = self._cameras[capture]
        where = f"{self._where}: camera {name}"
        focal = array_of(known["focal"][name], (2,), where)
        centre = array_of(known["princpt"][name], (2,), where)
        camera = PinholeRadtan(
            params=(*focal, *centre, 0, 0, 0, 0), size_wh=(image["width"], image["height"])
        )
        rotation = array_of(known["camrot"][name], (3, 3), where)
        return camera, rotation, array_of(known["campos"][name], (3,), where)


def _annotations(folder: Path, splits: tuple[str, ...]) -> list[tuple[Path, str]]:
    """Data files, the splits in order, the subset `all` first."""
    found = []
    for split in splits:
        paths = sorted((folder / "annotations").glob(f"**/InterHand2.6M_{split}_data.json"))
        found += [(path, split) for path in sorted(paths, key=lambda p: p.parent.name != "all")]
    return found


def _check_names(path: Path) -> None:
    """Refuse a set whose skeleton file names another order than ours."""
    if not path.is_file():
        return
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [words for words in lines if len(words) == 3 and words[1].isdigit()]
    names = [words[0] for words in sorted(rows, key=lambda words: int(words[1]))]
    expected = [f"{letter}_{name}" for letter in "rl" for name in NAMES]
    if names != expected:
        raise BadInputError(f"{path}: names another joint order than InterHand2.6M's")
