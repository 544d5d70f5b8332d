"""`handoff sim board`: a calibration recording as a rig folder, the board's truth beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.rotations import quat_wxyz_from_matrix
from core.session.documents import write_document
from core.session.layout import TRUTH
from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder
from sim.board import DICTIONARY, Board, BoardPath, Stand
from sim.preview import write_preview
from sim.record import RecordReport
from sim.rig import Preset, Rig, find_preset, find_rig
from sim.rig_folder import Take, write_rig_folder
from sim.scene.choreography import camera_pose
from sim.scene.model import CameraMount, SceneLook, SceneModel, random_look
from sim.sensing import Sensing, sense, write_sensor_truth
from sim.sensors.clocks import clock_of
from sim.sensors.lens import Lens
from sim.sensors.miscalibration import NOTHING_WRONG, Miscalibration, find_miscalibration
from sim.shooting import shoot
from sim.tasks.task import Task
from sim.truth.parts import write_columns
from sim.truth.tables import TruthWriter

Array = NDArray[np.float64]

SHORTEST_S, LONGEST_S = 4.0, 600.0
TASK = Task("calibration_board", "show a calibration board", things=(), moves=())


class BoardStage:
    """The scene of a calibration recording; what `Film` asks of a `Choreography`."""

    def __init__(
        self,
        stand: Stand,
        path: BoardPath,
        look: SceneLook,
        *,
        board: Board,
        streams: tuple[str, ...],
        fov_y: float,
        image_wh: tuple[int, int],
    ) -> None:
        self.human, self._path, self._streams = stand, path, streams
        self.scene = SceneModel(
            look, things=(), cameras=[CameraMount(s, fov_y) for s in streams],
            extra=board.body_xml(), pictures={"board": board.picture()}, image_wh=image_wh,
        )  # fmt: skip
        self._names = [*(f"{s}_camera" for s in streams), "board"]

    def frames(self, seconds: Array) -> tuple[Array, Array]:
        """Positions (T, B, 3) and quaternions wxyz (T, B, 4) of all bodies at times (T,)."""
        poses = [camera_pose(self.human, s, seconds) for s in self._streams]
        poses.append(self._path.pose(seconds))
        rotation = np.stack([pose.rotation for pose in poses], 1)
        position = np.stack([pose.translation for pose in poses], 1)
        return position, np.asarray(quat_wxyz_from_matrix(rotation))

    def show(self, position: Array, quat_wxyz: Array) -> None:
        """Put every body (B, 3), (B, 4) in place."""
        self.scene.place_all(self._names, position, quat_wxyz)
        self.scene.settle()


def record_board(
    out: str | Path,
    *,
    seconds: float = 40.0,
    seed: int = 0,
    rig: str = "default",
    preset: str = "default",
    sensor: Mapping[str, float] | None = None,
    calibration_error: str | Mapping[str, float] = "none",
    workers: int = 1,
    progress: Progress = NO_PROGRESS,
) -> RecordReport:
    """Record a calibration board into the folder ``out`` (made if missing; holds no take yet).

    The options are those of `sim.record.record`. The board's measures are in
    ``truth/sim/board.json``, where it was in ``truth/sim/board.parquet``.
    """
    folder = SessionFolder(str(out))
    if folder.exists("rig.toml"):
        raise BadInputError(f"{out}: already holds a take (rig.toml); give an empty folder")
    take = hold_board(
        seconds=seconds, seed=seed, rig=find_rig(rig),
        preset=find_preset(preset).with_values(sensor or {}),
        wrong=find_miscalibration(calibration_error),
    )  # fmt: skip
    take.write_truth(folder)
    sensing = take.sensing
    shoot(folder, take, progress, workers=workers)
    write_preview(folder, [f"{s}.{spec.suffix}" for s, spec in sensing.rig.cameras.items()])
    write_rig_folder(
        folder, take.known(), rig=sensing.rig, preset=sensing.preset, wrong=sensing.wrong
    )
    frames = {stream: len(times) for stream, times in sensing.times.items()}
    return RecordReport(str(out), TASK.name, seconds, frames, 0, 0)


@dataclass(frozen=True, eq=False)
class BoardTake:
    """A calibration recording before any camera looks."""

    sensing: Sensing
    board: Board
    path: BoardPath
    look: SceneLook

    def stage(self, lens: Lens) -> BoardStage:
        """The scene for one camera."""
        return BoardStage(
            self.sensing.human, self.path, self.look, board=self.board,
            streams=self.sensing.rig.streams,
            fov_y=lens.views[0].fov_y, image_wh=lens.atlas_wh,
        )  # fmt: skip

    def known(self) -> Take:
        """What the rig knows of it."""
        sensing = self.sensing
        return Take(
            task=TASK.text,
            scene=f"desk-{self.look.seed}",
            operator=f"sim-{sensing.seed}",
            scale=1.0,
            clock=sensing.clock,
            stamps={stream: timing.stamps for stream, timing in sensing.timing.items()},
            imu=sensing.imu,
            imu_clock=clock_of("imu", sensing.preset),
            labels=[],
        )

    def write_truth(self, folder: SessionFolder) -> None:
        """Sensors, the head's path, the board's measures and its poses at every head frame."""
        sensing, times = self.sensing, self.sensing.times["head"]
        writer = TruthWriter(folder, sensing.human, TASK, clock=sensing.clock, seconds=times)
        writer.write_trajectory()
        write_sensor_truth(folder, sensing, writer)
        poses = writer.world_from_desk @ self.path.pose(times)
        columns = {"timestamp_ns": sensing.clock.ns(times), "world_from_board": poses.to_pose7()}
        write_columns(folder, "sim/board.parquet", [columns])
        measures = {"kind": "charuco", "dictionary": DICTIONARY, **asdict(self.board)}
        write_document(folder, f"{TRUTH}/sim/board.json", measures)


def hold_board(
    *, seconds: float, seed: int, rig: Rig, preset: Preset, wrong: Miscalibration = NOTHING_WRONG
) -> BoardTake:
    """The calibration recording that a seed stands for. Needs no renderer."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise BadInputError(
            f"seconds is {seconds:g}; a calibration recording lasts {SHORTEST_S:g} to {LONGEST_S:g}"
        )
    if seed < 0:
        raise BadInputError(f"seed is {seed}; give 0 or more")
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 1]).spawn(4)]
    board, stand = Board(), Stand(seconds, rngs[0])
    path = BoardPath(rig, stand, board, seconds=seconds, rng=rngs[1])
    fields = sense(
        stand, rig, preset, seconds=seconds, seed=seed, wrong=wrong, sounds=[],
        rngs=(rngs[2], rngs[3]),
    )  # fmt: skip
    return BoardTake(Sensing(**fields), board, path, random_look(np.random.default_rng(seed)))
