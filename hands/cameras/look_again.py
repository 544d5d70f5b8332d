"""A known hand read in another camera's picture: where the head's fit says that it must be.

No search: the landmark network reads the square around the projected hand, then around its own
answer where it was unsure. Costs 6 to 12 ms of CPU per hand and picture. Close to a wrist camera
only a part of the hand is in the picture; the square is then that of the visible part.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.session.calibration import Calibration
from core.session.frames import open_frames
from core.session.info import SessionInfo
from core.session.layout import CALIBRATION
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.cameras.second_views import SecondView, read_second_views, second_cameras
from hands.config import HandsConfig, HandsDetectConfig
from hands.detection.crops import crop_of_hand
from hands.detection.detector import HandDetector
from hands.detection.model_file import hand_model_path
from hands.detection.views import FoundHand

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

IN_VIEW = 0.5  # of a hand's landmarks, else it is not looked for
CUT_SCALE = 0.8  # of the square around a hand that the picture's edge cuts
BATCH = 2000  # ticks whose hands are projected at once
PARTS = 2  # of the recording, read beside each other: part of the result
LEAST, SURE = 0.5, 0.75  # presence above which an answer counts, and above which it is the last


@dataclass(frozen=True, eq=False)
class Readings:
    """Both hands, left and right, in one camera's pictures at T ticks; NaN where they were not
    read.

    raw21_px: ``(T,2,21,2)``.   raw21_in_hand: ``(T,2,21,3)``.   looked: ``(T,2)`` whether the hand
    must be in the picture.
    """

    raw21_px: Floats
    raw21_in_hand: Floats
    looked: NDArray[np.bool_]


Look = Callable[[SecondView, Floats], Readings]


@dataclass(frozen=True, eq=False)
class OtherCameras:
    """Cameras beside the head's, how to look into their pictures, and why others are left out (by
    stream).
    """

    views: Sequence[SecondView]
    look: Look
    unused: dict[str, str] = field(default_factory=dict)


def cameras_of(folder: SessionFolder, config: HandsConfig) -> list[str]:
    """The streams of a session in which hands known from the head camera may be looked for."""
    if not config.other_cameras or config.source != "mediapipe" or not folder.exists(CALIBRATION):
        return []
    return second_cameras(SessionInfo.read(folder), Calibration.read(folder))


def other_cameras(
    folder: SessionFolder, ticks: Ticks, *, config: HandsConfig, progress: Progress
) -> OtherCameras | None:
    """Those of the session; None where there are none."""
    names = cameras_of(folder, config)
    if not names or not len(ticks):
        return None
    views, unused = read_second_views(folder, ticks, names)
    if views:
        progress.note("hands in " + ", ".join(view.name for view in views))
        progress.total(sum(int((view.picture >= 0).sum()) for view in views), "picture")
    return OtherCameras(views, look_into(folder, config.model, progress), unused)


def look_into(folder: SessionFolder, model: str | None, progress: Progress) -> Look:
    """A look into a session's pictures for hands ``(T,2,21,3)`` in the head, NaN where unknown."""

    def look(view: SecondView, joints_in_head: Floats) -> Readings:
        expected = np.full((*joints_in_head.shape[:-1], 2), np.nan)
        known = np.isfinite(joints_in_head).all(axis=(-1, -2)).any(axis=1)
        there = np.flatnonzero(known & view.head_from_camera.finite & (view.picture >= 0))
        for rows in np.array_split(there, 1 + len(there) // BATCH):
            here = replace(view, head_from_camera=view.head_from_camera[rows])
            expected[rows] = expected_px(here, joints_in_head[rows])
        wanted = np.isfinite(expected).all(axis=(-1, -2))
        px = np.full(expected.shape, np.nan, dtype=np.float32)
        points = np.full(joints_in_head.shape, np.nan, dtype=np.float32)
        one_at_a_time = Lock()

        def read(ticks: NDArray[np.int64]) -> None:
            before: list[Floats | None] = [None, None]
            detector = _detector(hand_model_path(model))
            with open_frames(folder, view.name, redact=False) as frames:
                for tick in ticks.tolist():
                    with one_at_a_time:
                        progress.advance()
                    image = frames.read(int(view.picture[tick])).image_rgb
                    for s in np.flatnonzero(wanted[tick]):
                        hand = read_hand(detector, image, expected[tick, s], before=before[s])
                        if hand is not None:
                            before[s] = hand.raw21_px
                            px[tick, s], points[tick, s] = hand.raw21_px, hand.raw21_in_hand

        asked = np.flatnonzero(wanted.any(axis=1))
        progress.advance(int((view.picture >= 0).sum()) - len(asked))
        with ThreadPoolExecutor(PARTS) as pool:  # networks and decoder work outside Python's lock
            list(pool.map(read, np.array_split(asked, PARTS)))
        return Readings(px, points, wanted)

    return look


def _detector(model: Path) -> HandDetector:
    return HandDetector(model, HandsDetectConfig(min_tracking_confidence=0.0))


def expected_px(view: SecondView, joints_in_head: Floats) -> Floats:
    """``(T,2,21,2)`` where hands ``(T,2,21,3)`` must be in the picture, drawn to its edge where
    they stick out; NaN where less than half of a hand is in it.
    """
    pose = view.head_from_camera.inverse()
    count = len(joints_in_head)
    here = pose.apply(joints_in_head.reshape(count, 42, 3)).reshape(count, 2, 21, 3)
    uv_px, valid = view.camera.project(here)
    uv_px = np.where(np.isfinite(uv_px), uv_px, -1e6)
    inside = valid & view.camera.in_image(uv_px)
    total = np.sum(np.where(inside[..., None], uv_px, 0.0), axis=-2, keepdims=True)
    middle = total / np.maximum(inside.sum(axis=-1), 1)[..., None, None]
    known = np.where(valid[..., None], uv_px, middle)  # behind the lens is nowhere in the picture
    drawn = np.clip(known, 0.0, np.array(view.camera.size_wh) - 1.0)
    enough = inside.mean(axis=-1) >= IN_VIEW
    return np.where(enough[..., None, None], drawn, np.nan)


def read_hand(
    detector: HandDetector, image_rgb: Image, expected: Floats, *, before: Floats | None = None
) -> FoundHand | None:
    """The hand that is expected at ``(21,2)``; None where none is seen.   before: where it was read
    last.

    Looks around the answer before, there, and around its own best answer, until one look is sure.
    """
    last = np.array([image_rgb.shape[1], image_rgb.shape[0]]) - 1.0
    scale = CUT_SCALE if ((expected <= 0) | (expected >= last)).any() else 1.0
    best: FoundHand | None = None
    for place in (before, expected, None):
        around = best.raw21_px if place is None and best is not None else place
        if around is None:
            continue
        crop = crop_of_hand(np.clip(around, 0.0, last))
        hand = detector.read(image_rgb, replace(crop, side_px=crop.side_px * scale))
        if hand is not None and (best is None or hand.presence > best.presence):
            best = hand
        if best is not None and best.presence > SURE:
            break
    return best if best is not None and best.presence > LEAST else None
