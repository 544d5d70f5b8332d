"""The head's path on synthetic takes, whose truth is exact: hands in view all the time.

Each take is recorded once into ``cache`` (2 to 3 processor minutes a minute of take) and read from
there again. Hands are not masked: `hands_detect` does not run, corners on hands have to be found
out by the geometry. World and truth both begin at the first head, so nothing is aligned for the
sigma figures (rms of error over sigma, 1 is right, above 1 is too sure of itself), for the error at
the end and for the worst of every minute. `peak_mib`: the most memory the process has held so far,
`parts`: what each part of the stage took of the processor, and that memory at its end.
"""

import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.geometry.metrics import ate_errors
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from core.session.documents import read_document
from core.session.layout import SLAM_REPORT, TRUTH
from core.session.stage import NO_PROGRESS
from core.session.tables import Trajectory
from sim.record import record
from slam.config import SlamConfig
from slam.stage import SLAM


@dataclass(frozen=True)
class TruthTake:
    """A take that a seed stands for."""

    preset: str
    seed: int
    task: str = "sort_eggs"
    rig: str = "head"

    @property
    def name(self) -> str:
        """Of its folder and its figures."""
        return f"sim_{self.rig}_{self.preset}_{self.task}_{self.seed}"


TAKES = (
    TruthTake("default", 21),
    TruthTake("harsh", 22),
    TruthTake("default", 23, rig="fisheye-head"),
)
LONG = TruthTake("default", 47, task="bus_table")


def recorded(take: TruthTake, cache: Path, *, seconds: float) -> Path:
    """The take's rig folder; recorded if it is not there."""
    folder = cache / f"{take.name}_{seconds:g}s"
    if not (folder / "rig.toml").exists():
        record(
            folder,
            task=take.task,
            seconds=seconds,
            seed=take.seed,
            rig=take.rig,
            preset=take.preset,
        )
    return folder


class Parts:
    """A stage's progress that keeps what every part took, and says so on stderr as it goes."""

    def __init__(self, cpu_s: Callable[[], float]) -> None:
        self._cpu_s, self._begun_s = cpu_s, cpu_s()
        self._now, self._done, self._of = "reading", 0, "0 steps"
        self.parts: dict[str, dict[str, float]] = {}

    def total(self, n: int, unit: str) -> None:
        """So many steps are to come."""
        self._done, self._of = 0, f"{n} {unit}s"

    def advance(self, k: int = 1) -> None:
        """Every thousandth step is told."""
        self._done += k
        if self._done % 1000 < k:
            print(f"{self._now}: {self._done} of {self._of}, {self._took()}", file=sys.stderr)

    def note(self, text: str) -> None:
        """The next part begins."""
        self.parts[self._now] = took = self._took()
        print(f"{self._now}: {took}", file=sys.stderr, flush=True)
        self._now, self._begun_s = text, self._cpu_s()

    def _took(self) -> dict[str, float]:
        return {"cpu_s": round(self._cpu_s() - self._begun_s, 1), "peak_mib": peak_mib()}


def peak_mib() -> int:
    """The most memory this process has held so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run_take(folder: Path, clock: Any) -> dict[str, Any]:
    """Errors, sigmas and time of the slam stage; ``clock()`` starts one with ``seconds()``."""
    with tempfile.TemporaryDirectory() as temp:
        session = ingest(folder, Path(temp) / "sessions")
        CAPTURE.run(session, CaptureConfig(decode_all=False), NO_PROGRESS)
        started = clock()
        parts = Parts(lambda: float(started.seconds()["cpu_s"]))
        SLAM.run(session, SlamConfig(), parts)
        parts.note("done")
        spent = started.seconds() | {"parts": parts.parts}
        path, truth = Trajectory.read(session), Trajectory.read(session, TRUTH)
        truth = truth.take(np.isin(truth.timestamp_ns, path.timestamp_ns))  # not of lost frames
        report = read_document(session, SLAM_REPORT)
    offsets = [m["imu_offset_ms"] for m in report["maps"] if "imu_offset_ms" in m]
    seconds = float(path.timestamp_ns[-1] - path.timestamp_ns[0]) * 1e-9
    figures = path_errors(path, truth) | errors_since_start(path, truth)
    figures |= {"maps": len(report["maps"]), "keyframes": report["keyframes"]}
    figures |= {"loops": sum(m["loops"] for m in report["maps"]), "imu_offset_ms": offsets}
    return figures | spent | {"peak_mib": peak_mib(), "recording_s": round(seconds, 1)}


def errors_since_start(path: Trajectory, truth: Trajectory) -> dict[str, Any]:
    """Distance from the truth at the last tracked tick, and the largest in every minute; the first
    head holds both, nothing else is aligned."""
    rows = np.flatnonzero(path.tracked)
    off_m = np.linalg.norm(path.world_from_head[rows, :3] - truth.world_from_head[rows, :3], axis=1)
    minute = (path.timestamp_ns[rows] - path.timestamp_ns[0]) // 60_000_000_000
    worst = [round(float(off_m[minute == k].max()), 4) for k in np.unique(minute)]
    return {"end_error_m": round(float(off_m[-1]), 4), "worst_by_minute_m": worst}


def path_errors(path: Trajectory, truth: Trajectory) -> dict[str, Any]:
    """Yaw and position aligned errors of tracked ticks, and how the sigmas hold them."""
    rows = path.tracked
    mine, there = (SE3.from_pose7(t.world_from_head[rows]) for t in (path, truth))
    off_m = ate_errors(mine.translation, there.translation, align="yaw")
    both = there.rotation @ mine.rotation.swapaxes(1, 2)
    yaw = np.arctan2(np.sum(both[:, 1, 0] - both[:, 0, 1]), np.sum(both[:, 0, 0] + both[:, 1, 1]))
    turn = matrix_from_rotvec([0.0, 0.0, yaw])
    off_rad = np.linalg.norm(rotvec_from_matrix(turn.T @ both), axis=1)
    shift, twist = mine.translation - there.translation, rotvec_from_matrix(both)
    return {
        "tracked": round(float(rows.mean()), 4),
        "ate_yaw_m": _rms(off_m, 4),
        "ate_yaw_worst_m": round(float(off_m.max()), 4),
        "turn_error_deg": _rms(np.rad2deg(off_rad), 3),
        "error_over_sigma_m": _rms(shift / path.sigma_m[rows], 2),
        "error_over_sigma_rad": _rms(twist / path.sigma_rad[rows], 2),
    }


def _rms(values: Any, digits: int) -> float:
    return round(float(np.sqrt(np.mean(np.square(values)))), digits)
