"""A calibration that is wrong by known amounts, as it is and refined, on synthetic takes.

    python benchmarks/slam_calibration.py --cache takes [--seconds 16] [--json FILE]

Every take is recorded right and with 2 % of focal length and 2 cm of the IMU's place wrong, and
estimated with and without ``slam.refine=focal,extrinsics``. Costs about three processor minutes.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.slam_truth import path_errors
from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.session.documents import read_document
from core.session.layout import SLAM_REPORT, TRUTH
from core.session.stage import NO_PROGRESS
from core.session.tables import Trajectory
from sim.record import record
from slam.config import SlamConfig
from slam.stage import SLAM

TAKES: dict[str, dict[str, Any]] = {
    "head_51": {"task": "bus_table", "seed": 51, "rig": "head"},
    "fisheye_53": {"task": "bus_table", "seed": 53, "rig": "fisheye-head"},
}
CALIBRATIONS: dict[str, Any] = {
    "right": "none",
    "wrong": {"focal_percent": 2.0, "extrinsic_mm": 20.0},
}
WAYS = {"as given": "", "refined": "focal,extrinsics"}


def main() -> None:
    """Record what is not there, estimate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("takes"), help="where takes are kept")
    parser.add_argument("--seconds", type=float, default=16.0, help="length of a take (16)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    figures = {
        f"{name}, {calibration}": take_figures(name, calibration, args)
        for name in TAKES
        for calibration in CALIBRATIONS
    }
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def take_figures(name: str, calibration: str, args: argparse.Namespace) -> dict[str, Any]:
    """Errors of one take as it is calibrated and refined, and what refining found."""
    folder = args.cache / f"calibration_{name}_{calibration}_{args.seconds:g}s"
    if not (folder / "rig.toml").exists():
        wrong = CALIBRATIONS[calibration]
        record(folder, seconds=args.seconds, calibration_error=wrong, **TAKES[name])
    figures = {}
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(folder, Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(decode_all=False), NO_PROGRESS)
        for way, refine in WAYS.items():
            SLAM.run(session, SlamConfig(refine=refine), NO_PROGRESS)
            errors = path_errors(Trajectory.read(session), Trajectory.read(session, TRUTH))
            found = read_document(session, SLAM_REPORT).get("calibration", {})
            figures[way] = errors | found
            print(f"{name}, {calibration}, {way}: {json.dumps(figures[way])}", flush=True)
    return figures


if __name__ == "__main__":
    main()
