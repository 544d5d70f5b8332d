"""What second cameras do for the hands, on synthetic takes with exact truth.

    python benchmarks/hands_views.py [--takes DIR | --sessions DIR] [--json figures.json]

Without `--takes` four takes of 8 s are recorded (fixed seeds, default sensors), two with wrist
cameras and two with a second eye. Hand length known (± 2 mm) and unknown; the head camera alone;
the second eye; the wrist cameras at their true places, and off by 1 cm and 1° (one sigma over all
axes, half of it wandering within a second, half new in every frame) with sigmas that say so.
`twice` are the frames in which a second camera saw the hand, or was where the hand carries it,
`unseen_by_head` those that only the latter told; of palms there the medians. In `--sessions`, which
have truth and a head trajectory and are only read, wrist cameras are where that trajectory has
them.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.hands_errors import Truth, compared, truth_of
from capture.ingest import ingest
from capture.stage import Capture
from core.geometry.landmarks import INDEX, SIDES
from core.geometry.metrics import rotation_error_deg
from core.geometry.palm import palm_frame
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.info import SessionInfo
from core.session.layout import TRUTH
from core.session.marks import Mark, hashes_of, write_mark
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Detections, Ticks, Trajectory
from hands.cameras.look_again import other_cameras
from hands.config import HandsConfig, HandsDetectConfig
from hands.model.proportions import hand_shape
from hands.sources.mediapipe import hands_of
from hands.stage import HANDS_DETECT
from hands.wearer import Wearer, wearer_hands

Floats = NDArray[np.float64]

TAKES = (
    ("spice_rack", 51, "default"),
    ("bus_table", 52, "default"),
    ("sort_eggs", 53, "stereo-head"),
    ("dresser", 54, "stereo-head"),
)
SECONDS = 8.0
OFF_M, OFF_DEG = 0.01, 1.0
WANDER_FRAMES = 15  # one sigma of the kernel that smooths the wandering half
KEPT = (
    "landmarks_mm", "wrist_relative_mm", "palm_mm", "palm_deg", "along_the_ray_mm",
    "inside_one_sigma_lateral", "inside_one_sigma_ray", "jitter_at_rest_mm",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--takes", type=Path, help="folder of rig folders with truth")
    parser.add_argument("--sessions", type=Path, help="folder of sessions with truth and slam")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        found = sorted(arguments.takes.glob("*/rig.toml")) if arguments.takes else TAKES
        ready = sorted(arguments.sessions.glob("*/session.json")) if arguments.sessions else None
        for take in found if ready is None else ready:
            session = (
                as_session(take, Path(scratch)) if ready is None else SessionFolder(take.parent)
            )
            figures[session.name] = measured(session, as_it_is=ready is not None)
            print(json.dumps({session.name: figures[session.name]}, indent=2), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if figures else 1


def as_session(take: Path | tuple[str, int, str], scratch: Path) -> SessionFolder:
    """A take, recorded if it is only named, as a session in whose head images hands were found."""
    if isinstance(take, tuple):
        from sim.record import record

        task, seed, rig = take
        folder = scratch / "takes" / f"{task}-{rig}-{seed}"
        record(folder, task=task, seed=seed, rig=rig, seconds=SECONDS)
    else:
        folder = take.parent
    session = ingest(folder, scratch, session_id="take-" + folder.name.replace("_", "-"))
    Capture().run(session, Capture.config_type(), NO_PROGRESS)
    HANDS_DETECT.run(session, HandsDetectConfig(), NO_PROGRESS)
    return session


def measured(session: SessionFolder, *, as_it_is: bool) -> dict[str, Any]:
    """Figures of one take, by condition and by what is known of the hand's length. as_it_is: with
    wrist cameras where the session has them.
    """
    ticks = Ticks.read(session)
    truth, path = truth_of(session, ticks), Trajectory.read(session, TRUTH)
    figures: dict[str, Any] = {}
    conditions: dict[str, Trajectory | None] = {"head alone": None}
    if as_it_is:
        conditions["other cameras where slam has them"] = Trajectory.read(session)
    elif SessionInfo.read(session).has_stream("left_wrist"):
        rng = np.random.default_rng(1)
        conditions["wrist cameras at their places"] = placed(path, rng, off_m=0.0, off_deg=0.0)
        conditions["wrist cameras 1 cm, 1 deg off"] = placed(
            path, rng, off_m=OFF_M, off_deg=OFF_DEG
        )
    else:
        conditions["second eye"] = placed(path, np.random.default_rng(1), off_m=0.0, off_deg=0.0)
    lengths = {"known": SessionInfo.read(session).operator.hand_length_mm, "unknown": None}
    for name, wrists in conditions.items():
        for known, length_mm in lengths.items():
            begun = time.process_time()
            if wrists is not None and not as_it_is:
                paths = [wrists.write(session)]
                write_mark(session, "slam", Mark("slam", 1, {}, {}, hashes_of(session, paths)))
            wearer = fitted(session, ticks, others=wrists is not None, length_mm=length_mm)
            found = compared(wearer, truth, ticks.timestamp_ns)
            figures[f"{name}, length {known}"] = {
                **{key: found[key] for key in KEPT},
                **where_seen(wearer, truth),
                "hand_length_mm": round(1e3 * wearer.shape.length_m, 1),
                "scale_source": wearer.shape.scale_source,
                "cpu_ms_per_frame": round(1e3 * (time.process_time() - begun) / len(ticks), 1),
            }
    return figures


def fitted(
    session: SessionFolder, ticks: Ticks, *, others: bool, length_mm: float | None
) -> Wearer:
    """The hands; with what other cameras see, if they are to be asked."""
    config = HandsConfig(other_cameras=others)
    cameras = other_cameras(session, ticks, config=config, progress=NO_PROGRESS)
    return wearer_hands(
        hands_of(Detections.read(session), ticks),
        timestamps_ns=ticks.timestamp_ns,
        camera=Calibration.read(session).stream("head").camera,
        shape=hand_shape(length_mm),
        config=config,
        others=cameras,
    )


def where_seen(wearer: Wearer, truth: dict[str, Truth]) -> dict[str, Any]:
    """Shares of the measured frames, and the errors there: all, those in which a second camera
    helped, those in which the head saw no hand.
    """
    every = [np.ones(len(truth[side].landmarks), dtype=bool) for side in SIDES]
    if wearer.joined is None:
        return by_frames("all", every, wearer=wearer, truth=truth)
    helped = [one.twice for one in wearer.joined.evidence]
    return {
        **by_frames("all", every, wearer=wearer, truth=truth),
        **by_frames("twice", helped, wearer=wearer, truth=truth),
        **by_frames("unseen_by_head", list(wearer.joined.unseen.T), wearer=wearer, truth=truth),
    }


def by_frames(
    name: str, frames: list[NDArray[np.bool_]], *, wearer: Wearer, truth: dict[str, Truth]
) -> dict[str, Any]:
    """Errors of the measured hands in some frames, left and right ``(T,)``."""
    errors, palms, turns, measured = [], [], [], 0
    for s, side in enumerate(SIDES):
        hand = wearer.hands[side]
        there = (hand.state == "measured") & np.isfinite(truth[side].landmarks).all(axis=(1, 2))
        rows = frames[s] & there
        apart = hand.landmarks[rows] - truth[side].landmarks[rows]
        errors.append(np.linalg.norm(apart, axis=-1).mean(axis=1))
        palms.append(np.linalg.norm(apart[:, INDEX["palm"]], axis=-1))
        true = palm_frame(truth[side].landmarks[rows], side)
        turns.append(rotation_error_deg(hand.head_from_palm[rows].rotation, true.rotation))
        measured += int(there.sum())
    every = np.concatenate(errors)
    if not len(every):
        return {f"{name}_share": 0.0}
    return {
        f"{name}_share": round(len(every) / max(measured, 1), 3),
        f"{name}_landmarks_mm": round(1e3 * float(every.mean()), 1),
        f"{name}_palm_mm_median": round(1e3 * float(np.median(np.concatenate(palms))), 1),
        f"{name}_palm_deg_median": round(float(np.median(np.concatenate(turns))), 1),
    }


def placed(
    path: Trajectory, rng: np.random.Generator, *, off_m: float, off_deg: float
) -> Trajectory:
    """The true path with wrist cameras off by so much, and saying so."""
    count, columns = len(path), {}
    for side in SIDES:
        name = f"world_from_{side}_wrist_camera"
        sigma_m, sigma_rad = off_m / np.sqrt(3), np.radians(off_deg) / np.sqrt(3)
        true = SE3.from_pose7(getattr(path, name))
        turned = true.rotation @ matrix_from_rotvec(sigma_rad * wandering(count, rng))
        moved = true.translation + sigma_m * wandering(count, rng)
        columns[name] = SE3(turned, moved).to_pose7()
        columns[f"{side}_wrist_camera_sigma_m"] = np.full((count, 3), sigma_m, np.float32)
        columns[f"{side}_wrist_camera_sigma_rad"] = np.full((count, 3), sigma_rad, np.float32)
    return replace(path, **columns)


def wandering(count: int, rng: np.random.Generator) -> Floats:
    """``(T,3)`` of variance one: half of it white, half smooth in time."""
    reach = 3 * WANDER_FRAMES
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / WANDER_FRAMES) ** 2)
    kernel /= np.linalg.norm(kernel)
    white = rng.normal(size=(count + 2 * reach, 3))
    smooth = np.stack([np.convolve(white[:, k], kernel, "valid") for k in range(3)], axis=1)
    return np.sqrt(0.5) * (smooth + rng.normal(size=(count, 3)))


if __name__ == "__main__":
    sys.exit(main())
