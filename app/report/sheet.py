"""The contact sheet: pictures spread over the session with the hands that were found in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.report.overlay import draw_frame, draw_hand, project
from app.report.pictures import SIDE_COLOR, TRUTH, photo, rgb
from app.scene import Scene
from core.geometry.cameras import Camera
from core.geometry.landmarks import SIDES
from core.session.frames import open_frames
from core.session.stage import NO_PROGRESS, Progress

ROOM = 1.5  # the window is so many times as large as the hands' own box …
LEAST_SHARE = 0.35  # … and at least this share of the view


@dataclass(frozen=True)
class Picture:
    """One picture of the page. source: data address.   caption: below it."""

    source: str
    caption: str


def contact_sheet(
    scene: Scene, *, count: int = 9, progress: Progress = NO_PROGRESS
) -> list[Picture]:
    """`count` redacted pictures of the head camera, evenly spread, hands and palms drawn.

    All show the same part of the view: the one in which the hands are. The truth of synthetic
    sessions lies below in thin green.
    """
    ticks = np.unique(np.linspace(0, len(scene.ticks) - 1, count).round().astype(int))
    camera = scene.calibration.stream("head").camera
    landmarks = {side: scene.landmarks_in_head(side) for side in SIDES}
    palms = {side: scene.palm_in_head(side) for side in SIDES}
    exact = scene.truth_landmarks()
    states = {side: scene.states(side) for side in SIDES}
    shown = [points[ticks] for points in (*landmarks.values(), *exact.values())]
    window = window_of_hands(camera, shown)
    thin = max(1, round((window[2] - window[0]) / 420))
    width = max(2, round((window[2] - window[0]) / 210))
    pictures = []
    progress.total(len(ticks), "picture")
    with open_frames(scene.folder, "head") as frames:
        for tick in ticks:
            image = np.array(frames.near(int(scene.ticks.timestamp_ns[tick])).image_rgb)
            said = [f"{scene.seconds[tick]:.2f} s"]
            for points in exact.values():
                if np.isfinite(points[tick]).all():
                    draw_hand(image, camera, points[tick], color=rgb(TRUTH), width=thin)
            for side in SIDES:
                said.append(f"{side} {states[side][tick]}")
                if np.isfinite(landmarks[side][tick]).all():
                    color = rgb(SIDE_COLOR[side])
                    draw_hand(image, camera, landmarks[side][tick], color=color, width=width)
                poses, known = palms[side]
                if known[tick]:
                    draw_frame(image, camera, poses[tick], length_m=0.05, width=width)
            x0, y0, x1, y1 = window
            pictures.append(Picture(photo(image[y0:y1, x0:x1], width=640), " · ".join(said)))
            progress.advance()
    return pictures


def window_of_hands(
    camera: Camera, landmarks: list[NDArray[np.float64]]
) -> tuple[int, int, int, int]:
    """Box xyxy in pixels around all hands with room to see the scene; the whole view without."""
    wide, high = (int(size) for size in camera.size_wh)
    points = np.concatenate([one.reshape(-1, 3) for one in landmarks])
    uv_px, seen = project(camera, points[np.isfinite(points).all(-1)])
    inside = uv_px[seen & (uv_px >= 0).all(-1) & (uv_px < (wide, high)).all(-1)]
    if not len(inside):
        return 0, 0, wide, high
    low, top = inside.min(0), inside.max(0)
    centre, size = (low + top) / 2, (top - low) * ROOM
    scale = min(1.0, max(size[0] / wide, size[1] / high, LEAST_SHARE))
    half = 0.5 * scale * np.array([wide, high])
    centre = np.clip(centre, half, (wide, high) - half)
    x0, y0 = np.floor(centre - half).astype(int)
    x1, y1 = np.ceil(centre + half).astype(int)
    return max(int(x0), 0), max(int(y0), 0), min(int(x1), wide), min(int(y1), high)
