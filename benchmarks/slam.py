"""How good the head trajectory is, on real recordings with ground truth, beside pycolmap.

    python benchmarks/slam.py [--data ../shared/data] [--json figures.json] [--repeats 3]
    python benchmarks/slam.py --truth-rig --cache takes [--seconds 60]
    python benchmarks/slam.py --long --cache takes [--seconds 600]
    python benchmarks/slam.py --take FOLDER

`euroc_*`: one camera and IMU, through ingest, capture and the whole slam stage. `rgbd_*`: colour
pictures alone. All frames count. The peer is COLMAP's incremental mapper as
`slam.backends.colmap_mapper` runs it, on every fourth (every tenth) of the same frames: given
calibration held, SIFT, each picture matched with its neighbours in time, largest model. It draws
lots, so its median run of `--repeats` counts. --no-pycolmap leaves it out. --spacings: how much the
errors scatter with the spacing of keyframes. Seconds: processor time, and by the clock.
`--truth-rig`: synthetic takes instead (benchmarks/slam_truth.py); `--long`: one of ten minutes;
`--take`: one that `handoff sim record` has made.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.euroc import read_truth, write_rig
from benchmarks.slam_truth import LONG, TAKES, recorded, run_take
from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.geometry.alignment import umeyama
from core.geometry.cameras import Camera, pinhole
from core.geometry.metrics import ate_errors, ate_rmse, path_length_m
from core.geometry.se3 import SE3, interpolate
from core.session.calibration import Calibration
from core.session.frames import open_frames
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Trajectory
from slam.backends.colmap_mapper import MapperSettings, Picture, map_pictures
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.path import CameraPath
from slam.recording import read_recording
from slam.sight.follow import Follower
from slam.sight.rolling import Shutter
from slam.stage import SLAM

SPACINGS_S = (0.25, 0.3, 0.35, 0.4, 0.5)
Pictures = Callable[[], Iterator[Any]]  # grey images in order


def main() -> int:
    """Run every recording found, print the figures and write them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--no-pycolmap", action="store_true", help="without the peer")
    parser.add_argument(
        "--spacings", action="store_true", help="EuRoC errors at several keyframe spacings, alone"
    )
    parser.add_argument("--repeats", type=int, default=1, help="runs of the peer")
    parser.add_argument("--truth-rig", action="store_true", help="synthetic takes instead")
    parser.add_argument("--long", action="store_true", help="one synthetic take of ten minutes")
    parser.add_argument("--take", type=Path, default=None, help="one synthetic take, ready made")
    parser.add_argument("--cache", type=Path, default=Path("takes"), help="where those are kept")
    parser.add_argument(
        "--seconds", type=float, default=None, help="their length: 60, or 600 with --long"
    )
    args = parser.parse_args()
    repeats = 0 if args.no_pycolmap else args.repeats
    figures: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    }
    print(f"machine: {json.dumps(figures['machine'])}", flush=True)
    synthetic = (TAKES if args.truth_rig else ()) + ((LONG,) if args.long else ())
    for take in synthetic:
        seconds = args.seconds or (600.0 if take is LONG else 60.0)
        figures[take.name] = run_take(recorded(take, args.cache, seconds=seconds), Clock)
        print(f"{take.name}: {json.dumps(figures[take.name])}", flush=True)
    if args.take is not None:
        figures[args.take.name] = run_take(args.take, Clock)
        print(f"{args.take.name}: {json.dumps(figures[args.take.name])}", flush=True)
    for folder in () if synthetic or args.take is not None else sorted(args.data.iterdir()):
        if (folder / "cam0.mp4").exists() and (folder / "groundtruth.csv").exists():
            if args.spacings:
                figures[folder.name] = spacings(folder)
                print(f"{folder.name}: {json.dumps(figures[folder.name])}", flush=True)
                continue
            figures[folder.name] = euroc(folder, repeats=repeats)
        elif (folder / "camera-intrinsics.txt").exists() and not args.spacings:
            figures[folder.name] = pictures_only(folder, repeats=repeats)
        else:
            continue
        print(f"{folder.name}: {json.dumps(figures[folder.name])}", flush=True)
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if len(figures) > 1 else 1


