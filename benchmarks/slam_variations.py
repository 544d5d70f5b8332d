"""Real recordings, varied: sequences that the method has not seen, made of those that are there.

    python benchmarks/slam_variations.py [--data ../shared/data] [--only NAME ...] [--json FILE]

EuRoC recordings (camera and IMU) run through ingest, capture and the whole slam stage: cut, played
backward, mirrored, at other rates, sizes, light and noise, with the IMU and the calibration changed
along. 7-Scenes recordings are pictures alone. All frames count, every map aligned by itself.
`scale_sigmas`: error of the scale over the sigma given with it; `error_over_sigma`: rms of the
position's errors over rms of its sigmas, both worlds begun at the first frame; `turn_over_sigma`:
the same of the turn. At the end median and worst. --list names the variations. About 15 processor
seconds each.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.euroc import read_truth, write_rig
from benchmarks.slam import Clock
from benchmarks.slam_takes import (
    EurocTake,
    RoomTake,
    read_euroc,
    read_room,
    write_euroc,
)
from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.errors import HandoffError
from core.geometry.alignment import umeyama
from core.geometry.arrays import Bools
from core.geometry.metrics import ate_errors, path_length_m
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3, interpolate
from core.session.documents import read_document
from core.session.layout import SLAM_REPORT
from core.session.stage import NO_PROGRESS
from core.session.tables import Trajectory
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.sight.follow import Follower
from slam.sight.rolling import Shutter
from slam.stage import SLAM

EUROC: dict[str, Callable[[EurocTake], EurocTake]] = {
    "original": lambda take: take,
    "from 1 s": lambda take: take.between(1, None),
    "from 2 s": lambda take: take.between(2, None),
    "from 4 s": lambda take: take.between(4, None),
    "from 6 s": lambda take: take.between(6, None),
    "first 8 s": lambda take: take.between(0, 8),
    "first 5 s": lambda take: take.between(0, 5),
    "middle 5 s": lambda take: take.between(5, 10),
    "last 3 s": lambda take: take.between(-3, None),
    "backward": EurocTake.backward,
    "backward, first 8 s": lambda take: take.backward().between(0, 8),
    "10 Hz": lambda take: take.every(2),
    "6.7 Hz": lambda take: take.every(3),
    "mirrored": EurocTake.mirrored,
    "upside down": EurocTake.upside_down,
    "half size": lambda take: take.half_size(),
    "darker": lambda take: take.relit(lambda part: (0.25, 1.0)),
    "brighter": lambda take: take.relit(lambda part: (1.8, 1.0)),
    "changing light": lambda take: take.relit(
        lambda part: (1.0, float(np.exp(0.8 * np.sin(12 * part))))
    ),
    "light switched": lambda take: take.relit(
        lambda part: (0.35 if 0.4 < part < 0.7 else 1.0, 1.0)
    ),
    "noisy pictures": lambda take: take.noisy(10.0),
    "noisy IMU": lambda take: take.noisy_imu(gyro=0.05, accel=1.0),
    "other biases": lambda take: take.biased(gyro=(0.03, -0.04, 0.02), accel=(0.3, -0.25, 0.2)),
    "IMU at 100 Hz": lambda take: take.imu_every(2),
    "0.5 s without pictures": lambda take: take.without(7.0, 7.5),
    "1.5 s without pictures": lambda take: take.without(7.0, 8.5),
    "1 s black": lambda take: take.black(6.0, 7.0),
    "IMU 20 ms late": lambda take: take.imu_late(20_000_000),
}
FIGURES = (
    "tracked",
    "ate_yaw_m",
    "ate_similarity_m",
    "scale_error",
    "scale_sigmas",
    "gravity_error_deg",
    "error_over_sigma",
    "turn_over_sigma",
)
ROOM: dict[str, Callable[[RoomTake], RoomTake]] = {
    "original": lambda take: take,
    "backward": lambda take: take[::-1],
    "every 2nd": lambda take: take[::2],
    "every 3rd": lambda take: take[::3],
    "first half": lambda take: take[: len(take) // 2],
    "second half": lambda take: take[len(take) // 2 :],
    "backward, every 2nd": lambda take: take[::-2],
    "half size": lambda take: take.half_size(),
    "mirrored": lambda take: take.mirrored(),
    "noisy pictures": lambda take: take.noisy(10.0),
}


def main() -> int:
    """Run every variation of every recording found; print the figures and write them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these variations alone")
    parser.add_argument("--kind", choices=("euroc", "room"), help="recordings of this kind alone")
    parser.add_argument("--json", type=Path, help="add the figures to this file")
    parser.add_argument("--list", action="store_true", help="name the variations and end")
    args = parser.parse_args()
    if args.list:
        print("euroc: " + "; ".join(EUROC), "room: " + "; ".join(ROOM), sep="\n")
        return 0
    found = json.loads(args.json.read_text("utf-8")) if args.json and args.json.exists() else {}
    for folder, kind in _recordings(args.data):
        if args.kind not in (None, kind):
            continue
        take, run = (read_euroc(folder), euroc) if kind == "euroc" else (read_room(folder), room)
        for name, vary in (EUROC if kind == "euroc" else ROOM).items():
            if args.only and name not in args.only:
                continue
            figures = run(vary(take))
            print(f"{folder.name}, {name}: {json.dumps(figures)}", flush=True)
            found.setdefault(folder.name, {})[name] = figures
            if args.json:
                args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for recording, variations in found.items():
        for key, line in summary(variations).items():
            print(f"{recording}, {key}: {line}")
    return 0 if found else 1


