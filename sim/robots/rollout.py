"""Many episodes of one controller on one task: scored, resumable, over processes.

out/settings.json                what was asked; other settings are refused here
    episodes/0000.json           one episode's score; an episode that has one is not run again
    videos/0000.mp4              head and wrists side by side, if asked for
    contact_sheet.jpg            a row of moments per filmed episode
    report.json                  the mean, its standard error, every episode
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.episode import CAMERAS
from core.errors import BadInputError
from core.session.stage import NO_PROGRESS, Progress
from sim.robots.builds import find_build
from sim.robots.closed_loop import EpisodeSettings, Played, film_of, lay_out, play
from sim.robots.controller import MakeController
from sim.robots.scoring import RULES
from sim.sensors.video import H264, VideoWriter
from sim.variation import AS_IT_COMES, Variation

Image = NDArray[np.uint8]

STREAM = 0x524F4C4C  # keeps rollouts' seeds apart from those of datasets
MOMENTS = 6
TILE_WH = (160, 120)


@dataclass(frozen=True, kw_only=True)
class RolloutSettings:
    """What a rollout is. policy: names the controller and its exact weights."""

    policy: str
    task: str
    robot: str = "alder"
    seed: int = 0
    fps: int = 10
    size_wh: tuple[int, int] = (320, 240)
    execute_s: float = 0.3
    limit_s: float | None = None
    oracle_text: bool = True
    variation: Variation = AS_IT_COMES

    def __post_init__(self) -> None:
        find_build(self.robot)
        if self.task not in RULES:
            raise BadInputError(f"no score for task {self.task!r}; there are: {', '.join(RULES)}")
        if self.seed < 0:
            raise BadInputError(f"seed is {self.seed}; give 0 or more")
        if self.execute_s <= 0 or (self.limit_s is not None and self.limit_s <= 0):
            raise BadInputError(f"execute_s {self.execute_s}, limit_s {self.limit_s} must be > 0")

    def episode(self, index: int) -> EpisodeSettings:
        """The settings of one of its episodes."""
        return EpisodeSettings(
            self.task,
            self.robot,
            (self.seed, index, STREAM),
            fps=self.fps,
            size_wh=self.size_wh,
            execute_s=self.execute_s,
            limit_s=self.limit_s,
            oracle_text=self.oracle_text,
            variation=self.variation,
        )


@dataclass(frozen=True)
class EpisodeResult:
    """One episode. seconds: of its own time.  cpu_s: spent on it, without film.

    failed_tries, unreachable: of the expert; 0 and none for other controllers.
    """

    index: int
    points: int
    out_of: int
    value: float
    success: bool
    seconds: float
    grasps: int
    drops: int
    cpu_s: float
    failed_tries: int = 0
    unreachable: tuple[str, ...] = ()


@dataclass(frozen=True)
class RolloutReport:
    """mean: of the paper's score 0…1.  standard_error: of that mean, None below two episodes.

    asked: how many episodes were; those over time are missing from ``episodes``.
    """

    out: str
    settings: RolloutSettings
    asked: int
    mean: float | None
    standard_error: float | None
    success_share: float | None
    episodes: tuple[EpisodeResult, ...]


def rollout(
    out: str | Path,
    make: MakeController,
    settings: RolloutSettings,
    *,
    episodes: int = 20,
    workers: int = 1,
    videos: bool = False,
    max_seconds: float | None = None,
    progress: Progress = NO_PROGRESS,
) -> RolloutReport:
    """Run what is missing and report on everything. make: must pickle if there are workers."""
    root = Path(out)
    _claim(root, settings)
    deadline = None if max_seconds is None else time.time() + max_seconds
    progress.total(episodes, "episodes")
    todo = [i for i in range(episodes) if not _has(root, i, videos=videos)]
    progress.advance(episodes - len(todo))
    jobs = [
        _Job(root=root, settings=settings, index=i, make=make, videos=videos, deadline=deadline)
        for i in todo
    ]
    for _ in _each(jobs, workers):
        progress.advance()
    found = [r for i in range(episodes) if (r := _read(root, i)) is not None]
    report = _report(root, settings, found, asked=episodes)
    _write(root / "report.json", asdict(report))
    contact_sheet(root)
    return report


@dataclass(frozen=True)
class _Job:
    root: Path
    settings: RolloutSettings
    index: int
    make: MakeController
    videos: bool
    deadline: float | None

    def __call__(self) -> None:
        """Run one episode, unless time is up."""
        if self.deadline is not None and time.time() > self.deadline:
            return
        begin = time.process_time()
        build = find_build(self.settings.robot)
        played = play(self.settings.episode(self.index), build, self.make)
        cpu_s = time.process_time() - begin
        if self.videos:
            self._film(played)
        _write(self.root / f"episodes/{self.index:04d}.json", asdict(self._result(played, cpu_s)))

    def _result(self, played: Played, cpu_s: float) -> EpisodeResult:
        score, cell = played.score, played.cell
        return EpisodeResult(
            index=self.index,
            points=score.points,
            out_of=score.out_of,
            value=score.value,
            success=score.success,
            seconds=round(cell.seconds, 3),
            grasps=cell.grasps,
            drops=cell.drops,
            cpu_s=round(cpu_s, 2),
            failed_tries=getattr(played.controller, "failures", 0),
            unreachable=tuple(getattr(played.controller, "unreachable", ())),
        )

    def _film(self, played: Played) -> None:
        """The three cameras side by side, and a strip of moments of the first."""
        settings = self.settings
        path = self.root / f"videos/{self.index:04d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        episode = settings.episode(self.index)
        stage = lay_out(episode, played.build)
        width, height = settings.size_wh
        looks = [tick.snapshot for tick in played.ticks]
        partial = path.with_suffix(".partial")
        with (
            film_of(stage, episode) as film,
            VideoWriter(partial, (3 * width, height), kind=H264, fps=settings.fps) as video,
        ):
            for k, snapshot in enumerate(looks):
                seen = film.draw(snapshot, CAMERAS)
                video.add(np.hstack([seen[camera] for camera in CAMERAS]), k / settings.fps)
        partial.replace(path)


def _run(job: _Job) -> None:
    job()


def _each(jobs: list[_Job], workers: int) -> Iterator[None]:
    """Run jobs here or in processes of their own; gives one after each that ended."""
    if workers <= 1 or len(jobs) < 2:
        for job in jobs:
            job()
            yield None
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_run, job) for job in jobs]):
            done.result()
            yield None


def _claim(root: Path, settings: RolloutSettings) -> None:
    """One folder holds the episodes of one setting."""
    asked = json.loads(json.dumps(asdict(settings)))
    path = root / "settings.json"
    if path.is_file():
        there = json.loads(path.read_text(encoding="utf-8"))
        odd = sorted(k for k in asked | there if asked.get(k) != there.get(k))
        if odd:
            raise BadInputError(
                f"{root}: holds episodes with {odd[0]} {there.get(odd[0])!r}, asked for "
                f"{asked.get(odd[0])!r}; give another --out"
            )
        return
    if root.exists() and any(root.iterdir()):
        raise BadInputError(f"{root}: is there already and holds no rollout; give another --out")
    _write(path, asked)


def _has(root: Path, index: int, *, videos: bool) -> bool:
    filmed = not videos or (root / f"videos/{index:04d}.mp4").is_file()
    return filmed and (root / f"episodes/{index:04d}.json").is_file()


def _read(root: Path, index: int) -> EpisodeResult | None:
    path = root / f"episodes/{index:04d}.json"
    if not path.is_file():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return EpisodeResult(**{**values, "unreachable": tuple(values["unreachable"])})


def _write(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _report(
    root: Path, settings: RolloutSettings, found: list[EpisodeResult], *, asked: int
) -> RolloutReport:
    values = np.array([result.value for result in found])
    mean, error = mean_and_error(values)
    share = float(np.mean([r.success for r in found])) if found else None
    return RolloutReport(str(root), settings, asked, mean, error, share, tuple(found))


def mean_and_error(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Mean, and the standard error of the mean (n - 1 in the variance); None where undefined."""
    if not len(values):
        return None, None
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return float(values.mean()), error


def contact_sheet(root: Path) -> Path | None:
    """One row of `MOMENTS` head pictures per filmed episode; None when nothing was filmed."""
    import av
    import cv2

    rows = []
    for path in sorted((root / "videos").glob("*.mp4")):
        with av.open(str(path)) as container:
            frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        at = np.linspace(0, len(frames) - 1, MOMENTS).round().astype(int)
        heads = [frames[i][:, : frames[i].shape[1] // len(CAMERAS)] for i in at]
        rows.append(
            np.hstack([cv2.resize(h, TILE_WH, interpolation=cv2.INTER_AREA) for h in heads])
        )
    if not rows:
        return None
    target = root / "contact_sheet.jpg"
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    target.write_bytes(bytes(cv2.imencode(".jpg", sheet)[1]))
    return target
