"""How good the hands are, beside raw MediaPipe, on real pictures and one real video.

    python benchmarks/hands.py [--data ../shared/data] [--json figures.json]

`hands3d_handgraph`: 200 single pictures with 3D truth, no known hand size, every picture by itself.
`egodex_sample.mp4`: both hands of a person at work, no truth: presence, swaps, jitter, cost.
`aria_gen2_bothhands`: the difference to the hands that the device tracked itself.
"""

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.errors import MissingExtraError
from core.geometry.cameras import camera_from_dict
from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.metrics import mpjpe, procrustes, rotation_error_deg, wrist_relative
from core.geometry.palm import palm_frame
from core.session.calibration import Calibration, StreamCalibration
from core.session.frames import open_video
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.layout import HANDS_REPORT
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import EndEffectors, Frames, Hands, Ticks
from hands.config import HandsConfig, HandsDetectConfig
from hands.detection.model_file import hand_model_path
from hands.detection.views import FoundHand
from hands.model.bones import own_bones
from hands.model.evidence import MIRROR, Evidence
from hands.model.lifter import lifted
from hands.model.proportions import HandShape, hand_shape
from hands.reconstruct import reconstruct_stills
from hands.stage import HANDS, HANDS_DETECT
from hands.stills import StillDetector

Floats = NDArray[np.float64]