def _recordings(data: Path) -> Iterator[tuple[Path, str]]:
    for folder in sorted(data.iterdir()):
        if (folder / "cam0.mp4").exists() and (folder / "groundtruth.csv").exists():
            yield folder, "euroc"
        elif (folder / "camera-intrinsics.txt").exists():
            yield folder, "room"


def euroc(take: EurocTake) -> dict[str, Any]:
    """Figures of one EuRoC take; ``refused`` with the message where the stage says no."""
    with tempfile.TemporaryDirectory() as temp:
        folder = write_euroc(take, Path(temp) / "euroc")
        session = ingest(write_rig(folder, Path(temp) / "rig"), Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(decode_all=False), NO_PROGRESS)
        clock = Clock()
        try:
            outcome = SLAM.run(session, SlamConfig(), NO_PROGRESS)
        except HandoffError as error:
            return {"refused": str(error)}
        spent = clock.seconds()
        path, report = Trajectory.read(session), read_document(session, SLAM_REPORT)
        truth, known = interpolate(*read_truth(folder), path.timestamp_ns)
    mine = SE3.from_pose7(path.world_from_head)
    sigmas = {m["map_id"]: m["scale_sigma"] for m in report["maps"]}
    figures = {"tracked": round(float(path.tracked.mean()), 4)}
    if report["scale_source"] == "unknown" or report["gravity_source"] == "none":
        figures |= {"scale": report["scale_source"], "gravity": report["gravity_source"]}
        errors_of = similarity_errors
    else:
        errors_of = metric_errors
    rows = path.tracked & known
    maps = {int(k): rows & (path.map_id == k) for k in np.unique(path.map_id[rows])}
    parts = [
        errors_of(mine[m], truth[m], sigma=(sigmas.get(k), path.sigma_m[m], path.sigma_rad[m]))
        for k, m in maps.items()
    ]
    return figures | together(parts, list(maps.values())) | {"warnings": outcome.warnings} | spent


def room(take: RoomTake) -> dict[str, Any]:
    """Figures of pictures without an IMU."""
    clock = Clock()
    follower = Follower(take.camera, SlamConfig())
    for picture in take.pictures():
        follower.add(picture)
    times_ns = np.arange(len(take), dtype=np.int64) * 33_333_333
    shutter = Shutter(0.0, take.camera.size_wh)  # of a readout that nobody tells
    tracks, places = follower.tracks(times_ns), follower.places
    path = estimate(tracks, SlamConfig(), places=places, shutter=shutter).path
    spent = clock.seconds()
    rows = path.tracked & np.isfinite(take.truth).all(axis=(1, 2))
    maps = {int(k): rows & (path.map_id == k) for k in np.unique(path.map_id[rows])}
    mine, truth = path.world_from_camera, SE3.from_matrix(np.nan_to_num(take.truth))
    parts = [similarity_errors(mine[m], truth[m]) for m in maps.values()]
    figures = {"tracked": round(float(path.tracked.mean()), 4)}
    return figures | together(parts, list(maps.values())) | spent


