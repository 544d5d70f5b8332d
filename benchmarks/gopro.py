"""GoPro files alone, the whole way: ingest, capture and slam, beside what their GPS says.

    python benchmarks/gopro.py [--data ../shared/data] [--json figures.json]

There is no ground truth: a walk with GPS speed (HERO7), and a camera under a drone whose autopilot
gives its velocity (HERO5; the file names no lens: 72 degrees of width let pictures and gyro turn
alike). Lengths are compared over the time both cover; where metres are unknown, only how
steadily the two speeds agree. Seconds are processor time.
"""

import argparse
import json
import struct
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capture.config import CaptureConfig
from capture.gpmf import Packet, read_packets
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.session.documents import read_document
from core.session.layout import SLAM_REPORT
from core.session.stage import NO_PROGRESS
from core.session.tables import Trajectory
from slam.config import SlamConfig
from slam.stage import SLAM

# what ingest is told, and what slam is to refine: a lens that is guessed
RECORDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "hero7": ({}, ""),
    "karma_hero5": ({"fov_deg": 72.0}, "focal"),
}
WINDOW_S = 2.0
SLOWEST_M_S = 1.0  # below it GPS says little


def main() -> int:
    """Run every recording found, print the figures and write them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, (lens, refine) in RECORDINGS.items():
        path = args.data / "gopro" / f"{name}.mp4"
        if path.is_file():
            figures[name] = run(path, lens, refine=refine)
            print(f"{name}: {json.dumps(figures[name])}", flush=True)
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if figures else 1


def run(path: Path, lens: dict[str, Any], *, refine: str) -> dict[str, Any]:
    """Figures of one file."""
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(path, temp, **lens)
        CAPTURE.run(session, CaptureConfig(), NO_PROGRESS)
        began = time.process_time()
        SLAM.run(session, SlamConfig(refine=refine), NO_PROGRESS)
        seconds = time.process_time() - began
        track, report = Trajectory.read(session), read_document(session, SLAM_REPORT)
    main_map = report["maps"][0]
    ours_s, ours = speeds(track)
    theirs_s, theirs = reference_speeds(read_packets(path))
    known = (ours_s > theirs_s[0]) & (ours_s < theirs_s[-1])
    at_ours = np.interp(ours_s[known], theirs_s, theirs)
    step = np.gradient(ours_s[known])
    metric = report["length_unit"] == "m"
    ratio = []
    for window in np.unique(ours_s[known] // WINDOW_S):
        inside = ours_s[known] // WINDOW_S == window
        if inside.sum() > 10 and at_ours[inside].mean() > SLOWEST_M_S:
            ratio.append(ours[known][inside].mean() / at_ours[inside].mean())
    return {
        "tracked_share": report["tracked_share"],
        "scale_source": report["scale_source"],
        "no_scale_because": main_map["no_scale_because"],
        "path_m": round(float(np.sum(ours[known] * step)), 2) if metric else None,
        "reference_m": round(float(np.sum(at_ours * step)), 2),
        "scale_sigma": main_map["scale_sigma"],
        "speed_ratio_spread": round(float(np.std(ratio) / np.mean(ratio)), 4),
        "imu_offset_ms": main_map.get("imu_offset_ms"),
        "reprojection_error_px": report["reprojection_error_px"],
        "slam_cpu_s": round(seconds, 1),
    }


def speeds(track: Trajectory) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times in seconds and speeds of the path over a third of a second, in its own unit."""
    seconds = track.timestamp_ns[track.tracked] * 1e-9
    place = track.world_from_head[track.tracked, :3]
    moved = np.linalg.norm(place[10:] - place[:-10], axis=1)
    return (seconds[10:] + seconds[:-10]) / 2, moved / (seconds[10:] - seconds[:-10])


def reference_speeds(packets: list[Packet]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and speeds (m/s) of the drone's own velocity, or of GPS over the ground."""
    times, values = [], []
    for packet, after in pairwise(packets):
        drone, gps = packet.stream("LNED"), packet.stream("GPS5")
        if drone:
            entry = drone["LNED"]  # ms, then north, east, down in metres and in m/s
            rows = struct.iter_unpack(">L6f", entry.data)
            found = [float(np.linalg.norm(row[4:])) for row in rows]
        elif gps:
            scale = gps["SCAL"].numbers().ravel()
            found = (gps["GPS5"].numbers() / scale)[:, 3].tolist()
        else:
            continue
        span = (after.start_ns - packet.start_ns) * 1e-9
        times += (packet.start_ns * 1e-9 + np.arange(len(found)) / len(found) * span).tolist()
        values += found
    return np.array(times), np.array(values)


if __name__ == "__main__":
    sys.exit(main())
