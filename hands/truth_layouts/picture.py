"""What every reader gives: a picture, its camera and the hands that are truly in it."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.cameras import Camera, turn_rotation
from core.session.storage import storage_errors

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

JOINTS = 21


@dataclass(frozen=True, eq=False)
class TrueHand:
    """side: left or right, None where the set does not say.

    joints_in_camera: ``(21,3)`` metres, MediaPipe's order, NaN where the set has no such joint;
    all NaN in sets that mark the picture only.   px: ``(21,2)`` pixel centres, NaN likewise.
    """

    side: str | None
    joints_in_camera: Floats
    px: Floats

    @staticmethod
    def seen_by(camera: Camera, joints_in_camera: Floats, side: str | None) -> "TrueHand":
        """A hand in space, its pixels by projection."""
        px, valid = camera.project(joints_in_camera)
        return TrueHand(side, joints_in_camera, np.where(valid[:, None], px, np.nan))


@dataclass(frozen=True, eq=False)
class TruePicture:
    """name: of the picture, for people.   load: reads it, ``(H,W,3)`` RGB.

    camera: None in sets without.   complete: whether every hand in the picture is in ``hands``.
    """

    name: str
    load: Callable[[], Image]
    camera: Camera | None
    hands: tuple[TrueHand, ...]
    complete: bool

    def turned(self, degrees: int) -> "TruePicture":
        """The picture turned clockwise by a multiple of 90 degrees, camera and hands with it."""
        if not degrees:
            return self
        assert self.camera is not None
        camera, turn = self.camera.rotated(degrees), turn_rotation(degrees)
        hands = tuple(
            TrueHand.seen_by(camera, hand.joints_in_camera @ turn.T, hand.side)
            for hand in self.hands
        )
        load = self.load
        return TruePicture(
            self.name,
            lambda: np.ascontiguousarray(np.rot90(load(), -degrees // 90)),
            camera,
            hands,
            self.complete,
        )


class TruthLayout(Sequence[TruePicture], ABC):
    """A data set in a folder; pictures are made one by one when asked for."""

    name: ClassVar[str]
    about: ClassVar[str]

    @classmethod
    @abstractmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether the folder's files are those of this set. Looks at names only."""

    @abstractmethod
    def __init__(self, folder: Path, split: str | None = None) -> None:
        """split: a part of the set, where it has parts."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def picture(self, index: int) -> TruePicture:
        """One picture, 0 … len - 1."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.picture(k) for k in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.picture(int(index) % len(self))


@contextmanager
def fields_of(where: str, what: str) -> Iterator[None]:
    """Reading ``what`` from outside: a field missing or of another kind is one line naming it."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        why = str(error).splitlines()[0]
        why = f"{why} is missing" if isinstance(error, KeyError) else why
        raise BadInputError(f"{where}: not {what} ({why}); is the file complete?") from error


def read_image(path: Path) -> Image:
    """An image file as RGB."""
    with storage_errors("read", str(path)):
        data = path.read_bytes()
    return decoded(data, str(path))


def decoded(data: bytes, where: str) -> Image:
    """An image file's content as RGB ``(H,W,3)``. Raises BadInputError naming ``where``."""
    import cv2

    buffer = np.frombuffer(data, dtype=np.uint8)
    image = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if len(buffer) else None
    if image is None:
        raise BadInputError(f"{where}: no picture that can be read; is the data set complete?")
    return np.ascontiguousarray(image[..., ::-1])


def read_json(path: Path) -> Any:
    """A JSON file of any kind."""
    with storage_errors("read", str(path)):
        data = path.read_bytes()
    return parsed(data, str(path))


def parsed(data: bytes, where: str) -> Any:
    """JSON of any kind. Raises BadInputError naming ``where``."""
    try:
        return json.loads(data)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{where}: not valid JSON ({error}); is the file complete?") from error


def array_of(values: Any, shape: tuple[int, ...], where: str) -> Floats:
    """Numbers of a known shape; -1 leaves a length open. Raises BadInputError naming ``where``."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{where}: not numbers of shape {shape}") from error
    if array.ndim != len(shape) or any(
        w not in {-1, n} for w, n in zip(shape, array.shape, strict=True)
    ):
        raise BadInputError(f"{where}: shape {array.shape}, expected {shape}")
    return array
