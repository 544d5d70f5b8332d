"""Renders hands, asks MediaPipe what it sees, and trains the lifter on its mistakes.

    python benchmarks/lifter.py --samples /tmp/portraits [--scenes 1000:1040] [--workers 2]
        [--out hands/model/lifter.npz] [--json figures.json]

Every picture is looked at as it is rendered and as worse cameras would give it: fewer pixels,
smeared, dark, noisy, compressed. Scenes that are there already are kept, so an interrupted run goes
on. About 14 s of a core for the 100 pictures of a scene, a minute for the training.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # sums in another order would end in other weights

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hands.config import HandsDetectConfig
from hands.detection.crops import crop_of_hand
from hands.detection.detector import HandDetector
from hands.detection.model_file import hand_model_path
from hands.detection.views import FoundHand
from hands.model.lifter_training import LifterTraining, error_of, samples_from, save, train
from sim.hand_portraits import SIZE_WH, Portrait, portraits

Image = NDArray[np.uint8]

PICTURES = 100
LOOKS = 2  # the second time the detector cuts the hand out as it does in a video
WORSE = 2  # pictures of worse cameras for each
NEAREST_M = 0.08
KEPT_OUT = 15  # every so many scenes one is for the test
COLUMNS = ("px", "world", "joints", "left", "focal", "length", "scene", "worse")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=Path, required=True, help="folder of one file per scene")
    parser.add_argument("--scenes", default="1000:1040", help="first:stop seeds")
    parser.add_argument("--workers", type=int, default=1, help="scenes rendered at once")
    parser.add_argument("--out", type=Path, default=Path("hands/model/lifter.npz"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    scenes = range(*(int(n) for n in arguments.scenes.split(":")))
    arguments.samples.mkdir(parents=True, exist_ok=True)
    files = [arguments.samples / f"{scene}.npz" for scene in scenes]
    missing = [file for file in files if not file.exists()]
    with ProcessPoolExecutor(arguments.workers) as pool:
        for file, hands in zip(missing, pool.map(render, missing), strict=True):
            print(f"{file}: {hands} hands", flush=True)
    figures = train_on(files, arguments.out)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def render(file: Path) -> int:
    """Write the samples of the scene that the file is named for; how many there are."""
    columns = detected(int(file.stem))
    partial = file.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(stream, **columns)
    partial.rename(file)
    return len(columns["px"])


def detected(scene: int) -> dict[str, NDArray[Any]]:
    """What the detector says of one scene's pictures, each answer with the hand it lies on."""
    rng = np.random.default_rng([scene, 5])
    rows: list[dict[str, Any]] = []
    detector = HandDetector(hand_model_path(), HandsDetectConfig(search_every=0))
    for picture in portraits(scene, PICTURES):
        detector.forget()
        found = [detector.detect(picture.image_rgb) for _ in range(LOOKS)][-1]
        rows += [row | {"scene": scene, "worse": 0} for row in answers(found, picture)]
        for number in range(WORSE if found else 0):
            image = as_recorded(picture.image_rgb, rng)
            seen = [again for hand in found if (again := reread(detector, image, hand))]
            worse = {"scene": scene, "worse": number + 1}
            rows += [row | worse for row in answers(seen, picture)]
    return {name: np.array([row[name] for row in rows]) for name in COLUMNS}


def reread(detector: HandDetector, image_rgb: Image, hand: FoundHand | None) -> FoundHand | None:
    """The same hand in another picture of it, cut out as in a video."""
    for _ in range(LOOKS):
        hand = hand and detector.read(image_rgb, crop_of_hand(hand.raw21_px))
    return hand


def as_recorded(image_rgb: Image, rng: np.random.Generator) -> Image:
    """The picture of a worse camera ``(H,W,3)``: fewer pixels, smeared, dark, noisy, compressed."""
    height, width = image_rgb.shape[:2]
    share = rng.uniform(0.35, 1.0)
    image = cv2.resize(image_rgb, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.1, 1.2))
    smear = abs(rng.normal(0, 3.0))
    step = smear / 2 * np.array([np.cos(angle := rng.uniform(0, np.pi)), np.sin(angle)])
    kernel = np.zeros((17, 17), np.float32)
    for part in np.linspace(-1, 1, 33):
        x, y = np.clip(np.round(8 + part * step), 0, 16).astype(int)
        kernel[y, x] += 1
    image = cv2.filter2D(image, -1, kernel / kernel.sum()).astype(np.float64)
    image = image * rng.uniform(0.45, 1.15) + rng.normal(0, rng.uniform(0, 7.0), image.shape)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
    _, file = cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8), quality)
    image = cv2.imdecode(file, cv2.IMREAD_COLOR)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def answers(found: list[FoundHand], picture: Portrait) -> Iterator[dict[str, Any]]:
    """One row per hand that was found."""
    middle = (np.array(SIZE_WH) - 1) / 2
    true_px = {
        side: points[:, :2] / points[:, 2:] * picture.focal_px + middle
        for side, points in picture.joints.items()
        if points[:, 2].min() > NEAREST_M
    }
    for hand in found:
        miss = {
            side: float(np.linalg.norm(hand.raw21_px - px, axis=1).mean())
            for side, px in true_px.items()
        }
        if not miss:
            continue
        side = min(miss, key=lambda name: miss[name])
        yield {
            "px": hand.raw21_px,
            "world": hand.raw21_in_hand,
            "joints": picture.joints[side],
            "left": side == "left",
            "focal": picture.focal_px,
            "length": picture.length_m,
        }


def train_on(files: list[Path], out: Path) -> dict[str, Any]:
    """Train, write the weights, and measure on scenes kept out."""
    kept_out = files[::KEPT_OUT]
    learn = samples_from(_columns([f for f in files if f not in kept_out]), SIZE_WH)
    test = samples_from(_columns(kept_out), SIZE_WH)
    arrays = train(learn, LifterTraining())
    save(arrays, out)
    return {
        "samples": len(learn.rays),
        "error_learnt": round(error_of(arrays, learn), 4),
        "samples_kept_out": len(test.rays),
        "error_kept_out": round(error_of(arrays, test), 4),
    }


def _columns(files: list[Path]) -> dict[str, NDArray[Any]]:
    parts = [part for file in files if len((part := np.load(file))["px"])]
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


if __name__ == "__main__":
    sys.exit(main())
