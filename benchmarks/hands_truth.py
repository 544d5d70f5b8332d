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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capture.ingest import ingest
from capture.stage import Capture
from core.geometry.camera_model import Camera
from core.geometry.landmarks import SIDES, landmarks17_from_mediapipe21
from core.geometry.metrics import procrustes, rotation_error_deg
from core.geometry.palm import palm_frame, palm_frame_three_point
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.info import SessionInfo
from core.session.layout import TRUTH
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Detections, Hands, Ticks
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
STILL_M_S = 0.03  # slower palms, in the camera, are at rest
OTHER_HAND = 0.5  # detections whose landmarks miss a hand by less than this part of a palm show it


@dataclass(frozen=True, eq=False)
class Truth:
    """One side at T ticks. landmarks: ``(T,17,3)``, joints: ``(T,21,3)``, visible: ``(T,17)``."""

    landmarks: Floats
    joints: Floats
    visible: NDArray[np.bool_]


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


def truth_of(session: SessionFolder, ticks: Ticks) -> dict[str, Truth]:
    """By side, the row of the truth nearest to each tick."""
    table = Hands.read(session, TRUTH)
    sides = {}
    for side in SIDES:
        mine = table.take(np.array([name == side for name in table.side], dtype=bool))
        row = np.abs(mine.timestamp_ns[None] - ticks.timestamp_ns[:, None]).argmin(axis=1)
        sides[side] = Truth(
            mine.landmarks_in_head[row].reshape(-1, 17, 3).astype(np.float64),
            mine.raw21_in_head[row].reshape(-1, 21, 3).astype(np.float64),
            mine.visible[row],
        )
    return sides


def compared(
    wearer: Wearer, truth: dict[str, Truth], times_ns: NDArray[np.int64]
) -> dict[str, Any]:
    """Errors over both hands of one take."""
    parts = [_side(wearer, side, truth[side], times_ns=times_ns) for side in SIDES]
    merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    seen, claimed = merged["truly_visible"].astype(bool), merged["visible"].astype(bool)
    swaps = sum(
        int(np.sum(_miss(wearer, side, truth[other]) < _miss(wearer, side, truth[side])))
        for side, other in (SIDES, SIDES[::-1])
    )
    figures = {
        "found": np.mean(merged["found"]),
        "landmarks_mm": 1e3 * np.mean(merged["absolute"]),
        "wrist_relative_mm": 1e3 * np.mean(merged["relative"]),
        "aligned_mm": 1e3 * np.mean(merged["aligned"]),
        "palm_mm": 1e3 * np.mean(merged["palm"]),
        "palm_deg": np.mean(merged["turn"]),
        "along_the_ray_mm": 1e3 * np.mean(merged["along"]),
        "inside_one_sigma_lateral": np.mean(merged["lateral_inside"]),
        "inside_one_sigma_ray": np.mean(merged["ray_inside"]),
        "visible_precision": np.sum(seen & claimed) / max(np.sum(claimed), 1),
        "visible_recall": np.sum(seen & claimed) / max(np.sum(seen), 1),
        "jitter_at_rest_mm": _median(1e3 * merged["jitter"]),
        "jitter_at_rest_deg": _median(np.rad2deg(merged["turn_jitter"])),
        "swaps": swaps,
    }
    return {k: None if v is None else round(float(v), 3) for k, v in figures.items()}


def _miss(wearer: Wearer, side: str, truth: Truth) -> Floats:
    """``(T,)`` NaN where the hand is missing."""
    apart = wearer.hands[side].landmarks - truth.landmarks
    return np.asarray(np.linalg.norm(apart, axis=-1).mean(axis=1))


def _side(
    wearer: Wearer, side: str, truth: Truth, *, times_ns: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    hand = wearer.hands[side]
    rows = hand.state == "measured"
    ours, true = hand.landmarks[rows], truth.landmarks[rows]
    error = ours - true
    rays = true / np.linalg.norm(true, axis=-1, keepdims=True)
    right = np.cross([0.0, 1.0, 0.0], rays)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    axes = np.stack([right, np.cross(rays, right), rays], axis=-2)
    apart = (axes @ error[..., None])[..., 0]
    palm, true_palm = hand.head_from_palm[rows], palm_frame(true, side)
    in_view = truth.visible.any(axis=1)
    calm = _calm(truth.landmarks[:, 1], times_ns)
    return {
        "found": (hand.state != "missing")[in_view],
        "absolute": np.linalg.norm(error, axis=-1).mean(axis=1),
        "relative": np.linalg.norm(error - error[:, :1], axis=-1).mean(axis=1),
        "aligned": np.linalg.norm(procrustes(ours, true) - true, axis=-1).mean(axis=1),
        "palm": np.linalg.norm(palm.translation - true_palm.translation, axis=-1),
        "turn": rotation_error_deg(palm.rotation, true_palm.rotation),
        "along": apart[..., 2].mean(axis=1),
        "lateral_inside": (np.abs(apart[..., :2]) < hand.sigma_lateral_m[rows, :, None]).ravel(),
        "ray_inside": (np.abs(apart[..., 2]) < hand.sigma_ray_m[rows]).ravel(),
        "visible": hand.visible[rows].ravel(),
        "truly_visible": truth.visible[rows].ravel(),
        "jitter": _shake(hand.landmarks[:, 1] - truth.landmarks[:, 1])[calm],
        "turn_jitter": _shake(_turned(hand.head_from_palm, palm_frame(truth.landmarks, side)))[
            calm
        ],
    }


def _calm(points: Floats, times_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """``(T-2,)`` where points ``(T,3)`` rest before and after."""
    speed = np.linalg.norm(np.diff(points, axis=0), axis=1) / np.diff(times_ns) * 1e9
    return np.asarray((speed[1:] < STILL_M_S) & (speed[:-1] < STILL_M_S))


def _turned(ours: SE3, true: SE3) -> Floats:
    """``(T,3)`` rotation vectors of the error, NaN where one is missing."""
    turn = np.full((len(ours.translation), 3), np.nan)
    known = ours.finite & true.finite
    error = np.swapaxes(true.rotation[known], -1, -2) @ ours.rotation[known]
    turn[known] = rotvec_from_matrix(error)
    return turn


def _shake(error: Floats) -> Floats:
    """``(T-2,)`` second differences over √6: the deviation of white noise in three numbers."""
    return np.asarray(np.linalg.norm(np.diff(error, n=2, axis=0), axis=1) / np.sqrt(6))


def _median(values: Floats) -> float | None:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None


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
            shift, turn = palms.translation - true.translation, _turned(palms, true)
            shakes.setdefault(f"{name}_mm", []).append(1e3 * _shake(shift))
            shakes.setdefault(f"{name}_deg", []).append(np.rad2deg(_shake(turn)))
    noise = {name: _median(np.concatenate(parts)) or np.nan for name, parts in shakes.items()}
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
