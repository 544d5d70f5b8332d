"""What plain MediaPipe finds in a synthetic take: its hand landmarker on whole head pictures,
following hands through the video, at its own default confidences, two hands at most.
"""

from pathlib import Path
from typing import Any

import numpy as np

from app.evaluate.detections import found_of, wanted_hands
from core.session.calibration import Calibration
from core.session.frames import open_video
from core.session.storage import SessionFolder
from core.session.tables import Hands
from hands.model_file import hand_model_path

FRAME_MS = 33  # MediaPipe wants rising stamps; nothing depends on their size


def found_alone(take: Path) -> dict[str, Any]:
    """Of a recorded rig folder with truth: share of the hands that must be found, any side."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    folder = SessionFolder(str(take))
    camera = Calibration.read(folder, "truth").stream("head").camera
    wanted = wanted_hands(Hands.read(folder, "truth"), camera)
    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(hand_model_path())),
        running_mode=vision.RunningMode.VIDEO,
        num_hands=2,
    )
    points = {}
    with (
        vision.HandLandmarker.create_from_options(options) as landmarker,
        open_video(take / "head.mp4") as video,
    ):
        for tick, frame in enumerate(video.iterate()):
            image = np.ascontiguousarray(frame.image_rgb)
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
            found = landmarker.detect_for_video(picture, tick * FRAME_MS)
            relative = [[[p.x, p.y] for p in hand] for hand in found.hand_landmarks]
            size = np.array([image.shape[1], image.shape[0]])
            points[tick] = np.array(relative).reshape(-1, 21, 2) * size - 0.5
    chosen = found_of(wanted, points)
    return {"wanted": len(chosen), "found": int(np.count_nonzero(chosen >= 0))}
