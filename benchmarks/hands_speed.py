"""What the hand side costs, detection and reconstruction, beside MediaPipe alone, in one run.

    python benchmarks/hands_speed.py SESSION [SESSION ...] [--json figures.json]

SESSION: has run to `capture`; with wrist cameras to `slam`, whose places the hands then use. It is
copied and stays as it is. Seconds of CPU (user and system, all threads) and of the clock, models
loaded and pictures decoded within; other load on the machine matters little to the first and much
to the second. MediaPipe alone finds hands in the same pictures, the head's or those of every camera
that the hands use; it reconstructs nothing.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as stages run: see pipeline.worker

from benchmarks.mediapipe_alone import points_alone
from core.session.info import SessionInfo
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.cameras.look_again import cameras_of
from hands.config import HandsConfig, HandsDetectConfig
from hands.stage import HANDS, HANDS_DETECT

Seconds = dict[str, float]
KINDS = ("cpu_s", "wall_s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=Path, nargs="+", help="a session that has run to capture")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = {path.resolve().name: of_session(path) for path in arguments.session}
    text = json.dumps(figures, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    return 0


def of_session(path: Path) -> dict[str, Any]:
    """Figures of the head camera, and of all cameras where other ones are used."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / path.resolve().name
        shutil.copytree(path, copy)
        folder = SessionFolder(str(copy))
        stamps, info = Ticks.read(folder).timestamp_ns, SessionInfo.read(folder)
        recorded_s = float(stamps[-1] - stamps[0]) / 1e9
        found = seconds(HANDS_DETECT.run, folder, HandsDetectConfig(), NO_PROGRESS)
        figures: dict[str, Any] = {"recorded_s": round(recorded_s, 2)}
        peer: list[Seconds] = []
        cameras = {"head": ["head"], "all cameras": cameras_of(folder, HandsConfig())}
        for name, streams in cameras.items():
            if not streams:
                continue
            config = HandsConfig(other_cameras=name != "head")
            fitted = seconds(HANDS.run, folder, config, NO_PROGRESS)
            peer += [seconds(points_alone, copy / info.stream(stream).path) for stream in streams]
            parts = {"hands_detect": found, "hands": fitted, "mediapipe_alone": added(peer)}
            figures[name] = compared(parts, recorded_s)
    return figures


def seconds(work: Callable[..., object], *arguments: Any) -> Seconds:
    """Of this process, all its threads."""
    cpu, wall = time.process_time(), time.perf_counter()
    work(*arguments)
    return {
        "cpu_s": round(time.process_time() - cpu, 2),
        "wall_s": round(time.perf_counter() - wall, 2),
    }


def added(parts: Sequence[Seconds]) -> Seconds:
    return {kind: round(sum(part[kind] for part in parts), 2) for kind in KINDS}


def compared(parts: dict[str, Seconds], recorded_s: float) -> dict[str, Any]:
    """The parts, and the whole hand side over the recording's length and over MediaPipe."""
    ours, peer = added([parts["hands_detect"], parts["hands"]]), parts["mediapipe_alone"]
    return {
        **parts,
        "over_recorded": {kind: round(ours[kind] / recorded_s, 2) for kind in KINDS},
        "over_mediapipe_alone": {kind: round(ours[kind] / peer[kind], 2) for kind in KINDS},
    }


if __name__ == "__main__":
    sys.exit(main())
