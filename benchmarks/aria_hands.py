"""Our hands beside those that Aria Gen 2 tracked itself, in its wide fisheye cameras.

Part of `benchmarks/hands.py`. The device's hands are an estimate as ours are, from four cameras at
once and with its own idea of where joints lie; what is printed is the difference, not an error.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Fisheye624
from core.geometry.landmarks import (
    INDEX,
    SIDES,
    landmarks17_from_aria21,
    landmarks17_from_mediapipe21,
    mediapipe21_from_aria21,
)
from core.geometry.metrics import mpjpe, procrustes, rotation_error_deg, wrist_relative
from core.geometry.palm import palm_frame
from hands.cameras.vrs import camera_of, open_vrs, rgb_picture
from hands.config import HandsConfig, HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.hindsight import hands_with_hindsight
from hands.detection.model_file import hand_model_path
from hands.model.proportions import hand_shape
from hands.quiet import quiet_library
from hands.sources import SourceHands
from hands.sources.aria_device import device_hands
from hands.wearer import wearer_hands

Floats = NDArray[np.float64]

CAMERAS = ("camera-rgb", "slam-front-left", "slam-front-right")
WARM_UP = 30  # times the first picture is shown first: the parts of the image are searched in turn
MIDDLE_FINGER = (0, 9, 10, 11, 12)


def aria_gen2(folder: Path) -> dict[str, Any]:
    """Per camera: share of the device's hands found, and how far ours lie from them."""
    path = folder / "sequence.vrs"
    provider = open_vrs(path)
    with quiet_library():
        times, points, _ = device_hands(provider, path)
        cameras = {n: (*pictures_of(provider, n), *camera_of(provider, n)) for n in CAMERAS}
    length_mm = 1e3 * _hand_length_m(points)
    result: dict[str, Any] = {"device_hand_length_mm": length_mm}
    for name, (stamps, images, camera, device_from_camera) in cameras.items():
        truth = device_from_camera.inverse().apply(_at(stamps, times, points))
        found = find(images)
        result[name] = {
            "pictures": len(images),
            **{
                label: compare(found, truth, stamps=stamps, camera=camera, length_mm=known)
                for label, known in (
                    ("size_unknown", None),
                    ("size_as_the_device_has_it", length_mm),
                )
            },
        }
    return result


def _hand_length_m(points: Floats) -> float:
    """Wrist to middle fingertip along the bones, median of all device hands."""
    chain = mediapipe21_from_aria21(points)[..., MIDDLE_FINGER, :]
    return float(np.median(np.linalg.norm(np.diff(chain, axis=-2), axis=-1).sum(axis=-1)))


def _at(stamps: NDArray[np.int64], times: NDArray[np.int64], points: Floats) -> Floats:
    """The device's points ``(N,2,21,3)`` at the pictures' times, between its rows."""
    inside = np.clip(stamps, times[0], times[-1])
    after = np.clip(np.searchsorted(times, inside), 1, len(times) - 1)
    part = ((inside - times[after - 1]) / (times[after] - times[after - 1]))[:, None, None, None]
    return (1 - part) * points[after - 1] + part * points[after]


def pictures_of(provider: Any, name: str) -> tuple[NDArray[np.int64], list[NDArray[np.uint8]]]:
    """Device times and RGB pictures of a camera; the SLAM cameras are grey."""
    from projectaria_tools.core.sensor_data import TimeDomain

    stream = provider.get_stream_id_from_label(name)
    stamps = np.array(provider.get_timestamps_ns(stream, TimeDomain.DEVICE_TIME), dtype=np.int64)
    records = (provider.get_image_data_by_index(stream, k)[0] for k in range(len(stamps)))
    return stamps, [rgb_picture(record) for record in records]


def find(images: list[NDArray[np.uint8]]) -> SourceHands:
    """Every hand in the pictures, followed through them."""
    rows, hands = [], []
    detector = HandDetector(hand_model_path(), HandsDetectConfig())
    pictures = [images[0]] * WARM_UP + images
    every = hands_with_hindsight(pictures, detector, HandsDetectConfig())
    for row, found in enumerate(every, start=-WARM_UP):
        if row >= 0:
            rows += [row] * len(found)
            hands += found
    return SourceHands(
        np.array(rows, dtype=np.int64),
        np.array([h.score if h.side == "left" else 1 - h.score for h in hands]),
        np.array([h.raw21_px for h in hands]).reshape(-1, 21, 2),
        np.array([h.raw21_in_hand for h in hands]).reshape(-1, 21, 3),
    )


def compare(
    found: SourceHands,
    truth: Floats,
    *,
    stamps: NDArray[np.int64],
    camera: Fisheye624,
    length_mm: float | None,
) -> dict[str, Any]:
    """Our hands against the device's ``(N,2,21,3)`` in the camera, Aria's order."""
    config = replace(HandsConfig(), min_stretch_s=1e-3)  # the recording is a fifth of a second
    wearer = wearer_hands(
        found, timestamps_ns=stamps, camera=camera, shape=hand_shape(length_mm), config=config
    )
    figures: dict[str, Any] = {}
    for k, side in enumerate(SIDES):
        device = landmarks17_from_aria21(truth[:, k])
        px, valid = camera.project(device)
        in_view = (valid & camera.in_image(np.where(valid[..., None], px, -1e6))).mean(axis=1) > 0.5
        ours = landmarks17_from_mediapipe21(wearer.hands[side].joints)
        rows = in_view & np.isfinite(ours).all(axis=(1, 2))
        figures[side] = {
            "hands_in_view": int(in_view.sum()),
            "found_share": float(rows.sum() / max(in_view.sum(), 1)),
        }
        if rows.any():
            figures[side] |= differences(ours[rows], device[rows], side)
            figures[side]["px"] = float(
                np.median(np.linalg.norm(camera.project(ours[rows])[0] - px[rows], axis=-1))
            )
    return figures


def differences(ours: Floats, device: Floats, side: str) -> dict[str, float]:
    """Millimetres and degrees between two sets of landmarks ``(N,17,3)``."""
    palms = [palm_frame(points, side) for points in (ours, device)]
    depth = [np.linalg.norm(points[:, INDEX["palm"]], axis=1) for points in (ours, device)]
    return {
        "device_distance_mm": float(1e3 * np.mean(depth[1])),
        "distance_mm": float(1e3 * np.mean(depth[0] - depth[1])),
        "absolute_mm": 1e3 * mpjpe(ours, device),
        "wrist_relative_mm": 1e3 * mpjpe(wrist_relative(ours), wrist_relative(device)),
        "aligned_mm": 1e3 * mpjpe(procrustes(ours, device), device),
        "palm_deg": float(np.median(rotation_error_deg(*(p.rotation for p in palms)))),
    }
