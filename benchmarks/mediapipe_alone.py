"""What plain MediaPipe finds in a synthetic take: its hand landmarker on whole head pictures,
following hands through the video, at its own default confidences, two hands at most.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.evaluate.detections import found_of, wanted_hands
from core.errors import MissingExtraError
from core.session.calibration import Calibration
from core.session.frames import open_video
from core.session.storage import SessionFolder
from core.session.tables import Hands
from hands.detection.model_file import hand_model_path

FRAME_MS = 33  # MediaPipe wants rising stamps; nothing depends on their size


def found_alone(take: Path) -> dict[str, Any]:
    """Of a recorded rig folder with truth: share of the hands that must be found, any side."""
    folder = SessionFolder(str(take))
    camera = Calibration.read(folder, "truth").stream("head").camera
    wanted = wanted_hands(Hands.read(folder, "truth"), camera)
    points, _ = points_alone(take / "head.mp4")
    chosen = found_of(wanted, points)
    return {"wanted": len(chosen), "found": int(np.count_nonzero(chosen >= 0))}


def points_alone(video: Path) -> tuple[dict[int, NDArray[np.float64]], float]:
    """The hands of every picture, row -> ``(D,21,2)`` pixels, and CPU seconds with decoding."""
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise MissingExtraError(
            "the peer is mediapipe: pip install 'handoff-ego[bench]'"
        ) from error

    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(hand_model_path())),
        running_mode=vision.RunningMode.VIDEO,
        num_hands=2,
    )
    points = {}
    with (
        vision.HandLandmarker.create_from_options(options) as landmarker,
        open_video(video) as all_,
    ):
        started = time.process_time()
        for row, frame in enumerate(all_.iterate()):
            image = np.ascontiguousarray(frame.image_rgb)
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
            found = landmarker.detect_for_video(picture, row * FRAME_MS)
            relative = [[[p.x, p.y] for p in hand] for hand in found.hand_landmarks]
            size = np.array([image.shape[1], image.shape[0]])
            points[row] = np.array(relative).reshape(-1, 21, 2) * size - 0.5
    return points, time.process_time() - started
