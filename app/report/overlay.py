"""Hands, palm frames and paths drawn into pictures. Projection is the calibration's own."""

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import BONES
from core.geometry.se3 import SE3

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
AXES = ((230, 70, 60), (60, 180, 75), (60, 110, 230))  # x, y, z
ROOM = 1.5  # the window is so many times as large as the points' own box …
LEAST_SHARE = 0.35  # … and at least this share of the view
SHIFT = 4  # drawing in sixteenths of a pixel


def project(camera: Camera, points_in_camera: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Pixels ``(…,2)`` and whether they can be drawn: in front, finite and not far outside."""
    uv_px, valid = camera.project(points_in_camera)
    reach = 2.0 * max(camera.size_wh)
    near = np.isfinite(uv_px).all(-1) & (np.abs(np.nan_to_num(uv_px)) < reach).all(-1)
    return np.asarray(uv_px), np.asarray(valid & near)


def draw_hand(
    image: Image,
    camera: Camera,
    landmarks_in_camera: Floats,
    *,
    color: tuple[int, int, int],
    width: int,
) -> None:
    """Bones and joints of one hand ``(17,3)``, in place."""
    uv_px, seen = project(camera, landmarks_in_camera)
    for a, b in BONES:
        if seen[a] and seen[b]:
            _line(image, uv_px[[a, b]], color=color, width=width)
    for point in uv_px[seen]:
        cv2.circle(
            image, _fixed(point), (width + 1) << SHIFT, (255, 255, 255), -1, cv2.LINE_AA, SHIFT
        )
        cv2.circle(image, _fixed(point), width << SHIFT, color, -1, cv2.LINE_AA, SHIFT)


def draw_frame(
    image: Image, camera: Camera, camera_from_frame: SE3, *, length_m: float, width: int
) -> None:
    """The three axes of a frame, in place: x red, y green, z blue."""
    tips = np.concatenate([np.zeros((1, 3)), length_m * np.eye(3)])
    uv_px, seen = project(camera, camera_from_frame.apply(tips))
    for k, color in enumerate(AXES, start=1):
        if seen[0] and seen[k]:
            _line(image, uv_px[[0, k]], color=color, width=width)


def draw_path(
    image: Image,
    camera: Camera,
    points_in_camera: Floats,
    *,
    color: tuple[int, int, int],
    width: int,
) -> None:
    """A path ``(N,3)`` with a dot at its end, in place."""
    uv_px, seen = project(camera, points_in_camera)
    for k in range(len(uv_px) - 1):
        if seen[k] and seen[k + 1]:
            _line(image, uv_px[[k, k + 1]], color=color, width=width)
    if len(seen) and seen[-1]:
        cv2.circle(image, _fixed(uv_px[-1]), (2 * width) << SHIFT, color, -1, cv2.LINE_AA, SHIFT)


def _line(image: Image, ends_px: Floats, *, color: tuple[int, int, int], width: int) -> None:
    start, end = _fixed(ends_px[0]), _fixed(ends_px[1])
    cv2.line(image, start, end, color, width, cv2.LINE_AA, SHIFT)


def _fixed(point_px: Floats) -> tuple[int, int]:
    return round(float(point_px[0]) * (1 << SHIFT)), round(float(point_px[1]) * (1 << SHIFT))


def window_around(camera: Camera, points_in_camera: list[Floats]) -> tuple[int, int, int, int]:
    """Box xyxy in pixels around points ``(…,3)`` with room; without points the whole view."""
    wide, high = (int(size) for size in camera.size_wh)
    points = np.concatenate([one.reshape(-1, 3) for one in points_in_camera])
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