def euroc(folder: Path, *, repeats: int) -> dict[str, Any]:
    """Camera and IMU: every frame against ground truth interpolated at its time."""
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(write_rig(folder, Path(temp) / "rig"), Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(), NO_PROGRESS)
        clock = Clock()
        SLAM.run(session, SlamConfig(), NO_PROGRESS)
        spent = clock.seconds()
        path = Trajectory.read(session)
        truth, known = interpolate(*read_truth(folder), path.timestamp_ns)
        seconds = (path.timestamp_ns[-1] - path.timestamp_ns[0]) * 1e-9
        figures = errors(path, truth, known) | spent | {"recording_s": round(float(seconds), 1)}
        if repeats:
            camera = Calibration.read(session).stream("head").camera
            peer = Peer(lambda: _decoded(session), camera, truth.translation, step=4)
            figures["pycolmap"] = peer.median_of(repeats)
            ours = np.where(path.tracked[:, None], path.world_from_head[:, :3], np.nan)
            figures["ate_similarity_on_its_frames_m"] = peer.error_of(ours)
        return figures


def spacings(folder: Path) -> dict[str, Any]:
    """The same followed corners mapped at several keyframe spacings: how the errors scatter."""
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(write_rig(folder, Path(temp) / "rig"), Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(), NO_PROGRESS)
        recording = read_recording(session, SlamConfig(), NO_PROGRESS)
        tracks, places = recording.follow()
        truth, known = interpolate(*read_truth(folder), tracks.timestamps_ns)
        found = {}
        for seconds in SPACINGS_S:
            config = replace(SlamConfig(), keyframe_max_s=seconds)
            path = estimate(tracks, config, imu=recording.imu, places=places).path
            rows = path.tracked & known
            mine, there = path.position[rows], truth.translation[rows]
            found[seconds] = [
                round(ate_rmse(mine, there, align=align), 4) for align in ("yaw", "sim3")
            ]
    yaw, similarity = np.array(list(found.values())).T
    return {
        "keyframe_max_s": list(SPACINGS_S),
        "ate_yaw_m": yaw.tolist(),
        "ate_yaw_median_m": round(float(np.median(yaw)), 4),
        "ate_similarity_m": similarity.tolist(),
        "ate_similarity_median_m": round(float(np.median(similarity)), 4),
    }


def largest_map(path: Trajectory | CameraPath) -> Any:
    """Frames ``(F,)`` of the largest map: others share no world with it and count as lost."""
    ids, frames = np.unique(path.map_id[path.tracked], return_counts=True)
    return path.tracked & (path.map_id == ids[np.argmax(frames)]) if len(ids) else path.tracked


def errors(path: Trajectory, truth: SE3, known: Any) -> dict[str, Any]:
    """Yaw and position aligned, similarity aligned, scale and gravity errors of tracked frames."""
    whole = largest_map(path)
    rows = whole & known
    mine, there = SE3.from_pose7(path.world_from_head[rows]), truth[rows]
    _, scale = umeyama(mine.translation, there.translation, with_scale=True)
    up = np.sum(mine.rotation[:, 2] * there.rotation[:, 2], axis=1)  # world up in camera axes
    tilt_deg = np.rad2deg(np.arccos(np.clip(up, -1, 1)))
    off = ate_errors(mine.translation, there.translation, align="yaw")
    return {
        "tracked": round(float(whole.mean()), 4),
        "path_m": round(path_length_m(there.translation), 2),
        "ate_yaw_m": round(float(np.sqrt(np.mean(off**2))), 4),
        "ate_yaw_worst_m": round(float(off.max()), 4),
        "ate_similarity_m": round(ate_rmse(mine.translation, there.translation, align="sim3"), 4),
        "scale_error": round(abs(scale - 1), 4),
        "gravity_error_deg": round(float(np.sqrt(np.mean(tilt_deg**2))), 3),
    }


