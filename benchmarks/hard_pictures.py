"""Which hands are still found in worse pictures: dyed, dark, grey, blurred; and none where is none.

    python benchmarks/hard_pictures.py --data ../shared/data [--json figures.json]

Every second pixel of `egodex_sample.mp4` (94 frames, two bare hands at work), changed. Truth is
what the detector finds in the pictures as they are, so a miss is measured against that, in palms. A
hand is found where the landmarks lie within half a palm of it. Blur comes in stretches, too, with
sharp pictures between. Videos without hands: 7-Scenes, also in the dark, EuRoC and two action
cameras' whole, as a thing that looks like a hand is followed, and noise; every detection is wrong.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.session.frames import open_video
from hands.config import HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.hindsight import hands_with_hindsight
from hands.detection.model_file import hand_model_path
from hands.detection.views import FoundHand, palm_size_px

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

ON_IT = 0.5  # palms
STRETCH = 10  # pictures changed in a row among others
SKIN_HUE, SKIN_SATURATION, SKIN_VALUE = 25, 40, 60  # OpenCV's, at most and at least


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with open_video(arguments.data / "ego_video/egodex_sample.mp4") as video:
        plain = [np.ascontiguousarray(frame.image_rgb[::2, ::2]) for frame in video.iterate()]
    truth = found_in(plain)
    figures: dict[str, Any] = {"changed": {}, "in between": {}, "without hands": {}}
    for name, change in CHANGES.items():
        figures["changed"][name] = compared(found_in(map(change, plain)), truth)
        print(name, figures["changed"][name], flush=True)
    for name, change in CHANGES.items():
        if name.startswith(("blurred", "smeared")):
            figures["in between"][name] = in_between(plain, truth, change)
            print("in between:", name, figures["in between"][name], flush=True)
    for name, pictures in without_hands(arguments.data).items():
        found = found_in(pictures)
        figures["without hands"][name] = {
            "pictures": len(found),
            "with detections": sum(map(bool, found)),
        }
        print(name, figures["without hands"][name], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def found_in(pictures: Iterable[Image]) -> list[list[FoundHand]]:
    """The hands of every picture of a video."""
    config = HandsDetectConfig()
    return list(hands_with_hindsight(pictures, HandDetector(hand_model_path(), config), config))


def in_between(
    plain: list[Image], truth: list[list[FoundHand]], change: Callable[[Image], Image]
) -> dict[str, Any]:
    """Of changed pictures alone, `STRETCH` at a time between as many that are as they were."""
    changed = [row // STRETCH % 2 == 1 for row in range(len(plain))]
    shown = [change(image) if worse else image for image, worse in zip(plain, changed, strict=True)]
    found = found_in(shown)
    rows = np.flatnonzero(changed)
    return compared([found[row] for row in rows], [truth[row] for row in rows])


def compared(found: list[list[FoundHand]], truth: list[list[FoundHand]]) -> dict[str, Any]:
    """Share of the true hands of each picture's side that are found, how far off, what is more."""
    hit: dict[str, list[bool]] = {"left": [], "right": []}
    off: list[float] = []
    astray = 0
    for hands, wanted in zip(found, truth, strict=True):
        miss = np.array([[palms_off(hand, true) for hand in hands] for true in wanted])
        miss = miss.reshape(len(wanted), len(hands))
        for true, row in zip(wanted, miss, strict=True):
            nearest = float(row.min(initial=np.inf))
            hit[true.side].append(nearest <= ON_IT)
            off += [nearest] * (nearest <= ON_IT)
        astray += int(np.sum(miss.min(axis=0, initial=np.inf) > ON_IT))
    return {
        **{f"{side}_found": round(float(np.mean(flags)), 3) for side, flags in hit.items()},
        "palms_off": round(float(np.median(off)), 3) if off else None,
        "astray": astray,
    }


def palms_off(hand: FoundHand, true: FoundHand) -> float:
    apart = np.linalg.norm(hand.raw21_px - true.raw21_px, axis=1).mean()
    return float(apart / palm_size_px(true.raw21_px))


def dyed(hue: int, saturation: int, light: float = 1.0) -> Callable[[Image], Image]:
    """All that has the colour of skin in another one, as gloves have."""
    return lambda image: recoloured(image, lambda _: (hue, saturation), light)


def toned(saturation: float, light: float) -> Callable[[Image], Image]:
    """The skin of somebody else: so many times as saturated and bright."""

    def tone(skin: Image) -> Floats:
        return skin[:, :2] * np.array([1.0, saturation])

    return lambda image: recoloured(image, tone, light)


def recoloured(image: Image, tone: Callable[[Image], Any], light: float) -> Image:
    """Skin with another hue and saturation, and its brightness times ``light``."""
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    skin = (picture[..., 0] < SKIN_HUE) & (picture[..., 1] > SKIN_SATURATION)
    skin &= picture[..., 2] > SKIN_VALUE
    picture[skin, :2] = np.clip(tone(picture[skin]), 0, 255)
    picture[skin, 2] = np.clip(picture[skin, 2] * light, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_HSV2RGB), dtype=np.uint8)


def smeared(length: int) -> Callable[[Image], Image]:
    return lambda image: np.asarray(cv2.blur(image, (length, 1)), dtype=np.uint8)


def blurred(sigma_px: float) -> Callable[[Image], Image]:
    return lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), dtype=np.uint8)


def grey(image: Image) -> Image:
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "blue gloves": dyed(110, 200),
    "green gloves": dyed(60, 200),
    "purple gloves": dyed(140, 200),
    "yellow gloves": dyed(28, 200),
    "white gloves": dyed(15, 12),
    "black gloves": dyed(0, 30, 0.2),
    "dark skin": toned(1.15, 0.4),
    "very dark skin": toned(1.0, 0.2),
    "very light skin": toned(0.45, 1.3),
    "grey picture": grey,
    "8 % of the light": lambda image: (image * 0.08).astype(np.uint8),
    "blurred by 2.5 px": blurred(2.5),
    "blurred by 4 px": blurred(4.0),
    "blurred by 6 px": blurred(6.0),
    "smeared by 15 px": smeared(15),
    "smeared by 25 px": smeared(25),
}


def without_hands(data: Path) -> dict[str, Iterable[Image]]:
    """Videos of rooms and of the way ahead, and pictures of nothing."""
    rng = np.random.default_rng(0)
    room = [
        np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
        for path in sorted((data / "rgbd_7scenes_A").glob("*.color.jpg"))
    ]
    return {
        "7-Scenes": room,
        "7-Scenes, 8 % of the light": ((image * 0.08).astype(np.uint8) for image in room),
        "EuRoC": of_video(data / "euroc_mh05_partA/cam0.mp4"),
        "hero7": of_video(data / "gopro/hero7.mp4"),
        "karma": of_video(data / "gopro/karma_hero5.mp4"),
        "noise": [rng.integers(0, 255, (480, 640, 3), dtype=np.uint8) for _ in range(16)],
        "dark noise": [rng.integers(0, 12, (480, 640, 3), dtype=np.uint8) for _ in range(16)],
        "black": [np.zeros((480, 640, 3), np.uint8)] * 16,
    }


def of_video(path: Path) -> Iterator[Image]:
    with open_video(path) as video:
        yield from (frame.image_rgb for frame in video.iterate())


if __name__ == "__main__":
    sys.exit(main())
