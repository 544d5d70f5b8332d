"""How many hands are found, how many findings are wrong and what it costs, beside MediaPipe alone.

    python benchmarks/detection.py TAKE [TAKE ...] [--wrists] [--json figures.json]

TAKE: a rig folder with truth, as `handoff sim record` makes it. Head pictures: of the hands that
are half visible and over 60 px, the share on which a finding lies and the longest run without; of
the findings, the share that lies more than half a palm from every true hand, and the share on hands
that are mostly hidden. `--wrists`: the same of the hand that carries the camera. Cost: CPU
milliseconds per picture in one process, decoding included, start-up not; other load on the machine
matters little.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.evaluate.detections import WantedHands, found_of, wanted_hands
from benchmarks.mediapipe_alone import points_alone
from core.geometry.camera_model import Camera
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.frames import open_video
from core.session.storage import SessionFolder
from core.session.tables import Hands, Trajectory
from hands.config import HandsDetectConfig
from hands.detection.detector import HandDetector
from hands.detection.hindsight import hands_with_hindsight
from hands.detection.model_file import hand_model_path
from hands.detection.views import palm_size_px

Floats = NDArray[np.float64]
Points = Mapping[int, Floats]  # row of the picture -> (D,21,2) pixels

ASTRAY = 0.5  # palms from every true hand
IN_VIEW = 0.5  # of the landmarks of a hand that carries a camera


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("take", type=Path, nargs="+", help="a rig folder with truth")
    parser.add_argument("--wrists", action="store_true", help="the wrist cameras' pictures too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for take in arguments.take:
        figures[take.name] = of_take(take, wrists=arguments.wrists)
        print(f"\n{take.name}\n{json.dumps(figures[take.name], indent=2)}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def of_take(take: Path, *, wrists: bool) -> dict[str, Any]:
    """Figures of each stream; the head's by both detectors."""
    folder = SessionFolder(str(take))
    hands = Hands.read(folder, "truth")
    camera = Calibration.read(folder, "truth").stream("head").camera
    found = {
        "mediapipe_alone": points_alone(take / "head.mp4"),
        "ours": points_of_ours(take / "head.mp4", worn=False),
    }
    figures: dict[str, Any] = {
        name: {
            **head_figures(points, hands, camera),
            "cpu_ms_per_picture": round(1e3 * seconds / max(len(points), 1), 1),
        }
        for name, (points, seconds) in found.items()
    }
    for side in ("left", "right") if wrists else ():
        points, seconds = points_of_ours(take / f"{side}_wrist.mp4", worn=True)
        figures[f"ours_{side}_wrist"] = {
            **wrist_figures(points, folder, side),
            "cpu_ms_per_picture": round(1e3 * seconds / max(len(points), 1), 1),
        }
    return figures


def points_of_ours(video: Path, *, worn: bool) -> tuple[dict[int, Floats], float]:
    """As `points_alone`, by the detector of `hands_detect`."""
    config = HandsDetectConfig()
    detector = HandDetector(hand_model_path(), config, worn=worn)
    with open_video(video) as all_:
        started = time.process_time()
        pictures = (frame.image_rgb for frame in all_.iterate())
        points = {
            row: np.array([hand.raw21_px for hand in hands]).reshape(-1, 21, 2)
            for row, hands in enumerate(hands_with_hindsight(pictures, detector, config))
        }
    return points, time.process_time() - started


def head_figures(points: Points, hands: Hands, camera: Camera) -> dict[str, Any]:
    """Recall and precision in the head's pictures."""
    wanted = wanted_hands(hands, camera)
    chosen = found_of(wanted, points)
    known = hands.raw21_in_head_valid & hands.landmarks_in_head_valid
    raw, valid = camera.project(hands.raw21_in_head.reshape(-1, 21, 3))
    raw = np.where((valid & known[:, None])[..., None], raw, np.nan)
    hidden = hands.visible.mean(axis=1) < 0.5
    near = [
        nearest(px, raw[rows], hidden[rows])
        for row, found in points.items()
        for rows in [np.flatnonzero(hands.tick == row)]
        for px in found
    ]
    return {
        "wanted": len(chosen),
        "found": share(chosen >= 0),
        "longest_run_without": longest_run(wanted, chosen < 0),
        "findings": len(near),
        "astray": share([palms > ASTRAY for palms, _ in near]),
        "on_hidden_hands": share([palms <= ASTRAY and unseen for palms, unseen in near]),
    }


def nearest(px: Floats, truths: Floats, hidden: NDArray[np.bool_]) -> tuple[float, bool]:
    """The nearest true hand of ``(H,21,2)``: how many of its palms off; whether it is hidden."""
    off = np.linalg.norm(px - truths, axis=-1).mean(axis=-1)  # NaN for a hand behind the camera
    if not np.isfinite(off).any():
        return np.inf, False
    best = int(np.nanargmin(off))
    return float(off[best] / palm_size_px(truths[best])), bool(hidden[best])


def longest_run(wanted: WantedHands, lost: NDArray[np.bool_]) -> int:
    """Most pictures in a row in which one hand is wanted and not found."""
    longest = 0
    for side in ("left", "right"):
        ticks = wanted.tick[(wanted.side == side) & lost]
        runs = np.split(ticks, np.flatnonzero(np.diff(ticks) > 1) + 1)
        longest = max(longest, *map(len, runs))
    return longest


def wrist_figures(points: Points, folder: SessionFolder, side: str) -> dict[str, Any]:
    """Recall of the hand that carries the camera, and how many palms off it is found."""
    own, in_view = own_hand_px(folder, side)
    off = [
        min(
            (np.linalg.norm(px - truth, axis=-1)[seen].mean() for px in points[row]), default=np.inf
        )
        / palm_size_px(truth)
        for row, (truth, seen) in enumerate(zip(own, in_view, strict=True))
        if row in points and seen.mean() >= IN_VIEW
    ]
    found = np.array(off) <= ASTRAY
    return {
        "wanted": len(off),
        "found": share(found),
        "off_in_palms_median": round(float(np.median(np.array(off)[found])), 3),
    }


def own_hand_px(folder: SessionFolder, side: str) -> tuple[Floats, NDArray[np.bool_]]:
    """True hand of a wrist camera's own side in its pictures ``(T,21,2)``, and which lie inside."""
    camera = Calibration.read(folder, "truth").stream(f"{side}_wrist").camera
    hands, path = Hands.read(folder, "truth"), Trajectory.read(folder, "truth")
    mine = hands.take(np.flatnonzero(hands.side == side))
    wrist = (
        path.world_from_left_wrist_camera if side == "left" else path.world_from_right_wrist_camera
    )
    camera_from_head = SE3.from_pose7(wrist).inverse() @ SE3.from_pose7(path.world_from_head)
    uv, valid = camera.project(camera_from_head.apply(mine.raw21_in_head.reshape(-1, 21, 3)))
    return uv, camera.in_image(uv) & valid


def share(flags: Any) -> float:
    return round(float(np.mean(flags)), 4) if len(flags) else float("nan")


if __name__ == "__main__":
    sys.exit(main())
