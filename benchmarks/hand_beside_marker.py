"""How well a hand is measured that lies beside a printed marker, on rendered people of known hands.

    python benchmarks/hand_beside_marker.py [--people 24] [--json figures.json]

Every person lays a flat hand beside a calibration board (markers of 27 mm) and looks at it for a
second and a half; then holds it above the desk, which should not be believed. Each picture is
looked at as the stage does it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.geometry.cameras import pinhole
from core.geometry.markers import MarkerFinder
from hands.config import HandsConfig, HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.model_file import hand_model_path
from hands.detection.views import FoundHand
from hands.size_by_marker import (
    EVERY,
    BesideMarker,
    length_at_rest,
)
from hands.sources import SourceHands
from sim.board import Board
from sim.hand_beside_board import Sitting, sitting
from sim.hand_portraits import SIZE_WH

LIFTED_M = (0.0, 0.06)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.people)
    for lifted_m in LIFTED_M:
        people = [sitting(seed, lifted_m=lifted_m) for seed in tqdm(seeds, disable=None)]
        figures[f"lifted {round(1e3 * lifted_m)} mm"] = summary([
            (one.length_m, measured(one)) for one in people
        ])
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def measured(one: Sitting) -> BesideMarker | None:
    """What the stage would say of these pictures."""
    camera = pinhole(one.focal_px, SIZE_WH)
    config = HandsConfig(marker_size_m=Board().marker_m, marker_family="aruco_4x4")
    detector = HandDetector(hand_model_path(), HandsDetectConfig())
    finder = MarkerFinder(config.marker_family)
    quads, hands, rows = {}, [], []
    for number, image in enumerate(one.images_rgb):
        row = EVERY * number
        quads[row] = finder.find(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        found = [detector.detect(image) for _ in range(2 if number == 0 else 1)][-1]
        hands += found
        rows += [row] * len(found)
    if not hands:
        return None
    return length_at_rest(as_source(hands, rows), quads, camera=camera, config=config)


def as_source(hands: list[FoundHand], rows: list[int]) -> SourceHands:
    """Hands of some rows as the stage reads them."""
    return SourceHands(
        np.array(rows),
        np.array([float(hand.side == "left") for hand in hands]),
        np.stack([hand.raw21_px for hand in hands]),
        np.stack([hand.raw21_in_hand for hand in hands]),
    )


def summary(people: list[tuple[float, BesideMarker | None]]) -> dict[str, Any]:
    """Errors of those who were measured, millimetres."""
    found = [(true, got) for true, got in people if got is not None]
    if not found:
        return {"people": len(people), "measured": 0}
    off = np.array([got.length_m - true for true, got in found])
    sigma = np.array([got.sigma_m for _, got in found])
    population = np.array([0.1815 - true for true, _ in found])
    return {
        "people": len(people),
        "measured": len(found),
        "mean_error_mm": round(1e3 * float(off.mean()), 1),
        "rms_error_mm": round(1e3 * float(np.sqrt(np.mean(off**2))), 1),
        "worst_error_mm": round(1e3 * float(np.abs(off).max()), 1),
        "inside_one_sigma": round(float(np.mean(np.abs(off) < sigma)), 2),
        "rms_of_the_population_mean_mm": round(1e3 * float(np.sqrt(np.mean(population**2))), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