def pictures_only(folder: Path, *, repeats: int) -> dict[str, Any]:
    """Colour pictures without an IMU: similarity-aligned error over every frame."""
    files = sorted(folder.glob("*.color.jpg"))
    poses = [np.loadtxt(str(f).replace("color.jpg", "pose.txt")) for f in files]
    truth = np.stack(poses)[:, :3, 3]
    intrinsics = np.loadtxt(folder / "camera-intrinsics.txt")
    height, width = cv2.imread(str(files[0])).shape[:2]
    camera = pinhole(
        float(intrinsics[0, 0]), (width, height), centre_px=(intrinsics[0, 2], intrinsics[1, 2])
    )

    def pictures() -> Iterator[Any]:
        return (cv2.imread(str(f), cv2.IMREAD_GRAYSCALE) for f in files)

    clock = Clock()
    follower = Follower(camera, SlamConfig())
    for grey in pictures():
        follower.add(grey)
    times_ns = np.arange(len(files), dtype=np.int64) * 33_333_333
    shutter = Shutter(0.0, camera.size_wh)  # of a readout that nobody tells
    tracks, places = follower.tracks(times_ns), follower.places
    result = estimate(tracks, SlamConfig(), places=places, shutter=shutter)
    spent = clock.seconds()
    whole = largest_map(result.path)
    rows = whole & np.isfinite(truth).all(axis=1)
    figures: dict[str, Any] = {
        "tracked": round(float(whole.mean()), 4),
        "maps": len(result.maps),
        "path_m": round(path_length_m(truth), 2),
        "ate_similarity_m": round(
            ate_rmse(result.path.position[rows], truth[rows], align="sim3"), 4
        ),
        "readout_ms": round(1e3 * result.readout.seconds, 1) if result.readout else None,
        "recording_s": round(len(files) / 30, 1),
    } | spent
    if repeats:
        peer = Peer(pictures, camera, truth, step=10)
        figures["pycolmap"] = peer.median_of(repeats)
        figures["ate_similarity_on_its_frames_m"] = peer.error_of(result.path.position)
    return figures


class Peer:
    """COLMAP on every ``step``-th picture, against truth ``(F,3)`` of every picture."""

    def __init__(self, pictures: Pictures, camera: Camera, truth: Any, *, step: int) -> None:
        self._pictures, self._camera, self._truth, self._step = pictures, camera, truth, step
        self._taken = np.arange(0, len(truth), step)

    def error_of(self, position: Any) -> float:
        """Similarity-aligned error of somebody's ``(F,3)`` on the pictures COLMAP was given."""
        mine, there = position[self._taken], self._truth[self._taken]
        known = np.isfinite(mine).all(axis=1) & np.isfinite(there).all(axis=1)
        return round(ate_rmse(mine[known], there[known], align="sim3"), 4)

    def median_of(self, repeats: int) -> dict[str, Any]:
        """The run with the median error; the errors of all of them beside it."""
        runs = [self._run() for _ in range(repeats)]
        runs.sort(key=lambda run: (run["ate_similarity_m"] is None, run["ate_similarity_m"]))
        every = [run["ate_similarity_m"] for run in runs]
        return runs[(repeats - 1) // 2] | {"ate_of_every_run_m": every}

    def _run(self) -> dict[str, Any]:
        clock = Clock()
        chosen = (
            Picture(row, grey) for row, grey in enumerate(self._pictures()) if row % self._step == 0
        )
        with tempfile.TemporaryDirectory() as temp:
            models = map_pictures(
                chosen, self._camera, workdir=Path(temp), settings=MapperSettings()
            )
        figures: dict[str, Any] = {"step": self._step} | clock.seconds()
        position = np.full(self._truth.shape, np.nan)
        if models:
            position[models[0].rows] = models[0].world_from_camera.translation
        figures["registered"] = round(float(np.isfinite(position[self._taken, 0]).mean()), 3)
        figures["ate_similarity_m"] = self.error_of(position) if models else None
        return figures


def _decoded(session: SessionFolder) -> Iterator[Any]:
    with open_frames(session, "head", redact=False) as frames:
        for frame in frames:
            yield cv2.cvtColor(frame.image_rgb, cv2.COLOR_RGB2GRAY)


class Clock:
    """Seconds since it was made: of the processor (this process and finished children), and by the
    clock on the wall, which other work on the machine slows."""

    def __init__(self) -> None:
        self._cpu_s, self._wall_s = cpu_s(), time.perf_counter()

    def seconds(self) -> dict[str, float]:
        """``cpu_s`` and ``wall_s``."""
        return {
            "cpu_s": round(cpu_s() - self._cpu_s, 1),
            "wall_s": round(time.perf_counter() - self._wall_s, 1),
        }


def cpu_s() -> float:
    """User and system seconds of this process and its finished children."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


if __name__ == "__main__":
    sys.exit(main())
