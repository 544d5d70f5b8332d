"""Wrist cameras in the head's map, on synthetic takes whose truth is exact.

    python benchmarks/slam_wrist.py --cache takes [--seconds 12] [--json FILE]

Hands are detected as in every session: the head camera's view of the hand says where to begin.
World and truth both start at the first head, so nothing is aligned. Shares are of all ticks;
errors are lengths and angles in three dimensions; error over sigma is rms per axis, 1 is right. A
pose more than 5 cm off counts as wrong; CPU is of placing both cameras, decoding included.
Recording takes two processor minutes a take, the rest one.
"""

import argparse
import json
import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.geometry.landmarks import SIDES
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from core.session.layout import TRUTH
from core.session.stage import NO_PROGRESS
from core.session.tables import Trajectory
from hands.config import HandsDetectConfig
from hands.stage import HANDS_DETECT
from sim.record import record
from slam.backends.registry import backend_named
from slam.config import SlamConfig
from slam.recording import read_recording
from slam.stage import trajectory_table, wrist_columns
from slam.wrist.cameras import locate_wrists, wrist_helper

TAKES: dict[str, dict[str, Any]] = {
    "blocks_41": {"task": "blocks_to_tray", "seed": 41},
    "eggs_42": {"task": "sort_eggs", "seed": 42},
    "bus_43": {"task": "bus_table", "seed": 43},
    "dresser_harsh_44": {"task": "dresser", "seed": 44, "preset": "harsh"},
    "play_45": {"task": "free_play", "seed": 45},
    "spice_46": {"task": "spice_rack", "seed": 46},
    "spice_61": {"task": "spice_rack", "seed": 61},
    "dresser_62": {"task": "dresser", "seed": 62},
    "blocks_63": {"task": "blocks_to_tray", "seed": 63},
    "there_and_back_harsh_64": {"task": "there_and_back", "seed": 64, "preset": "harsh"},
    "bus_71": {"task": "bus_table", "seed": 71},
    "spice_72": {"task": "spice_rack", "seed": 72},
    # first run when all was settled, and of 6 s
    "blocks_431": {"task": "blocks_to_tray", "seed": 431},
}
WRONG_M = 0.05


def main() -> None:
    """Record what is not there, estimate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("takes"), help="where takes are kept")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of a take (12)")
    parser.add_argument("--only", nargs="+", choices=TAKES, default=list(TAKES), help="these takes")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    figures = {name: take_figures(name, args.cache, args.seconds) for name in args.only}
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def take_figures(name: str, cache: Path, seconds: float) -> dict[str, Any]:
    """Figures of one take, by side."""
    folder = cache / f"wrist_{name}_{seconds:g}s"
    if not (folder / "rig.toml").exists():
        record(folder, seconds=seconds, **{"preset": "default", "rig": "default"} | TAKES[name])
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(folder, Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(decode_all=False), NO_PROGRESS)
        HANDS_DETECT.run(session, HandsDetectConfig(), NO_PROGRESS)
        recording = read_recording(session, SlamConfig(), NO_PROGRESS)
        result = backend_named("builtin").estimate(recording)
        begun_s = cpu_s()
        with wrist_helper(recording) as helper:
            wrists = locate_wrists(recording, result, helper)()
        spent_s = cpu_s() - begun_s
        path = trajectory_table(result, recording.ticks, recording.head_from_camera.inverse())
        found = replace(path, **wrist_columns(wrists))
        truth = Trajectory.read(session, TRUTH)
    figures = {side: camera_figures(found, truth, side) for side in SIDES}
    for side, values in figures.items():
        print(f"{name}, {side}: {json.dumps(values)}", flush=True)
    print(f"{name}, placing both: {spent_s:.1f} s of CPU", flush=True)
    return figures | {"cpu_s": round(spent_s, 1)}


def cpu_s() -> float:
    """Seconds of CPU so far, of this process and of the children that have ended."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


def camera_figures(found: Trajectory, truth: Trajectory, side: str) -> dict[str, Any]:
    """How often a wrist camera was placed, how well, and whether its sigmas hold that."""
    name = f"world_from_{side}_wrist_camera"
    valid = getattr(found, f"{name}_valid")
    figures: dict[str, Any] = {"located": round(float(valid.mean()), 3)}
    if not valid.any():
        return figures
    after = np.clip(np.searchsorted(truth.timestamp_ns, found.timestamp_ns), 1, len(truth) - 1)
    early = found.timestamp_ns - truth.timestamp_ns[after - 1]
    same = np.where(early < truth.timestamp_ns[after] - found.timestamp_ns, after - 1, after)
    mine = SE3.from_pose7(getattr(found, name)[valid])
    there = SE3.from_pose7(getattr(truth, name)[same[valid]])
    off = mine.translation - there.translation
    turn = rotvec_from_matrix(mine.rotation @ there.rotation.swapaxes(1, 2))
    metres, degrees = np.linalg.norm(off, axis=1), np.rad2deg(np.linalg.norm(turn, axis=1))
    sigma_m = getattr(found, f"{side}_wrist_camera_sigma_m")[valid]
    sigma_rad = getattr(found, f"{side}_wrist_camera_sigma_rad")[valid]
    return figures | {
        "off_mm": _spread(1e3 * metres, 1),
        "turned_deg": _spread(degrees, 2),
        "wrong": round(float((metres > WRONG_M).mean()), 4),
        "error_over_sigma_m": _rms(off / sigma_m),
        "error_over_sigma_rad": _rms(turn / sigma_rad),
    }


def _spread(values: Any, digits: int) -> dict[str, float]:
    names = {"median": 0.5, "p95": 0.95, "worst": 1.0}
    return {name: round(float(np.quantile(values, q)), digits) for name, q in names.items()}


def _rms(values: Any) -> float:
    return round(float(np.sqrt(np.mean(np.square(values)))), 2)


if __name__ == "__main__":
    main()
