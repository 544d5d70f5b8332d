"""Drawing and encoding every video of a take, a camera in each process."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Protocol

import numpy as np

from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder
from sim.sensing import Sensing
from sim.sensors.film import Film, Stage
from sim.sensors.lens import Lens


class Show(Protocol):
    """A take before any camera looks."""

    @property
    def sensing(self) -> Sensing:
        """Its sensors."""

    def stage(self, lens: Lens) -> Stage:
        """Its scene for one camera."""


def shoot(folder: SessionFolder, show: Show, progress: Progress, *, workers: int = 1) -> None:
    """Draw and encode the videos; workers: processes, one stream each."""
    times = show.sensing.times
    progress.total(sum(len(t) for t in times.values()), "frames")
    workers = min(workers, len(times))
    if workers == 1:
        for stream in times:
            shoot_stream(folder, show, stream, progress=progress)
        return
    context = multiprocessing.get_context("spawn")  # a drawing context does not survive a fork
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [pool.submit(shoot_stream, folder, show, stream) for stream in times]
        for job in as_completed(jobs):
            progress.advance(job.result())


def shoot_stream(
    folder: SessionFolder, show: Show, stream: str, *, progress: Progress = NO_PROGRESS
) -> int:
    """Draw and encode one video; gives the number of frames."""
    sensing = show.sensing
    spec = sensing.rig.spec(stream)
    with folder.atomic_path(f"{stream}.{spec.suffix}") as path:
        microphone = sensing.microphone(stream)
        film = Film(path, stream, spec, sensing.preset, sensing.timing[stream], microphone)
        lens = film.lens()
        rng = np.random.default_rng([sensing.seed, *stream.encode()])
        return film.shoot(show.stage(lens), lens, rng=rng, progress=progress)
