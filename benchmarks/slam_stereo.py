"""The head's path with a second camera, on synthetic takes whose truth is exact.

    python benchmarks/slam_stereo.py --cache takes [--seconds 5] [--json FILE]

Every take is estimated with both cameras alone, with both and the IMU, and with one and the IMU.
The last take's rig.toml is wrong by known small amounts (0.3 degrees, 2 mm each, 0.3 % of the focal
length). Recording takes one to two processor minutes a take.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.geometry.alignment import umeyama
from core.geometry.metrics import ate_rmse
from core.session.documents import read_document
from core.session.layout import SLAM_REPORT, TRUTH
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Trajectory
from sim.record import record
from slam.config import SlamConfig
from slam.stage import SLAM

TAKES: dict[str, dict[str, Any]] = {
    "default_31": {"task": "sort_eggs", "seed": 31, "preset": "default"},
    "default_32": {"task": "dresser", "seed": 32, "preset": "default"},
    "harsh_33": {"task": "spice_rack", "seed": 33, "preset": "harsh"},
    "miscalibrated_31": {"task": "sort_eggs", "seed": 31, "calibration_error": "small"},
}
WAYS = {
    "two cameras": SlamConfig(use_imu=False),
    "two cameras, IMU": SlamConfig(),
    "one camera, IMU": SlamConfig(use_stereo=False),
}


def main() -> None:
    """Record what is not there, estimate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("takes"), help="where takes are kept")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a take (5)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    figures = {name: take_figures(name, args.cache, args.seconds) for name in TAKES}
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def take_figures(name: str, cache: Path, seconds: float) -> dict[str, Any]:
    """Figures of one take, all ways."""
    folder = cache / f"stereo_{name}_{seconds:g}s"
    if not (folder / "rig.toml").exists():
        record(folder, rig="stereo-head", seconds=seconds, **TAKES[name])
    figures = {}
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(folder, Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(decode_all=False), NO_PROGRESS)
        for way, config in WAYS.items():
            SLAM.run(session, config, NO_PROGRESS)
            figures[way] = path_figures(session)
            print(f"{name}, {way}: {json.dumps(figures[way])}", flush=True)
    return figures


def path_figures(session: SessionFolder) -> dict[str, Any]:
    """Rigidly aligned error and error of the lengths, tracked ticks."""
    path, truth = Trajectory.read(session), Trajectory.read(session, TRUTH)
    report = read_document(session, SLAM_REPORT)
    mine, there = (t.world_from_head[path.tracked, :3] for t in (path, truth))
    _, true_over_mine = umeyama(mine, there, with_scale=True)
    return {
        "scale_source": report["scale_source"],
        "scale_sigma": report["maps"][0]["scale_sigma"],
        "scale_error": round(1 / float(true_over_mine) - 1, 4),
        "ate_rigid_m": round(float(ate_rmse(mine, there, align="se3")), 4),
        "tracked": round(float(path.tracked.mean()), 4),
        "path_m": round(report["path_length"], 2),
    }


if __name__ == "__main__":
    main()
