"""Renders hands, asks MediaPipe what it sees, and trains the lifter on its mistakes.

    python benchmarks/lifter.py --samples /tmp/portraits [--scenes 1000:1140]
        [--out hands/lifter.npz] [--json figures.json]

Scenes that are there already are kept, so an interrupted run goes on. About 12 s of a core for the
120 pictures of a scene, a minute for the training.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hands.config import HandsDetectConfig
from hands.detector import HandDetector
from hands.lifter_training import LifterTraining, error_of, samples_from, save, train
from hands.model_file import hand_model_path
from sim.hand_portraits import SIZE_WH, Portrait, portraits

PICTURES = 120
LOOKS = 2  # the second time the detector cuts the hand out as it does in a video
NEAREST_M = 0.08
KEPT_OUT = 15  # every so many scenes one is for the test
COLUMNS = ("px", "world", "joints", "left", "focal", "length", "scene")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=Path, required=True, help="folder of one file per scene")
    parser.add_argument("--scenes", default="1000:1140", help="first:stop seeds")
    parser.add_argument("--out", type=Path, default=Path("hands/lifter.npz"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    first, stop = (int(n) for n in arguments.scenes.split(":"))
    arguments.samples.mkdir(parents=True, exist_ok=True)
    for scene in range(first, stop):
        path = arguments.samples / f"{scene}.npz"
        if not path.exists():
            columns = detected(scene)
            np.savez(path, **columns)
            print(f"scene {scene}: {len(columns['px'])} hands", flush=True)
    figures = train_on(sorted(arguments.samples.glob("*.npz")), arguments.out)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def detected(scene: int) -> dict[str, NDArray[Any]]:
    """What the detector says of one scene's pictures, each answer with the hand it lies on."""
    rows: list[dict[str, Any]] = []
    with HandDetector(hand_model_path(), HandsDetectConfig(search_every=0)) as detector:
        for picture in portraits(scene, PICTURES):
            rows += [{**row, "scene": scene} for row in answers(detector, picture)]
    return {name: np.array([row[name] for row in rows]) for name in COLUMNS}


def answers(detector: HandDetector, picture: Portrait) -> Iterator[dict[str, Any]]:
    """One row per hand that was found."""
    detector.detect(np.zeros_like(picture.image_rgb))  # forget the picture before
    found = [detector.detect(picture.image_rgb) for _ in range(LOOKS)][-1]
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
    parts = [np.load(file) for file in files]
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


if __name__ == "__main__":
    sys.exit(main())
