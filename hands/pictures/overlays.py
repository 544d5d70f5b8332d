"""Hands drawn over the images, from the tables as everybody else reads them.

Blue left, orange right, paler where interpolated. A landmark is a disc where it is seen and a ring
where it is only inferred. Palm axes: x red, y green, z blue. White points: what the detector saw.
A dotted line between thumb and index tip: the aperture, where it is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import BONES, INDEX, SIDES
from core.geometry.se3 import SE3
from core.session.tables import Detections, EndEffectors, Hands, Ticks

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

COLOUR_RGB = {"left": (40, 160, 255), "right": (255, 140, 30)}
AXIS_COLOURS_RGB = ((230, 30, 30), (30, 200, 30), (60, 60, 255))
WHITE = (255, 255, 255)
PALE = 0.55  # interpolated hands are drawn paler
AXIS_M = 0.05
CROP_ROOM = 1.8
DOTS = 7  # of the aperture's line


@dataclass(frozen=True, eq=False)
class DrawnHands:
    """Both hands over T ticks, left and right, head frame; NaN where missing.

    seconds: ``(T,)`` on the session's clock.   landmarks: ``(T,2,17,3)``.   visible: ``(T,2,17)``.
    head_from_palm: ``(T,2)``.   aperture_m, state, reason: ``(T,2)``.   found_px: tick row ->
    ``(K,2)`` what a detector saw.
    """

    seconds: Floats
    landmarks: Floats
    visible: NDArray[np.bool_]
    head_from_palm: SE3
    aperture_m: Floats
    state: NDArray[np.object_]
    reason: NDArray[np.object_]
    found_px: dict[int, Floats]


def drawn_hands(
    hands: Hands,
    palms: EndEffectors,
    *,
    ticks: Ticks,
    origin_ns: int,
    detections: Detections | None = None,
) -> DrawnHands:
    """The tables side by side; a tick that a table lacks is missing. origin_ns: second 0."""
    count = len(ticks)
    landmarks = np.full((count, 2, 17, 3), np.nan)
    visible = np.zeros((count, 2, 17), dtype=bool)
    pose7 = np.full((count, 2, 7), np.nan)
    aperture = np.full((count, 2), np.nan)
    state = np.full((count, 2), "missing", dtype=object)
    reason = np.full((count, 2), None, dtype=object)
    for side, name in enumerate(SIDES):
        row, mine = _rows_of_side(ticks, hands, name)
        landmarks[row, side] = hands.landmarks_in_head[mine].reshape(-1, 17, 3)
        visible[row, side] = hands.visible[mine]
        known = hands.aperture_m_valid[mine]
        aperture[row, side] = np.where(known, hands.aperture_m[mine], np.nan)
        state[row, side], reason[row, side] = hands.state[mine], hands.reason[mine]
        row, mine = _rows_of_side(ticks, palms, name)
        pose7[row, side] = palms.head_from_palm[mine]
    found: dict[int, Floats] = {}
    if detections is not None:
        head = np.array([stream == "head" for stream in detections.stream], dtype=bool)
        for row, k in zip(*_rows_at(ticks, detections, head), strict=True):
            points = detections.raw21_px[k].reshape(21, 2).astype(np.float64)
            found[row] = np.vstack([found[row], points]) if row in found else points
    palm, seconds = SE3.from_pose7(pose7), (ticks.timestamp_ns - origin_ns) / 1e9
    return DrawnHands(seconds, landmarks, visible, palm, aperture, state, reason, found)


def _rows_of_side(
    ticks: Ticks, table: Hands | EndEffectors, side: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Tick rows of the table's rows of one side, and those rows."""
    return _rows_at(ticks, table, np.array([s == side for s in table.side], dtype=bool))