SIDE = "left"  # of every hand in hands3d_handgraph
PUBLISHED = {"absolute_mm": 26.6, "wrist_relative_mm": 21.2, "aligned_mm": 9.5, "palm_deg": 13.7}
EGODEX_CAMERA = {
    "model": "pinhole_radtan",
    "params": [736.63, 736.63, 960.0, 540.0, 0.0, 0.0, 0.0, 0.0],
    "size_wh": [1920, 1080],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, measure in (
        ("hands3d_handgraph", handgraph),
        ("ego_video", egodex),
        ("aria_gen2_bothhands", aria_device),
    ):
        folder = arguments.data / name
        if not folder.is_dir():
            print(f"{name}: {folder} is not there, skipped")
            continue
        figures[name] = measure(folder)
        print(f"\n{name}")
        print(json.dumps(figures[name], indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if figures else 1


# --- single pictures with truth -----------------------------------------------------------------


def handgraph(folder: Path) -> dict[str, Any]:
    """Absolute, wrist-relative and aligned errors; ours, MediaPipe + PnP, and no depth at all."""
    truth = np.load(folder / "truth.npz")
    joints = truth["landmarks_in_camera_cm"].astype(np.float64) / 100
    images = [folder / "images" / f"{k:05d}.jpg" for k in range(len(joints))]
    found = detect_stills(images)
    seen = np.array([hand is not None for hand in found])
    px = np.full((len(joints), 21, 2), np.nan)
    guess = np.full((len(joints), 21, 3), np.nan)
    for k, hand in enumerate(found):
        if hand is not None:
            x, y, w, h = truth["crop_box_xywh_px"][k]
            px[k] = (hand.raw21_px + 0.5) * [w / 256, h / 256] - 0.5 + [x, y]
            guess[k] = hand.raw21_in_hand
    intrinsics = truth["fx_fy_u0_v0_px"].astype(np.float64)
    evidence = evidence_of_stills(px, guess, intrinsics)
    average = hand_shape(None)
    ours, lateral, ray = reconstructed(evidence, average)
    settings = HandsConfig()
    own = own_bones(
        [evidence], average, guess_sigma_m=settings.guess_sigma_m, frames=2 * len(joints)
    )
    with_bones, _, _ = reconstructed(evidence, own)
    raw = np.array([pnp(*row) for row in zip(px, guess, intrinsics, strict=True)])
    near = raw * (np.median(joints[:, 0, 2]) / raw[:, :1, 2:])  # every wrist at one depth
    result = {
        "pictures": len(joints),
        "detection_rate": float(seen.mean()),
        "label_is_right_rate": float(np.mean([h is not None and h.side == SIDE for h in found])),
        "ours": errors(ours[seen], joints[seen]),
        "ours_bones_from_all_pictures": errors(with_bones[seen], joints[seen]),
        "mediapipe_pnp": errors(raw[seen], joints[seen]),
        "constant_depth_absolute_mm": 1e3 * mpjpe(near[seen], joints[seen]),
        "published_mediapipe_pnp": PUBLISHED,
        "inside_one_sigma": coverage(
            ours[seen], joints[seen], lateral=lateral[seen], ray=ray[seen]
        ),
    }
    return rounded(result)


def detect_stills(images: list[Path]) -> list[FoundHand | None]:
    """The surest hand of each picture."""
    hands: list[FoundHand | None] = []
    config = HandsDetectConfig(min_detection_confidence=0.3, min_tracking_confidence=0.3)
    detector = StillDetector(hand_model_path(), config)
    for path in images:
        found = detector.detect(np.ascontiguousarray(cv2.imread(str(path))[..., ::-1]))
        hands.append(max(found, key=lambda hand: hand.score, default=None))
    return hands


def evidence_of_stills(px: Floats, guess: Floats, intrinsics: Floats) -> Evidence:
    """Left hands of the pictures, as right hands in the mirror."""
    seen = np.isfinite(px).all(axis=(1, 2))
    rays = np.where(seen[:, None, None], unproject(px, intrinsics), [0.0, 0.0, 1.0])
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    long = np.linalg.norm(px[:, 9] - px[:, 0], axis=1)
    palm_px = np.maximum(long, 1.4 * np.linalg.norm(px[:, 5] - px[:, 17], axis=1))
    sigma = np.where(seen, HandsConfig().landmark_sigma * palm_px / intrinsics[:, 0], 1.0)
    return lifted(
        Evidence.of(rays * MIRROR, np.tile(sigma[:, None], (1, 21)), guess * MIRROR, seen=seen)
    )


def reconstructed(evidence: Evidence, shape: HandShape) -> tuple[Floats, Floats, Floats]:
    """Joints ``(N,21,3)`` and their landmarks' sigmas ``(N,17)``, each picture by itself."""
    track = reconstruct_stills(evidence, shape, config=HandsConfig())
    joints = np.where(evidence.seen[:, None, None], track.poses.joints(shape) * MIRROR, np.nan)
    return joints, track.sigmas.lateral_m, track.sigmas.ray_m


def unproject(px: Floats, intrinsics: Floats) -> Floats:
    """Pixels ``(N,21,2)`` to points at depth 1 ``(N,21,3)``."""
    xy = (px - intrinsics[:, None, 2:]) / intrinsics[:, None, :2]
    return np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1)


def pnp(px: Floats, guess: Floats, intrinsics: Floats) -> Floats:
    """The detector's own 3D hand placed by PnP: the baseline."""
    if not np.isfinite(px).all():
        return np.full((21, 3), np.nan)
    fx, fy, cx, cy = intrinsics
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    _, turn, shift = cv2.solvePnP(guess, px, matrix, None, flags=cv2.SOLVEPNP_SQPNP)
    _, turn, shift = cv2.solvePnP(
        guess, px, matrix, None, turn, shift, useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE
    )
    return guess @ cv2.Rodrigues(turn)[0].T + shift[:, 0]


def errors(estimate: Floats, truth: Floats) -> dict[str, float]:
    turned = rotation_error_deg(
        *(palm_frame(landmarks17_from_mediapipe21(p), SIDE).rotation for p in (estimate, truth))
    )
    return {
        "absolute_mm": 1e3 * mpjpe(estimate, truth),
        "wrist_relative_mm": 1e3 * mpjpe(wrist_relative(estimate), wrist_relative(truth)),
        "aligned_mm": 1e3 * mpjpe(procrustes(estimate, truth), truth),
        "palm_deg": float(np.median(turned)),
    }


def coverage(estimate: Floats, truth: Floats, *, lateral: Floats, ray: Floats) -> dict[str, float]:
    """Share of landmark errors inside one sigma: along the ray, and per axis across it."""
    estimate, truth = (landmarks17_from_mediapipe21(p) for p in (estimate, truth))
    rays = estimate / np.linalg.norm(estimate, axis=-1, keepdims=True)
    right = np.cross([0.0, 1.0, 0.0], rays)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    axes = np.stack([right, np.cross(rays, right), rays], axis=-2)
    miss = np.abs((axes @ (estimate - truth)[..., None])[..., 0])
    return {
        "lateral": float(np.mean(miss[..., :2] < lateral[..., None])),
        "ray": float(np.mean(miss[..., 2] < ray)),
    }


# --- a video of two hands -----------------------------------------------------------------------


def egodex(folder: Path) -> dict[str, Any]:
    """Both stages on the sample video, through the session folder."""
    with tempfile.TemporaryDirectory() as scratch:
        session = session_of_video(folder / "egodex_sample.mp4", Path(scratch) / "egodex-sample")
        count = len(Ticks.read(session))
        seconds = [cpu_s()]
        for stage in (HANDS_DETECT, HANDS):
            stage.run(session, stage.config_type(), NO_PROGRESS)
            seconds.append(cpu_s())
        report = json.loads(session.read_bytes(HANDS_REPORT))
        hands, palms = Hands.read(session), EndEffectors.read(session)
    detect_s, hands_s = np.diff(seconds)
    return rounded({
        "ticks": count,
        "both_hands_share": report["both_hands_share"],
        "swaps": swaps(hands),
        "relabelled_detections": report["relabelled_detections"],
        "hands": report["hands"],
        "palm_jitter": {side: jitter(palms, side) for side in ("left", "right")},
        "cpu_ms_per_frame": {
            "detect_with_start_and_decoding": 1e3 * detect_s / count,
            "reconstruct_with_contact_sheet": 1e3 * hands_s / count,
        },
    })


def session_of_video(video: Path, folder: Path) -> SessionFolder:
    """The least session that the hand stages need, from one video."""
    (folder / "raw").mkdir(parents=True)
    (folder / "raw" / "head.mp4").symlink_to(video.resolve())
    session = SessionFolder(folder)
    SessionInfo(
        id=folder.name, operator=Operator("nobody"),
        task="", scene="", device="", consent="research",
        streams=(StreamInfo("head", "raw/head.mp4", session.sha256("raw/head.mp4"), "video"),),
    ).write(session)  # fmt: skip
    frames = open_video(video)
    stamps, count = frames.timestamps_ns, len(frames)
    Frames(
        stream=np.full(count, "head", dtype=object),
        frame_index=frames.frame_index,
        pts=frames.pts,
        timestamp_ns=stamps,
        reason=np.full(count, None, dtype=object),
    ).write(session)
    Ticks(tick=np.arange(count, dtype=np.int64), timestamp_ns=stamps).write(session)
    camera = StreamCalibration(camera_from_dict(EGODEX_CAMERA))
    Calibration({"head": camera}, source="reported", date="2025-05-01").write(session)
    return session


def aria_device(folder: Path) -> dict[str, Any]:
    """See `aria_hands`."""
    from aria_hands import aria_gen2

    try:
        return rounded(aria_gen2(folder))
    except MissingExtraError as error:
        return {"skipped": str(error)}


def swaps(hands: Hands) -> int:
    """Ticks at which hands are nearer to the other's last place than to their own."""
    wrist = hands.landmarks_in_head[:, :3].astype(np.float64).reshape(-1, 2, 3)
    stay = np.linalg.norm(wrist[1:] - wrist[:-1], axis=-1).sum(axis=1)
    change = np.linalg.norm(wrist[1:] - wrist[:-1, ::-1], axis=-1).sum(axis=1)
    return int(np.sum(change < stay))


def jitter(palms: EndEffectors, side: str) -> dict[str, float]:
    """Medians of second differences over √6: what a still palm would shake by."""
    mine = palms.take(np.array([s == side for s in palms.side], dtype=bool))
    second = np.diff(mine.head_from_palm[:, :3], n=2, axis=0)
    return {"mm": float(np.nanmedian(np.linalg.norm(second, axis=1)) * 1e3 / np.sqrt(6))}


def cpu_s() -> float:
    """User and system seconds of this process and its finished children."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def rounded(figures: Any) -> Any:
    """Floats to three decimals, all the way down."""
    if isinstance(figures, dict):
        return {name: rounded(value) for name, value in figures.items()}
    return round(float(figures), 3) if isinstance(figures, float | np.floating) else figures


if __name__ == "__main__":
    sys.exit(main())
