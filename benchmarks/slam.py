"""How good the head trajectory is, on real recordings with ground truth, beside pycolmap.

    python benchmarks/slam.py [--data ../shared/data] [--json figures.json] [--pycolmap]

`euroc_*`: one camera and IMU, through ingest, capture and the whole slam stage. `rgbd_*`: colour
pictures alone. All frames count. --pycolmap runs COLMAP's incremental mapper on every fourth (every
tenth) of the same frames in the same process, with the given calibration: minutes, not seconds.
"""

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.euroc import read_truth, write_rig
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
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.follow import Follower
from slam.stage import SLAM

Pictures = Callable[[], Iterator[Any]]  # BGR images in order


def main() -> int:
    """Run every recording found, print the figures and write them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--pycolmap", action="store_true", help="run pycolmap beside it")
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    for folder in sorted(args.data.iterdir()):
        if (folder / "cam0.mp4").exists() and (folder / "groundtruth.csv").exists():
            figures[folder.name] = euroc(folder, pycolmap=args.pycolmap)
        elif (folder / "camera-intrinsics.txt").exists():
            figures[folder.name] = pictures_only(folder, pycolmap=args.pycolmap)
        else:
            continue
        print(f"{folder.name}: {json.dumps(figures[folder.name])}", flush=True)
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if figures else 1


def euroc(folder: Path, *, pycolmap: bool) -> dict[str, Any]:
    """Camera and IMU: every frame against ground truth interpolated at its time."""
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(write_rig(folder, Path(temp) / "rig"), Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(), NO_PROGRESS)
        before = cpu_s()
        SLAM.run(session, SlamConfig(), NO_PROGRESS)
        spent = cpu_s() - before
        path = Trajectory.read(session)
        truth, known = interpolate(*read_truth(folder), path.timestamp_ns)
        seconds = (path.timestamp_ns[-1] - path.timestamp_ns[0]) * 1e-9
        figures = errors(path, truth, known) | {
            "cpu_s": round(spent, 1),
            "recording_s": round(float(seconds), 1),
        }
        if pycolmap:
            camera = Calibration.read(session).stream("head").camera
            figures["pycolmap"] = colmap(
                lambda: _decoded(session), camera, truth=truth.translation, step=4
            )
        return figures


def errors(path: Trajectory, truth: SE3, known: Any) -> dict[str, Any]:
    """Yaw and position aligned, similarity aligned, scale and gravity errors of tracked frames."""
    rows = path.tracked & known
    mine, there = SE3.from_pose7(path.world_from_head[rows]), truth[rows]
    _, scale = umeyama(mine.translation, there.translation, with_scale=True)
    up = np.sum(mine.rotation[:, 2] * there.rotation[:, 2], axis=1)  # world up in camera axes
    tilt_deg = np.rad2deg(np.arccos(np.clip(up, -1, 1)))
    off = ate_errors(mine.translation, there.translation, align="yaw")
    return {
        "tracked": round(float(path.tracked.mean()), 4),
        "path_m": round(path_length_m(there.translation), 2),
        "ate_yaw_m": round(float(np.sqrt(np.mean(off**2))), 4),
        "ate_yaw_worst_m": round(float(off.max()), 4),
        "ate_similarity_m": round(ate_rmse(mine.translation, there.translation, align="sim3"), 4),
        "scale_error": round(abs(scale - 1), 4),
        "gravity_error_deg": round(float(np.sqrt(np.mean(tilt_deg**2))), 3),
    }


def pictures_only(folder: Path, *, pycolmap: bool) -> dict[str, Any]:
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
        return (cv2.imread(str(f)) for f in files)

    before = cpu_s()
    follower = Follower(camera, SlamConfig())
    for image in pictures():
        follower.add(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    times_ns = np.arange(len(files), dtype=np.int64) * 33_333_333
    result = estimate(follower.tracks(times_ns), SlamConfig(), places=follower.places)
    spent = cpu_s() - before
    rows = result.path.tracked & np.isfinite(truth).all(axis=1)
    figures: dict[str, Any] = {
        "tracked": round(float(result.path.tracked.mean()), 4),
        "maps": len(result.maps),
        "path_m": round(path_length_m(truth), 2),
        "ate_similarity_m": round(
            ate_rmse(result.path.position[rows], truth[rows], align="sim3"), 4
        ),
        "cpu_s": round(spent, 1),
        "recording_s": round(len(files) / 30, 1),
    }
    if pycolmap:
        figures["pycolmap"] = colmap(pictures, camera, truth=truth, step=10)
    return figures


def colmap(pictures: Pictures, camera: Camera, *, truth: Any, step: int) -> dict[str, Any]:
    """COLMAP's largest model of every ``step``-th picture, calibration held; its aligned error."""
    import pycolmap

    before = cpu_s()
    with tempfile.TemporaryDirectory() as temp:
        images = Path(temp) / "images"
        images.mkdir()
        for row, image in enumerate(pictures()):
            if row % step == 0:
                cv2.imwrite(str(images / f"{row:06d}.png"), image)
        fx, fy, cx, cy, *bend = camera.params
        options = pycolmap.ImageReaderOptions()
        options.camera_model = "OPENCV"
        # COLMAP puts the corner of the first pixel at 0
        params = [fx, fy, cx + 0.5, cy + 0.5, *(list(bend) + [0.0] * 4)[:4]]
        options.camera_params = ",".join(str(p) for p in params)
        database = Path(temp) / "database.db"
        pycolmap.extract_features(
            database, images, camera_mode=pycolmap.CameraMode.SINGLE, reader_options=options
        )
        pycolmap.match_exhaustive(database)
        mapper = pycolmap.IncrementalPipelineOptions()
        mapper.ba_refine_focal_length = mapper.ba_refine_extra_params = False
        models = pycolmap.incremental_mapping(database, images, Path(temp), mapper)
        if not models:
            return {"registered": 0.0, "cpu_s": round(cpu_s() - before, 1)}
        model = max(models.values(), key=lambda m: m.num_reg_images())
        seen = [model.images[k] for k in model.reg_image_ids()]
        rows = np.array([int(Path(image.name).stem) for image in seen])
        places = np.array([image.projection_center() for image in seen])
    spent = cpu_s() - before
    known = np.isfinite(truth[rows]).all(axis=1)
    return {
        "step": step,
        "registered": round(len(rows) / len(range(0, len(truth), step)), 3),
        "ate_similarity_m": round(ate_rmse(places[known], truth[rows[known]], align="sim3"), 4),
        "cpu_s": round(spent, 1),
    }


def _decoded(session: SessionFolder) -> Iterator[Any]:
    with open_frames(session, "head", redact=False) as frames:
        for frame in frames:
            yield cv2.cvtColor(frame.image_rgb, cv2.COLOR_RGB2BGR)


def cpu_s() -> float:
    """User and system seconds of this process and its finished children."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


if __name__ == "__main__":
    sys.exit(main())
