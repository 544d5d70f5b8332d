"""A tiny session whose hands move in a known way: rest, move, rest."""

import numpy as np
import pytest

from core.session.documents import write_document
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.layout import SLAM_REPORT
from core.session.marks import Mark, hashes_of, write_mark
from core.session.storage import SessionFolder
from core.session.tables import EndEffectors, Ticks, Trajectory

RATE_HZ = 30
ORIGIN_NS = 5_000_000_000


def ticks_of(seconds: float) -> Ticks:
    n = round(seconds * RATE_HZ)
    times = ORIGIN_NS + np.arange(n, dtype=np.int64) * 1_000_000_000 // RATE_HZ
    return Ticks(tick=np.arange(n), timestamp_ns=times)


def end_effectors_of(ticks: Ticks, paths: dict[str, np.ndarray]) -> EndEffectors:
    """Palms at positions (T,3) in the head frame, NaN = missing."""
    parts = []
    for side, path in paths.items():
        valid = np.isfinite(path).all(-1)
        pose = np.zeros((len(ticks), 7))
        pose[:, :3], pose[:, 3] = path, 1.0
        sigma = np.full((len(ticks), 3), 0.01, dtype=np.float32)
        parts.append(
            EndEffectors(
                tick=ticks.tick,
                timestamp_ns=ticks.timestamp_ns,
                side=np.full(len(ticks), side, dtype=object),
                head_from_palm=pose,
                head_from_palm_valid=valid,
                sigma_m=sigma,
                sigma_rad=sigma,
                state=np.where(valid, "measured", "missing").astype(object),
                reason=[None if ok else "not seen" for ok in valid],
            )
        )
    return EndEffectors.concat(parts)


def moving_path(ticks: Ticks, spans: list[tuple[float, float]]) -> np.ndarray:
    """A palm at rest that moves 0.3 m along x, smoothly, within each span of seconds."""
    t = np.arange(len(ticks)) / RATE_HZ
    x = np.zeros(len(t))
    for start, end in spans:
        part = np.clip((t - start) / (end - start), 0, 1)
        x += 0.3 * (part - np.sin(2 * np.pi * part) / (2 * np.pi))
    return np.stack([x, np.zeros_like(x), np.full_like(x, 0.4)], -1)


def still_head(ticks: Ticks) -> Trajectory:
    n = len(ticks)
    pose = np.zeros((n, 7))
    pose[:, 3] = 1.0
    return Trajectory(
        tick=ticks.tick,
        timestamp_ns=ticks.timestamp_ns,
        world_from_head=pose,
        world_from_head_valid=np.ones(n, dtype=bool),
        tracked=np.ones(n, dtype=bool),
        map_id=np.zeros(n, dtype=np.int32),
        sigma_m=np.zeros((n, 3), dtype=np.float32),
        sigma_rad=np.zeros((n, 3), dtype=np.float32),
        reason=np.full(n, None, dtype=object),
    )


def finish(folder: SessionFolder, stage: str, path: str) -> None:
    """The mark of a stage that wrote this file."""
    outputs = hashes_of(folder, [path])
    write_mark(folder, stage, Mark(stage, version=1, config={}, inputs={}, outputs=outputs))


@pytest.fixture(name="finish")
def finish_fixture():
    """``finish``: tests cannot import from one another."""
    return finish


@pytest.fixture
def ticks() -> Ticks:
    return ticks_of(12.0)


@pytest.fixture
def session(tmp_path, ticks) -> SessionFolder:
    """12 s; the left hand moves in 1 to 2.5 s and 4 to 6 s, the right in 7 to 9 s."""
    folder = SessionFolder(tmp_path / "anna-0001")
    labels = StreamInfo(name="labels", path="raw/labels.csv", sha256="0" * 64, kind="labels")
    SessionInfo(
        id="anna-0001",
        operator=Operator("anna"),
        task="sort",
        scene="desk",
        device="rig",
        consent="research",
        streams=(labels,),
        clock_origin=ORIGIN_NS,
    ).write(folder)
    folder.write_bytes("raw/labels.csv", b"track,start_s,end_s,text\n")
    ticks.write(folder)
    paths = {
        "left": moving_path(ticks, [(1.0, 2.5), (4.0, 6.0)]),
        "right": moving_path(ticks, [(7.0, 9.0)]),
    }
    end_effectors_of(ticks, paths).write(folder)
    still_head(ticks).write(folder)
    write_document(folder, SLAM_REPORT, {"scale_source": "imu", "gravity_source": "imu"})
    finish(folder, "hands", EndEffectors.path)
    finish(folder, "slam", Trajectory.path)
    return folder