def _rows_at(
    ticks: Ticks, table: Hands | EndEffectors | Detections, mask: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Tick rows of those of the table's rows in the mask that lie at one, and those rows."""
    mine = np.flatnonzero(mask)
    row = np.searchsorted(ticks.tick, table.tick[mine])
    known = (row < len(ticks)) & (ticks.tick[np.minimum(row, len(ticks) - 1)] == table.tick[mine])
    return row[known], mine[known]


def draw_hands(image_rgb: Image, drawn: DrawnHands, row: int, *, camera: Camera) -> None:
    """Draw both hands of a tick row into the image, in place."""
    import cv2

    thick = max(1, image_rgb.shape[1] // 480)
    for point in drawn.found_px.get(row, np.zeros((0, 2))):
        cv2.circle(image_rgb, _whole(point), thick, WHITE, -1, cv2.LINE_AA)
    for side, name in enumerate(SIDES):
        state = drawn.state[row, side]
        if state == "missing":
            continue
        colour = np.array(COLOUR_RGB[name], dtype=np.float64)
        if state == "interpolated":
            colour = PALE * colour + (1 - PALE) * 255
        pixels = _pixels(drawn.landmarks[row, side], camera)
        for start, end in BONES:
            _line(image_rgb, pixels[start], pixels[end], colour=colour, thick=thick)
        for point, seen in zip(pixels, drawn.visible[row, side], strict=True):
            _landmark(image_rgb, point, seen=bool(seen), colour=colour, thick=thick)
        if np.isfinite(drawn.aperture_m[row, side]):
            _dotted(image_rgb, pixels[[INDEX["thumb_tip"], INDEX["index_tip"]]], thick=thick)
        _axes(image_rgb, drawn.head_from_palm[row, side], camera=camera, thick=thick)


def caption(drawn: DrawnHands, row: int) -> list[tuple[str, tuple[int, int, int]]]:
    """The time and a line for each hand, with its colour: state, reason, aperture."""
    lines = [(f"{drawn.seconds[row]:.2f} s", WHITE)]
    for side, name in enumerate(SIDES):
        words = f"{name} {drawn.state[row, side]}"
        if drawn.reason[row, side]:
            words += f": {drawn.reason[row, side]}"
        if np.isfinite(drawn.aperture_m[row, side]):
            words += f", aperture {1e3 * drawn.aperture_m[row, side]:.0f} mm"
        lines.append((words, COLOUR_RGB[name]))
    return lines


def write_caption(image_rgb: Image, lines: list[tuple[str, tuple[int, int, int]]]) -> None:
    """Lines of text at the top left, in place, dark behind."""
    import cv2

    size = max(image_rgb.shape[1] / 1100, 0.4)
    step = round(28 * size)
    for k, (words, colour) in enumerate(lines):
        place = (round(8 * size), (k + 1) * step)
        for ink, thick in (((0, 0, 0), 5), (colour, 2)):
            cv2.putText(
                image_rgb, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8 * size, ink,
                max(1, round(thick * size)), cv2.LINE_AA,
            )  # fmt: skip


def _landmark(image_rgb: Image, point: Floats, *, seen: bool, colour: Floats, thick: int) -> None:
    import cv2

    if np.isfinite(point).all():
        fill = -1 if seen else max(1, thick // 2)
        cv2.circle(image_rgb, _whole(point), 2 * thick, colour.tolist(), fill, cv2.LINE_AA)


def _dotted(image_rgb: Image, ends: Floats, *, thick: int) -> None:
    import cv2

    if np.isfinite(ends).all():
        for part in np.linspace(0, 1, DOTS + 2)[1:-1]:
            point = (1 - part) * ends[0] + part * ends[1]
            cv2.circle(image_rgb, _whole(point), thick, WHITE, -1, cv2.LINE_AA)


def _axes(image_rgb: Image, head_from_palm: SE3, *, camera: Camera, thick: int) -> None:
    origin = head_from_palm.translation
    tips = origin + AXIS_M * head_from_palm.rotation.T
    pixels = _pixels(np.vstack([origin, tips]), camera)
    for end, colour in zip(pixels[1:], AXIS_COLOURS_RGB, strict=True):
        _line(image_rgb, pixels[0], end, colour=np.array(colour), thick=thick + 1)


def _pixels(points: Floats, camera: Camera) -> Floats:
    uv_px, valid = camera.project(points)
    return np.where(valid[..., None] & (np.abs(uv_px) < 1e5), uv_px, np.nan)


def _line(image_rgb: Image, start: Floats, end: Floats, *, colour: Floats, thick: int) -> None:
    import cv2

    if np.isfinite(start).all() and np.isfinite(end).all():
        cv2.line(image_rgb, _whole(start), _whole(end), colour.tolist(), thick, cv2.LINE_AA)


def _whole(point: Floats) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def crop_to_hands(image_rgb: Image, drawn: DrawnHands, row: int, *, camera: Camera) -> Image:
    """The part of the image around the hands, with room to see what they do; all of it without
    hands.

    The crop has the image's own proportions, so that all pictures of a sheet fit together.
    """
    height, width = image_rgb.shape[:2]
    pixels = _pixels(drawn.landmarks[row].reshape(-1, 3), camera)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    if not len(pixels):
        return image_rgb
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    scale = min(1.0, CROP_ROOM * float(np.max((high - low) / (width, height))))
    size = np.maximum(np.array([width, height]) * scale, 32).astype(int)
    corner = np.clip((low + high) / 2 - size / 2, 0, np.array([width, height]) - size).astype(int)
    return image_rgb[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
