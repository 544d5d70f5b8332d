"""The contact sheet: pictures spread over the session with the hands that were found in them."""

from dataclasses import dataclass

import numpy as np

from app.report.overlay import draw_frame, draw_hand, window_around
from app.report.pictures import SIDE_COLOR, TRUTH, photo, rgb
from app.scene import Scene
from core.geometry.landmarks import SIDES
from core.session.frames import open_frames
from core.session.stage import NO_PROGRESS, Progress


@dataclass(frozen=True)
class Picture:
    """One picture of the page. source: data address.   caption: below it.   wide: needs room."""

    source: str
    caption: str
    wide: bool = False


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
    reasons = {side: scene.reasons(side) for side in SIDES}
    shown = [points[ticks] for points in (*landmarks.values(), *exact.values())]
    window = window_around(camera, shown)
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
                why = f" ({reasons[side][tick]})" if reasons[side][tick] else ""
                said.append(f"{side} {states[side][tick]}{why}")
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
