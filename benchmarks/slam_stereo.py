"""The head's path with a second camera, on synthetic takes whose truth is exact.

    python benchmarks/slam_stereo.py --cache takes [--seconds 5] [--json FILE]

Every take is estimated with both cameras alone, with both and the IMU, and with one and the IMU.
One take's rig.toml is wrong by known small amounts (0.3 degrees, 2 mm each, 0.3 % of the focal
length). In the last two the first camera is covered for the middle third: its pictures are what a
hand on the lens looks like, and error and stated sigma are given for that stretch as well.
Recording takes one to two processor minutes a take.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np

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
    "covered_511": {"task": "sort_eggs", "seed": 511},
    "covered_aria_512": {"task": "spice_rack", "seed": 512, "rig": "aria-head"},
}
COVERED = (1 / 3, 2 / 3)  # of a take whose name begins with "covered"
SKIN_RGB = (150, 105, 88)
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
    covered = tuple(share * seconds for share in COVERED) if "covered" in name else None
    if not (folder / "rig.toml").exists():
        record(folder, **({"rig": "stereo-head", "seconds": seconds} | TAKES[name]))
    if covered is not None:
        cover(folder, covered)
    figures = {}
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(folder, Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(decode_all=False), NO_PROGRESS)
        for way, config in WAYS.items():
            SLAM.run(session, config, NO_PROGRESS)
            figures[way] = path_figures(session, covered)
            print(f"{name}, {way}: {json.dumps(figures[way])}", flush=True)
    return figures


def cover(folder: Path, between_s: tuple[float, ...]) -> None:
    """Put a blurred hand before the first camera: rig.toml names the new file, once it is there."""
    rng, rig = np.random.default_rng(0), folder / "rig.toml"
    text = rig.read_text(encoding="utf-8")
    if '"head.mp4"' not in text:
        return
    with (
        av.open(str(folder / "head.mp4")) as video,
        av.open(str(folder / "covered.mp4"), "w") as out,
    ):
        source = video.streams.video[0]
        stream = out.add_stream("libx264", rate=source.average_rate, options={"crf": "15"})
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        stream.codec_context.time_base = source.time_base
        for frame in video.decode(source):
            image, time_s = frame.to_ndarray(format="rgb24"), float(frame.pts * source.time_base)
            if between_s[0] <= time_s < between_s[1]:
                down = np.linspace(0, 3, image.shape[0])[:, None] + 2 * time_s
                shade = 1 + 0.15 * np.sin(down) * np.cos(np.linspace(0, 4, image.shape[1]))
                image = shade[..., None] * SKIN_RGB + rng.normal(0, 2, image.shape)
            picture = av.VideoFrame.from_ndarray(image.clip(0, 255).astype(np.uint8), "rgb24")
            picture.pts, picture.time_base = frame.pts, frame.time_base
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    rig.write_text(text.replace('"head.mp4"', '"covered.mp4"'), encoding="utf-8")


def path_figures(session: SessionFolder, covered: tuple[float, ...] | None) -> dict[str, Any]:
    """Rigidly aligned error and error of the lengths, tracked ticks."""
    path, truth = Trajectory.read(session), Trajectory.read(session, TRUTH)
    report = read_document(session, SLAM_REPORT)
    mine, there = (t.world_from_head[path.tracked, :3] for t in (path, truth))
    _, true_over_mine = umeyama(mine, there, with_scale=True)
    figures = {
        "scale_source": report["scale_source"],
        "scale_sigma": report["maps"][0]["scale_sigma"],
        "scale_error": round(1 / float(true_over_mine) - 1, 4),
        "ate_rigid_m": round(float(ate_rmse(mine, there, align="se3")), 4),
        "tracked": round(float(path.tracked.mean()), 4),
        "path_m": round(report["path_length"], 2),
    }
    return figures if covered is None else figures | covered_figures(path, truth, covered)


def covered_figures(
    path: Trajectory, truth: Trajectory, between_s: tuple[float, ...]
) -> dict[str, Any]:
    """Of the covered seconds: tracked share, error in the aligned path, the sigma stated there."""
    seconds = (path.timestamp_ns - path.timestamp_ns[0]) * 1e-9
    inside = (seconds >= between_s[0]) & (seconds < between_s[1])
    mine, there = (t.world_from_head[path.tracked, :3] for t in (path, truth))
    moved, _ = umeyama(mine, there, with_scale=False)
    seen = inside[path.tracked]
    figures = {"covered_tracked": round(float(path.tracked[inside].mean()), 4)}
    if seen.any():
        off, sigma = (moved.apply(mine) - there)[seen], path.sigma_m[path.tracked][seen]
        for key, values in (("covered_error_m", off), ("covered_sigma_m", sigma)):
            figures[key] = round(float(np.sqrt(np.mean(np.sum(values**2, axis=1)))), 4)
    return figures


if __name__ == "__main__":
    main()
