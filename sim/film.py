"""Shooting one stream: draw, pass through the lens, add grain, encode. A few seconds at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.session.stage import Progress
from sim.choreography import Choreography, camera_rate
from sim.lens import Lens, SensorNoise
from sim.render import Renderer
from sim.video import VideoWriter

Array = NDArray[np.float64]

CHUNK = 240


@dataclass(frozen=True)
class Film:
    """One video file to be shot. noise: grey levels, one sigma.  crf: H.264 quality."""

    path: Path
    stream: str
    fps: float
    noise: float
    crf: int
    shadows: bool = False

    def shoot(
        self,
        stage: Choreography,
        lens: Lens,
        seconds: Array,
        *,
        rng: np.random.Generator,
        progress: Progress,
    ) -> int:
        """Record frames taken at ``seconds`` (T,); gives the number of frames."""
        size = lens.camera.size_wh
        grain = SensorNoise(self.noise, size, rng)
        with (
            Renderer(stage.scene, lens.atlas_wh, shadows=self.shadows) as renderer,
            VideoWriter(self.path, size, fps=self.fps, crf=self.crf) as video,
        ):
            for start in range(0, len(seconds), CHUNK):
                part = seconds[start : start + CHUNK]
                position, quat = stage.frames(part)
                rate = camera_rate(stage.human, self.stream, part)
                for i in range(len(part)):
                    stage.show(position[i], quat[i])
                    picture = lens.expose(renderer.draw_views(self.stream, lens.views), rate[i])
                    video.add(grain.add(picture), float(part[i] - seconds[0]))
                    progress.advance()
        return len(seconds)
