"""A calibration that is wrong by known amounts, as it is and refined, on synthetic takes.

    python benchmarks/slam_calibration.py --cache takes [--seconds 8] [--only NAME …] [--json FILE]

Every take is estimated with its calibration right and with 2 % of focal length and 2 cm of the
IMU's place wrong, without and with ``slam.refine=focal,extrinsics``. Costs about half a processor
minute a take, and twice as much to record it.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.slam_truth import path_errors
from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.documents import read_document
from core.session.layout import SLAM_REPORT, TRUTH
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Trajectory
from sim.record import record
from slam.config import SlamConfig
from slam.stage import SLAM

TAKES: dict[str, dict[str, Any]] = {
    "head_51": {"task": "bus_table", "seed": 51, "rig": "head"},
    "fisheye_53": {"task": "bus_table", "seed": 53, "rig": "fisheye-head"},
    "head_411": {"task": "spice_rack", "seed": 411, "rig": "head"},
    "harsh_412": {"task": "sort_eggs", "seed": 412, "rig": "head", "preset": "harsh"},
}
CALIBRATIONS = ("right", "wrong")
FOCAL_FACTOR, MOVED_M = 1.02, (0.010, -0.014, 0.010)
WAYS = {"as given": "", "refined": "focal,extrinsics"}


def main() -> None:
    """Record what is not there, estimate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("takes"), help="where takes are kept")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a take (8)")
    parser.add_argument("--only", nargs="+", choices=TAKES, default=TAKES, help="these takes alone")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    figures = {
        f"{name}, {calibration}": take_figures(name, calibration, args)
        for name in args.only
        for calibration in CALIBRATIONS
    }
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def take_figures(name: str, calibration: str, args: argparse.Namespace) -> dict[str, Any]:
    """Errors of one take as it is calibrated and refined, and what refining found."""
    folder = args.cache / f"calibration_{name}_{args.seconds:g}s"
    if not (folder / "rig.toml").exists():
        record(folder, seconds=args.seconds, **TAKES[name])
    figures = {}
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(folder, Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(decode_all=False), NO_PROGRESS)
        if calibration == "wrong":
            make_wrong(session)
        for way, refine in WAYS.items():
            SLAM.run(session, SlamConfig(refine=refine), NO_PROGRESS)
            path, truth = Trajectory.read(session), Trajectory.read(session, TRUTH)
            truth = truth.take(np.isin(truth.timestamp_ns, path.timestamp_ns))  # not of lost frames
            errors = path_errors(path, truth)
            found = read_document(session, SLAM_REPORT).get("calibration", {})
            figures[way] = errors | found
            print(f"{name}, {calibration}, {way}: {json.dumps(figures[way])}", flush=True)
    return figures


def make_wrong(session: SessionFolder) -> None:
    """Lengthen the head camera's lens and move the IMU in the calibration, not in the pictures."""
    right = Calibration.read(session)
    assert right.imu is not None
    head = right.stream("head")
    lens = replace(head, camera=head.camera.refocused(FOCAL_FACTOR))
    moved = SE3(np.eye(3), np.array(MOVED_M)) @ right.imu.head_from_imu
    imu = replace(right.imu, head_from_imu=moved)
    replace(right, streams={**right.streams, "head": lens}, imu=imu).write(session)


if __name__ == "__main__":
    main()
