"""What the truth rig costs, and whether a hand detector sees its hands.

    python benchmarks/sim.py [--seeds 1 2] [--presets clean default harsh] [--rig head]
        [--seconds 10] [--json F]
    python benchmarks/sim.py --cost 20 120 [--rig default] [--workers 2] [--size 64x48]

Per seed and preset, head camera: CPU milliseconds per picture, head turning speed, and the share of
frames in which MediaPipe finds a hand that is at least half visible and over 60 px. With --cost, a
take of each length in a process of its own: pictures per second of all cameras together, CPU
milliseconds per picture, and the most memory that any of its processes held. --size makes the
pictures that small: what grows with a take's length shows at a fraction of the cost.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.numbers import size_wh
from core.session.calibration import Calibration
from core.session.frames import open_video
from core.session.storage import SessionFolder
from core.session.tables import Hands
from hands.config import HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.model_file import hand_model_path
from sim.record import perform, record
from sim.rig import RIGS, CameraSpec, find_preset, find_rig

SMALLEST_PX = 60.0
NEAR = 0.4  # a detection belongs to a hand when its centre is this share of the size away


def required(folder: SessionFolder) -> tuple[Hands, Any, Any, Any]:
    """(hands, uv (N, 17, 2), size (N,), which rows a detector must find)."""
    hands = Hands.read(folder, "truth")
    camera = Calibration.read(folder, "truth").stream("head").camera
    uv, valid = camera.project(hands.landmarks_in_head.reshape(-1, 17, 3))
    inside = (camera.in_image(uv) & valid)[..., None]
    low = np.where(inside, uv, np.inf).min(1)
    high = np.where(inside, uv, -np.inf).max(1)
    size = np.max(high - low, axis=1)
    return hands, uv, size, (hands.visible.mean(1) >= 0.5) & (size > SMALLEST_PX)


def detection_share(folder: Path) -> dict[str, float]:
    """How many of the hands that should be found are found, in the head camera."""
    hands, uv, size, must = required(SessionFolder(str(folder)))
    found = wanted = 0
    detector = HandDetector(hand_model_path(), HandsDetectConfig())
    with open_video(folder / "head.mp4") as video:
        for tick, frame in enumerate(video.iterate()):
            centres = [np.mean(h.raw21_px, axis=0) for h in detector.detect(frame.image_rgb)]
            for row in np.flatnonzero((hands.tick == tick) & must):
                wanted += 1
                off = [np.linalg.norm(c - np.mean(uv[row], axis=0)) for c in centres]
                found += bool(off) and min(off) < NEAR * size[row]
    return {"wanted": wanted, "found_share": round(found / max(wanted, 1), 4)}


def cost_of(
    seconds: float, rig: str, preset: str, *, workers: int, size_wh: tuple[int, int] | None
) -> dict[str, Any]:
    """What a take costs, everything included; run in a fresh process."""
    if size_wh:
        cameras = {name: small(spec, size_wh) for name, spec in RIGS[rig].cameras.items()}
        RIGS[rig] = replace(RIGS[rig], cameras=cameras)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        report = record(
            Path(folder) / "take", seconds=seconds, rig=rig, preset=preset, seed=1, workers=workers
        )
        wall = time.perf_counter() - started
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    pictures = sum(report.frames.values())
    return {
        "seconds": seconds,
        "rig": rig,
        "preset": preset,
        "workers": workers,
        "pictures": pictures,
        "pictures_per_s": round(pictures / wall, 1),
        "cpu_ms_per_picture": round(1e3 * sum(u.ru_utime + u.ru_stime for u in uses) / pictures, 1),
        "peak_mib": [round(u.ru_maxrss / 1024) for u in uses],
    }


def small(spec: CameraSpec, size_wh: tuple[int, int]) -> CameraSpec:
    """The camera with other pixels and the same view."""
    scale = np.array(size_wh) / spec.size_wh
    fx, fy, cx, cy, *bends = spec.params
    centre = scale * (np.array([cx, cy]) + 0.5) - 0.5
    return replace(spec, size_wh=size_wh, params=(*scale * [fx, fy], *centre, *bends))


def one_take(seed: int, *, rig: str, preset: str, seconds: float) -> dict[str, Any]:
    """Record, detect, measure."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        report = record(Path(folder) / "take", seconds=seconds, seed=seed, rig=rig, preset=preset)
        cost = time.process_time() - started
        show = perform(
            "blocks_to_tray",
            seconds=seconds,
            seed=seed,
            rig=find_rig(rig),
            preset=find_preset(preset),
        )
        times = np.arange(0.0, seconds, 0.01)
        turning = np.degrees(np.linalg.norm(show.human.head.angular_velocity(times), axis=1))
        return {
            "seed": seed,
            "rig": rig,
            "preset": preset,
            "cpu_ms_per_picture": round(1e3 * cost / sum(report.frames.values()), 1),
            "head_deg_s_p50_p95": [round(float(v), 1) for v in np.percentile(turning, [50, 95])],
            **detection_share(Path(folder) / "take"),
        }


def main() -> None:
    """Print one line per take."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--presets", nargs="+", default=["clean", "default", "harsh"])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rig", help="head; with --cost default")
    parser.add_argument("--cost", type=float, nargs="+", metavar="SECONDS")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", type=size_wh, metavar="WxH", help="of the pictures, with --cost")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = []
    if given.cost:
        context = multiprocessing.get_context("spawn")
        for seconds in given.cost:
            asked = (seconds, given.rig or "default", "default")
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                job = pool.submit(cost_of, *asked, workers=given.workers, size_wh=given.size)
                results.append(job.result())
            print(json.dumps(results[-1]), flush=True)
    else:
        for preset in given.presets:
            for seed in given.seeds:
                one = one_take(seed, rig=given.rig or "head", preset=preset, seconds=given.seconds)
                results.append(one)
                print(json.dumps(one), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
