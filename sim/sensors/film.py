"""Shooting one stream: draw, pass through the sensor, encode. A few seconds at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.session.stage import Progress
from sim.motion.human import Human
from sim.rig import CameraSpec, Preset
from sim.scene.choreography import camera_rate
from sim.scene.model import SceneModel
from sim.scene.render import Renderer
from sim.sensors.clocks import Timing
from sim.sensors.depth import DepthSensor
from sim.sensors.lens import Lens, SensorNoise
from sim.sensors.sound import RATE_HZ, Microphone
from sim.sensors.video import FFV1, H264, VideoWriter

Array = NDArray[np.float64]

CHUNK = 240
SOUND_PACKET = 1024


class Stage(Protocol):
    """A scene with all that moves in it."""

    scene: SceneModel
    human: Human

    def frames(self, seconds: Array) -> tuple[Array, Array]:
        """Positions (T, B, 3) and quaternions wxyz (T, B, 4) of all bodies at times (T,)."""

    def show(self, position: Array, quat_wxyz: Array) -> None:
        """Put every body (B, 3), (B, 4) in place."""


@dataclass(frozen=True, eq=False)
class Film:
    """One video file to be shot. timing: when its frames are taken.  microphone: None is silent."""

    path: Path
    stream: str
    spec: CameraSpec
    preset: Preset
    timing: Timing
    microphone: Microphone | None = None

    def lens(self) -> Lens:
        """The camera's lens and shutter; a depth camera is all at once."""
        if self.spec.depth is not None:
            return Lens(self.spec.camera())
        readout_s, exposure_s = self.preset.readout_ms / 1e3, self.preset.exposure_ms / 1e3
        return Lens(self.spec.camera(), readout_s=readout_s, exposure_s=exposure_s)

    def shoot(
        self, stage: Stage, lens: Lens, *, rng: np.random.Generator, progress: Progress
    ) -> int:
        """Record; gives the number of frames."""
        expose = self._expose_depth if self.spec.depth else self._expose_picture
        kind = FFV1 if self.spec.depth else H264
        with (
            Renderer(stage.scene, lens.atlas_wh, shadows=self.preset.shadows) as renderer,
            VideoWriter(
                self.path, self.spec.size_wh, kind=kind, fps=self.spec.fps, crf=self.preset.crf,
                sound_hz=RATE_HZ if self.microphone else 0,
            ) as video,
        ):  # fmt: skip
            pictures = expose(stage, renderer, lens=lens, rng=rng)
            stamps = self.timing.stamps - self.timing.stamps[0]
            for stamp, picture in zip(stamps, pictures, strict=True):
                video.add(picture, float(stamp))
                self._listen(video, float(stamp) + 1 / self.spec.fps)
                progress.advance()
        return len(stamps)

    def _listen(self, video: VideoWriter, until_s: float) -> None:
        if self.microphone is not None:
            while video.heard < until_s * RATE_HZ:
                video.hear(self.microphone.samples(video.heard, SOUND_PACKET))

    def _expose_picture(
        self, stage: Stage, renderer: Renderer, *, lens: Lens, rng: np.random.Generator
    ) -> Iterator[NDArray[np.uint8]]:
        grain = SensorNoise(self.preset.noise, lens.camera.size_wh, rng)
        for rate in self._moments(stage):
            atlas = renderer.draw_views(self.stream, lens.views)
            yield grain.add(lens.expose(atlas, rate))

    def _expose_depth(
        self, stage: Stage, renderer: Renderer, *, lens: Lens, rng: np.random.Generator
    ) -> Iterator[NDArray[np.uint16]]:
        assert self.spec.depth is not None
        sensor = DepthSensor(self.spec.depth, lens.camera.focal_px)
        quality = float(self.preset.noise > 0)
        for _ in self._moments(stage):
            yield sensor.read(renderer.depth(self.stream), quality=quality, rng=rng)

    def _moments(self, stage: Stage) -> Iterator[Array]:
        """Everything put in place, frame after frame; gives the camera's turning (3,)."""
        seconds = self.timing.seconds
        for start in range(0, len(seconds), CHUNK):
            part = seconds[start : start + CHUNK]
            position, quat = stage.frames(part)
            rates = camera_rate(stage.human, self.stream, part)
            for i in range(len(part)):
                stage.show(position[i], quat[i])
                yield rates[i]
