"""Records synthetic takes, fits their hands, and trains on them what is visible.

    python benchmarks/visibility.py --samples /tmp/seen [--seeds 201:229]
        [--out hands/model/visibility.npz] [--json figures.json]

Takes of 6 s, head camera, every task in turn, mostly default sensors. Takes that are there already
are kept, so an interrupted run goes on. About 20 s of a core for a take, 20 s for the training.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.hands_errors import truth_of
from benchmarks.hands_truth import recorded
from core.geometry.landmarks import SIDES
from core.session.calibration import Calibration
from core.session.info import SessionInfo
from core.session.storage import SessionFolder
from core.session.tables import Detections, Ticks
from hands.config import HandsConfig
from hands.model.proportions import hand_shape
from hands.model.visibility import features
from hands.model.visibility_training import (
    SeenHands,
    VisibilityTraining,
    precision_and_recall,
    save,
    train,
)
from hands.sources.mediapipe import hands_of
from hands.wearer import wearer_hands

TASKS = (
    "spice_rack", "blocks_to_tray", "bus_table", "dresser", "there_and_back", "sort_eggs",
    "free_play",
)  # fmt: skip
SENSORS = (("head", "default"),) * 5 + (("head", "harsh"), ("fisheye-head", "clean"))
SECONDS = 6.0
KEPT_OUT = 5  # every so many takes one is for the test


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=Path, required=True, help="folder of one file per take")
    parser.add_argument("--seeds", default="201:229", help="first:stop")
    parser.add_argument("--out", type=Path, default=Path("hands/model/visibility.npz"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    arguments.samples.mkdir(parents=True, exist_ok=True)
    for seed in range(*(int(n) for n in arguments.seeds.split(":"))):
        path = arguments.samples / f"{seed}.npz"
        if not path.exists():
            columns = fitted_and_true(seed)
            np.savez_compressed(path, **columns)
            print(f"seed {seed}: {len(columns['visible'])} hands", flush=True)
    figures = train_on(sorted(arguments.samples.glob("*.npz")), arguments.out)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def fitted_and_true(seed: int) -> dict[str, NDArray[Any]]:
    """One take: what the network looks at, and what it should say."""
    rig, preset = SENSORS[(3 * seed) % len(SENSORS)]
    with tempfile.TemporaryDirectory() as scratch:
        take = (TASKS[seed % len(TASKS)], seed, rig, preset)
        return columns_of(recorded(Path(scratch), take, seconds=SECONDS))


def columns_of(session: SessionFolder) -> dict[str, NDArray[Any]]:
    """Of a session with truth in which hands were looked for: values ``(N,153)`` and visible
    ``(N,17)`` of the hands that were measured.
    """
    ticks, info = Ticks.read(session), SessionInfo.read(session)
    wearer = wearer_hands(
        hands_of(Detections.read(session), ticks),
        timestamps_ns=ticks.timestamp_ns,
        camera=Calibration.read(session).stream("head").camera,
        shape=hand_shape(info.operator.hand_length_mm),
        config=HandsConfig(),
    )
    truth = truth_of(session, ticks)
    values, visible = [], []
    for side in SIDES:
        hand = wearer.hands[side]
        rows = hand.state == "measured"
        values.append(features(hand.joints[rows], hand.landmarks[rows]))
        visible.append(truth[side].visible[rows])
    return {"values": np.concatenate(values), "visible": np.concatenate(visible)}


def train_on(files: list[Path], out: Path) -> dict[str, Any]:
    """Train, write the weights, and measure on takes kept out."""
    kept_out = files[::KEPT_OUT]
    learn, test = _hands([f for f in files if f not in kept_out]), _hands(kept_out)
    arrays = train(learn, VisibilityTraining())
    save(arrays, out)
    figures: dict[str, Any] = {}
    for name, hands in (("learnt", learn), ("kept_out", test)):
        precision, recall = precision_and_recall(arrays, hands)
        figures[name] = {
            "hands": len(hands.values),
            "precision": round(precision, 4),
            "recall": round(recall, 4),
        }
    return figures


def _hands(files: list[Path]) -> SeenHands:
    parts = [np.load(file) for file in files]
    columns = (np.concatenate([part[name] for part in parts]) for name in ("values", "visible"))
    return SeenHands(*columns)


if __name__ == "__main__":
    sys.exit(main())
