"""Check a dataset on disk: counts, numbers, masks, times, videos. Decodes no picture."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from core.dataset.episode import CAMERAS, GRIPPER_VALID, HEAD, POSE_VALID, Episode
from core.dataset.features import FEATURES, camera_key, extra_features
from core.dataset.lerobot_reader import Dataset
from core.dataset.meta_tables import read_json
from core.dataset.video import count_frames
from core.errors import BadInputError

RATE_TOLERANCE_S = 1e-4  # upstream refuses frames farther from their time
CLOCK_TOLERANCE = 0.05  # of a frame: recorded times may be snapped to ticks


@dataclass
class CheckReport:
    """problems: one line each, empty when the dataset is sound."""

    root: Path
    episodes: int = 0
    frames: int = 0
    videos: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.problems

    def lines(self) -> list[str]:
        """For a terminal."""
        verdict = "sound" if self.ok else f"{len(self.problems)} problems"
        head = (
            f"{self.root}: {self.episodes} episodes, {self.frames} frames, {self.videos} videos: "
        )
        return [head + verdict, *self.problems]


def check_dataset(root: Path | str) -> CheckReport:
    """Look through a dataset. What cannot be opened at all raises BadInputError."""
    dataset = Dataset(root)
    report = CheckReport(Path(root), frames=len(dataset))
    _check_counts(dataset, report)
    _check_statistics(dataset, report)
    for number in range(len(dataset.lengths)):
        report.episodes += 1
        episode = _try(report, lambda n=number: dataset.episode(n))
        if episode is None:
            continue
        for problem in episode_problems(episode):
            report.problems.append(f"episode {number}: {problem}")
        _check_videos(dataset, number, report)
    return report


def _try(report: CheckReport, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except BadInputError as error:
        report.problems.append(str(error))
        return None


def _check_counts(dataset: Dataset, report: CheckReport) -> None:
    info = dataset.info
    found = {
        "total_frames": len(dataset),
        "total_episodes": len(dataset.lengths),
        "total_tasks": len(dataset.tasks),
    }
    report.problems += [
        f"meta/info.json: {key} is {info[key]}, found {value}"
        for key, value in found.items()
        if info[key] != value
    ]
    declared = {k for k, f in info["features"].items() if f["dtype"] != "video"}
    known = set(FEATURES) | set(extra_features(info))
    if declared != known:
        odd = sorted(declared ^ known)
        report.problems.append(f"meta/info.json: features differ from the format's in {odd}")
    indices = []
    for path in sorted((dataset.root / "data").glob("chunk-*/file-*.parquet")):
        schema = set(pq.read_schema(path).names)
        if schema != declared:
            report.problems.append(f"{path.name}: columns {sorted(schema ^ declared)} not declared")
        indices.append(pq.read_table(path, columns=["index"]).column("index").to_numpy())
    if not np.array_equal(np.concatenate(indices or [np.array([])]), np.arange(len(dataset))):
        report.problems.append("data: column index does not count every frame from 0")


def _check_statistics(dataset: Dataset, report: CheckReport) -> None:
    stats = read_json(dataset.root / "meta/stats.json")
    for name, feature in dataset.info["features"].items():
        found = stats.get(name)
        if found is None:
            report.problems.append(f"meta/stats.json: nothing about {name}")
        elif feature["dtype"] != "video" and len(found["q01"]) != feature["shape"][0]:
            report.problems.append(f"meta/stats.json: {name} has {len(found['q01'])} dimensions")
    bodies = {body.name for body in dataset.embodiments}
    for block in dataset.handoff.get("chunk_statistics", []):
        if set(block["embodiments"]) != bodies:
            report.problems.append("meta/handoff.json: chunk statistics miss an embodiment")


def episode_problems(episode: Episode) -> list[str]:
    """What is wrong with an episode's own numbers (its shapes are checked on reading)."""
    problems = []
    owned = episode.embodiment
    for side, column in POSE_VALID.items():
        if side not in owned.arms and episode.valid[:, column].any():
            problems.append(f"{owned.name} has no {side} arm, yet it is valid")
    for side, column in GRIPPER_VALID.items():
        if side not in owned.grippers and episode.valid[:, column].any():
            problems.append(f"{owned.name} has no {side} gripper, yet it is valid")
    if not episode.valid.any():
        problems.append("nothing is ever valid")
    changes = np.flatnonzero(np.diff(episode.map_id))
    if episode.action_valid[changes, HEAD].any():
        problems.append("a head action crosses from one map to another")
    step = np.diff(episode.timestamp_ns) * episode.fps / 1e9
    if len(step) and np.abs(step - 1).max() > CLOCK_TOLERANCE:
        problems.append(f"timestamp_ns jumps by {step.max():.2f} frames: the rate is not constant")
    return problems


def _check_videos(dataset: Dataset, number: int, report: CheckReport) -> None:
    for camera in dataset.cameras:
        path = dataset.video_path(camera, number)
        found = _try(report, lambda path=path: count_frames(path))
        if found is None:
            continue
        report.videos += 1
        count, off_s, size_wh = found
        height, width, _ = dataset.info["features"][camera_key(camera)]["shape"]
        place = path.relative_to(dataset.root)
        if count != dataset.lengths[number]:
            report.problems.append(f"{place}: {count} frames for {dataset.lengths[number]} rows")
        if off_s > RATE_TOLERANCE_S:
            report.problems.append(f"{place}: a frame is {off_s * 1e3:.2f} ms off a constant rate")
        if size_wh != (width, height):
            report.problems.append(f"{place}: {size_wh[0]}x{size_wh[1]}, declared {width}x{height}")
        if camera not in CAMERAS:
            report.problems.append(f"{place}: camera {camera} is none of {', '.join(CAMERAS)}")
