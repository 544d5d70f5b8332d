"""The two networks of a ``hand_landmarker.task`` on LiteRT: one thread, 5 ms of CPU a run each."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, MissingExtraError
from hands.quiet import quiet_library

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

PALM_PX = 192  # side of the picture that the palm network reads
HAND_PX = 224  # side of the crop that the landmark network reads
PALMS, HAND = "hand_detector.tflite", "hand_landmarks_detector.tflite"


@dataclass(frozen=True, eq=False)
class HandAnswer:
    """Of one crop. points: ``(21,2)`` pixels of the crop, 0 and 224 its outer edges.   presence:
    that a hand is there.   right: that it is a right one.   world: ``(21,3)`` metres, crop's axes.
    """

    points: Floats
    presence: float
    right: float
    world: Floats


class HandNetworks:
    """Both networks, ready to run. Not for use by two threads at once.

    Raises `BadInputError` for a task file without them, `MissingExtraError` without LiteRT.
    """

    def __init__(self, model: Path) -> None:
        try:
            with zipfile.ZipFile(model) as task, quiet_library():
                self._palms, self._hand = (_Network(task.read(name)) for name in (PALMS, HAND))
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise BadInputError(
                f"hand model {model}: holds no networks to run ({error}); give MediaPipe's "
                "hand_landmarker.task"
            ) from error

    def palms(self, picture: Image) -> tuple[Floats, Floats]:
        """Of ``(192,192,3)`` RGB: boxes and key points ``(2016,18)`` by their anchors, logits
        ``(2016,)``.
        """
        boxes, logits = self._palms.run(picture)
        return boxes[0].astype(np.float64), logits[0, :, 0].astype(np.float64)

    def hand(self, crop: Image) -> HandAnswer:
        """Of ``(224,224,3)`` RGB."""
        points, presence, right, world = self._hand.run(crop)
        return HandAnswer(
            points.reshape(21, 3)[:, :2].astype(np.float64),
            float(presence[0, 0]),
            float(right[0, 0]),
            world.reshape(21, 3).astype(np.float64),
        )


class _Network:
    """One interpreter. Outputs come in the order of their names, which is the model's own."""

    def __init__(self, content: bytes) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingExtraError(
                "finding hands needs LiteRT: pip install 'handoff-ego[hands]'"
            ) from error
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        (given,) = self._interpreter.get_input_details()
        self._input: int = given["index"]
        self._buffer = np.zeros(given["shape"], dtype=np.float32)
        answers = sorted(self._interpreter.get_output_details(), key=lambda one: str(one["name"]))
        self._outputs: list[int] = [answer["index"] for answer in answers]

    def run(self, picture: Image) -> list[NDArray[Any]]:
        np.multiply(picture, np.float32(1 / 255), out=self._buffer[0])
        self._interpreter.set_tensor(self._input, self._buffer)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]
