"""How good the hands are on synthetic takes with exact truth, beside raw MediaPipe + PnP.

    python benchmarks/hands_truth.py [--sessions DIR] [--json figures.json]

Without `--sessions` takes of 10 s are recorded: fixed seeds, head camera, default sensors, and two
with harsh ones, once through a fisheye. Hand length known (± 2 mm) and unknown. The networks never
saw these takes; they learnt on hands of the same mesh with other proportions.

Palm noise: second differences of the palm's error over √6, before anything is smoothed, of our fit
and of the three-point construction, on the same detections: on the landmarks that the lifter has
put right, and on the detector's own, placed by PnP, as a user of the plain construction has them.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.hands_errors import Truth, compared, median, shake, truth_of, turned
from capture.ingest import ingest
from capture.stage import Capture
from core.geometry.camera_model import Camera
from core.geometry.landmarks import SIDES, landmarks17_from_mediapipe21
from core.geometry.palm import palm_frame, palm_frame_three_point
from core.session.calibration import Calibration
from core.session.info import SessionInfo
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Detections, Ticks
from hands.config import HandsConfig
from hands.lift import candidates, evidence_of, raw_in_head
from hands.model.evidence import MIRROR
from hands.model.lifter import lifted
from hands.model.proportions import hand_shape
from hands.reconstruct import reconstruct_stills
from hands.sources import SourceHands
from hands.sources.mediapipe import hands_of
from hands.stage import HANDS_DETECT
from hands.wearer import Wearer, wearer_hands

Floats = NDArray[np.float64]

TAKES = (  # task, seed, rig, preset
    ("spice_rack", 21, "head", "default"),
    ("bus_table", 23, "head", "default"),
    ("there_and_back", 25, "head", "default"),
    ("sort_eggs", 27, "head", "harsh"),
    ("blocks_to_tray", 29, "fisheye-head", "harsh"),
)
OTHER_HAND = 0.5  # detections whose landmarks miss a hand by less than this part of a palm show it


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=Path, help="folder of sessions with truth, detected")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sessions = (
            [
                SessionFolder(p.parent.parent)
                for p in arguments.sessions.glob("*/hands/detections.*")
            ]
            if arguments.sessions
            else [recorded(Path(scratch), take) for take in TAKES]
        )
        figures = {Path(session.url).name: measured(session) for session in sessions}
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if figures else 1


def recorded(
    scratch: Path, take: tuple[str, int, str, str], *, seconds: float = 10.0
) -> SessionFolder:
    """A take as a session in which hands were looked for."""
    from sim.record import record

    task, seed, rig, preset = take
    name = f"{task}-{rig}-{preset}-{seed}".replace("_", "-")
    folder = scratch / "takes" / name
    record(folder, task=task, seed=seed, rig=rig, preset=preset, seconds=seconds)
    session = ingest(folder, scratch, session_id=name)
    for stage in (Capture(), HANDS_DETECT):
        stage.run(session, stage.config_type(), NO_PROGRESS)
    return session


def measured(session: SessionFolder) -> dict[str, Any]:
    """Figures of one session: ours with and without the hand length, and MediaPipe + PnP."""
    ticks = Ticks.read(session)
    camera = Calibration.read(session).stream("head").camera
    length_mm = SessionInfo.read(session).operator.hand_length_mm
    found = hands_of(Detections.read(session), ticks)
    truth = truth_of(session, ticks)
    figures: dict[str, Any] = {}
    for name, length in (("hand length known", length_mm), ("hand length unknown", None)):
        wearer = wearer_hands(
            found,
            timestamps_ns=ticks.timestamp_ns,
            camera=camera,
            shape=hand_shape(length),
            config=HandsConfig(),
        )
        figures[name] = compared(wearer, truth, ticks.timestamp_ns)
        if length is not None:
            figures["palm noise"] = palm_noise(wearer, found, truth, camera=camera)
    figures["mediapipe_pnp"] = pnp_errors(found, truth, camera)
    return figures


def palm_noise(
    wearer: Wearer, found: SourceHands, truth: dict[str, Truth], *, camera: Camera
) -> dict[str, float]:
    """Frame by frame, unsmoothed: our palms, and three-point palms of the lifted landmarks and of
    the detector's own.
    """
    seen = candidates(found, camera)
    shakes: dict[str, list[Floats]] = {}
    for number, side in enumerate(SIDES):
        raw = evidence_of(
            seen, wearer.association, side=number, camera=camera,
            landmark_sigma=HandsConfig().landmark_sigma,
        )  # fmt: skip
        evidence = lifted(raw)
        mirror = MIRROR if side == "left" else np.ones(3)
        track = reconstruct_stills(evidence, wearer.shape, config=HandsConfig())
        fitted = track.poses.joints(wearer.shape) * mirror
        fitted[~evidence.seen] = np.nan
        plain = np.full_like(fitted, np.nan)
        for row in np.flatnonzero(raw.seen):
            chosen = wearer.association.chosen[row, number]
            plain[row] = by_pnp(found.raw21_px[chosen], found.raw21_in_hand[chosen], camera)
        true = palm_frame(truth[side].landmarks, side)
        for name, palm, points in (
            ("fit", palm_frame, fitted),
            ("three_point", palm_frame_three_point, raw_in_head(evidence, wearer.shape) * mirror),
            ("three_point_of_detector", palm_frame_three_point, plain),
        ):
            palms = palm(landmarks17_from_mediapipe21(points), side)
            shift, turn = palms.translation - true.translation, turned(palms, true)
            shakes.setdefault(f"{name}_mm", []).append(1e3 * shake(shift))
            shakes.setdefault(f"{name}_deg", []).append(np.rad2deg(shake(turn)))
    noise = {name: median(np.concatenate(parts)) or np.nan for name, parts in shakes.items()}
    ratios = {
        f"ratio{peer}_{unit}": noise[f"fit_{unit}"] / noise[f"three_point{peer}_{unit}"]
        for peer in ("", "_of_detector")
        for unit in ("mm", "deg")
    }
    return {name: round(value, 3) for name, value in (noise | ratios).items()}


def pnp_errors(found: SourceHands, truth: dict[str, Truth], camera: Camera) -> dict[str, float]:
    """The detector's own 3D hands placed by PnP, each beside the hand it lies on."""
    absolute, relative = [], []
    for row, px, guess in zip(found.row, found.raw21_px, found.raw21_in_hand, strict=True):
        true = min(
            (truth[side].joints[row] for side in SIDES),
            key=lambda joints: float(np.linalg.norm(camera.project(joints)[0] - px)),
        )
        points = np.linalg.norm(px[9] - px[0])
        if np.linalg.norm(camera.project(true)[0] - px, axis=1).mean() > OTHER_HAND * points:
            continue
        placed = by_pnp(px, guess, camera)
        error = landmarks17_from_mediapipe21(placed) - landmarks17_from_mediapipe21(true)
        absolute.append(np.linalg.norm(error, axis=-1).mean())
        relative.append(np.linalg.norm(error - error[:1], axis=-1).mean())
    return {
        "landmarks_mm": round(1e3 * float(np.mean(absolute)), 1),
        "wrist_relative_mm": round(1e3 * float(np.mean(relative)), 1),
    }


def by_pnp(px: Floats, guess: Floats, camera: Camera) -> Floats:
    """``(21,3)`` the detector's own 3D hand ``(21,3)`` where it falls on its pixels ``(21,2)``."""
    rays, _ = camera.unproject(px)
    flat = np.ascontiguousarray(rays[:, :2] / rays[:, 2:])
    _, turn, shift = cv2.solvePnP(guess, flat, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
    return np.asarray(guess @ cv2.Rodrigues(turn)[0].T + shift[:, 0])


if __name__ == "__main__":
    sys.exit(main())