def metric_errors(mine: SE3, truth: SE3, *, sigma: tuple[float | None, Any, Any]) -> dict[str, Any]:
    """Yaw and position aligned errors of one map, and how its sigmas (scale, m, rad) hold them."""
    _, scale = umeyama(mine.translation, truth.translation, with_scale=True)
    up = np.sum(mine.rotation[:, 2] * truth.rotation[:, 2], axis=1)
    both = truth.rotation[0] @ mine.rotation[0].T
    turn = matrix_from_rotvec([0, 0, np.arctan2(both[1, 0] - both[0, 1], both[0, 0] + both[1, 1])])
    there = (truth.translation - truth.translation[0]) @ turn
    off = mine.translation - mine.translation[0] - there
    twist = rotvec_from_matrix(mine.rotation @ truth.rotation.swapaxes(1, 2) @ turn)
    return similarity_errors(mine, truth) | {
        "yaw_m": ate_errors(mine.translation, truth.translation, align="yaw"),
        "scale_error": scale - 1,
        "scale_sigmas": abs(1 / scale - 1) / sigma[0] if sigma[0] else np.nan,
        "gravity_error_deg": np.rad2deg(np.arccos(np.clip(up, -1, 1))),
        "off_m": off,
        "sigma_m": sigma[1],
        "off_rad": twist,
        "sigma_rad": sigma[2],
    }


def similarity_errors(mine: SE3, truth: SE3, *, sigma: Any = None) -> dict[str, Any]:
    """Similarity aligned errors of one map; whatever its sigmas are."""
    del sigma
    errors = ate_errors(mine.translation, truth.translation, align="sim3")
    return {"similarity_m": errors, "path_m": path_length_m(truth.translation)}


def together(parts: list[dict[str, Any]], rows: list[Bools]) -> dict[str, Any]:
    """Figures of all maps: rms over frames; the scale of the map with most frames."""
    figures: dict[str, Any] = {"maps": len(parts)}
    if not parts:
        return figures
    largest = parts[int(np.argmax([int(r.sum()) for r in rows]))]
    figures["path_m"] = round(sum(p["path_m"] for p in parts), 2)
    for key, name, digits in (
        ("yaw_m", "ate_yaw_m", 4),
        ("similarity_m", "ate_similarity_m", 4),
        ("gravity_error_deg", "gravity_error_deg", 3),
    ):
        if key in largest:
            figures[name] = round(_rms([p[key] for p in parts]), digits)
    for name, errors, sigmas in (
        ("error_over_sigma", "off_m", "sigma_m"),
        ("turn_over_sigma", "off_rad", "sigma_rad"),
    ):
        if errors in largest:
            off, sigma = (_rms([p[key] for p in parts]) for key in (errors, sigmas))
            figures[name] = round(off / sigma, 2)
    for key in ("scale_error", "scale_sigmas"):
        if key in largest:
            figures[key] = round(float(largest[key]), 4)
    return figures


def _rms(parts: list[Any]) -> float:
    every = np.concatenate([np.asarray(part).ravel() for part in parts])
    return float(np.sqrt(np.mean(every**2)))


def summary(variations: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Original, median and worst of every figure, the worst by its name."""
    lines = {}
    for key in FIGURES:
        values = {n: abs(f[key]) for n, f in variations.items() if f.get(key) is not None}
        if not values:
            continue
        varied = {n: v for n, v in values.items() if n != "original"} or values
        worst = (min if key == "tracked" else max)(varied, key=lambda name: varied[name])
        lines[key] = (
            f"original {values.get('original', '-')}, median of {len(varied)} "
            f"{np.median(list(varied.values())):.4g}, worst {varied[worst]} ({worst})"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
