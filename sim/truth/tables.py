"""What really happened, in the stages' own tables under ``truth/``, and more in ``truth/sim``.

The truth's world follows the project's convention: origin at the head's first position, x along its
first heading, z up. Everything here is arithmetic on the motion: no picture is needed, and the same
seed gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.geometry.camera_model import Camera
from core.geometry.heading import levelled_heading
from core.geometry.landmarks import LANDMARKS
from core.geometry.se3 import SE3
from core.session.layout import TRUTH
from core.session.storage import SessionFolder
from core.session.tables import EndEffectors, Hands, Segments, Trajectory
from sim.hand.skeleton import FINGERS, JOINTS, MEDIAPIPE21_FROM_25
from sim.motion.human import HandState, Human
from sim.scene.choreography import camera_pose
from sim.tasks.task import Task
from sim.tasks.things import hinge_angle
from sim.truth.visibility import occluders

Array = NDArray[np.float64]
I64 = NDArray[np.int64]

SIDES = ("left", "right")
AUTHOR = "sim"
FLAT_M = 0.002  # sheets lower than this hide nothing


@dataclass(frozen=True, eq=False)
class Clock:
    """Seconds of the plan to nanoseconds of the session clock."""

    origin_ns: int

    def ns(self, seconds: Array) -> I64:
        """Nanoseconds (T,) int64."""
        return self.origin_ns + np.round(np.asarray(seconds) * 1e9).astype(np.int64)


def world_from_desk(human: Human, first_s: float) -> SE3:
    """The session's world from the desk frame: both z up."""
    head = human.head.pose(np.array([first_s]))[0]
    rotation = levelled_heading(head.rotation).T
    return SE3(rotation, -rotation @ head.translation)


class TruthWriter:
    """Writes the truth of one take for the head frames at ``seconds`` (T,)."""

    def __init__(
        self, folder: SessionFolder, human: Human, task: Task, *, clock: Clock, seconds: Array
    ) -> None:
        self.folder, self.human, self.task = folder, human, task
        self.clock, self.seconds = clock, seconds
        self.world_from_desk = world_from_desk(human, float(seconds[0]))

    def write_trajectory(self) -> Trajectory:
        """Head and wrist cameras at every tick."""
        count = len(self.seconds)
        poses = {
            stream: self._in_world(camera_pose(self.human, stream, self.seconds)).to_pose7()
            for stream in ("head", "left_wrist", "right_wrist")
        }
        yes = np.ones(count, bool)
        table = Trajectory(
            tick=np.arange(count, dtype=np.int64),
            timestamp_ns=self.clock.ns(self.seconds),
            world_from_head=poses["head"],
            world_from_head_valid=yes,
            tracked=yes,
            map_id=np.zeros(count, np.int32),
            sigma_m=np.zeros((count, 3), np.float32),
            sigma_rad=np.zeros((count, 3), np.float32),
            reason=np.full(count, None, object),
            world_from_left_wrist_camera=poses["left_wrist"],
            world_from_left_wrist_camera_valid=yes,
            world_from_right_wrist_camera=poses["right_wrist"],
            world_from_right_wrist_camera_valid=yes,
        )
        table.write(self.folder, TRUTH)
        return table

    def _in_world(self, desk_from_x: SE3) -> SE3:
        return self.world_from_desk @ desk_from_x

    def write_hands(self, camera: Camera, chunk: int = 300) -> None:
        """Landmarks, palm frames, joints, contact and visibility."""
        hands, effectors = [], []
        with _PartWriter(self.folder, "sim/joints.parquet") as writer:
            for start in range(0, len(self.seconds), chunk):
                rows = slice(start, min(start + chunk, len(self.seconds)))
                seconds = self.seconds[rows]
                states = {side: self.human.hand(side, seconds) for side in SIDES}
                head = self.human.head.pose(seconds)
                things = [
                    (t, self.human.thing(t.name, seconds) if t.movable else t.desk_from_thing())
                    for t in self.task.things
                    if t.half[2] > FLAT_M
                ]
                for side, other in (SIDES, SIDES[::-1]):
                    hidden_by = occluders(
                        camera,
                        head,
                        (states[side], states[other]),
                        scale=self.human.scale,
                        things=things,
                        sleeve=self.human.sleeve,
                    )
                    ticks = np.arange(rows.start, rows.stop, dtype=np.int64)
                    stamp = (ticks, self.clock.ns(seconds))
                    hands.append(_hands_table(stamp, states[side], head=head, hidden_by=hidden_by))
                    effectors.append(_effectors_table(stamp, states[side], head))
                    columns = _joint_columns(
                        stamp,
                        states[side],
                        world_from_desk=self.world_from_desk,
                        hidden_by=hidden_by,
                    )
                    writer.add(columns)
        Hands.concat(hands).write(self.folder, TRUTH)
        EndEffectors.concat(effectors).write(self.folder, TRUTH)

    def write_segments(self) -> Segments:
        """Subtasks per arm, episodes, and the phases of each arm."""
        rows: list[dict[str, Any]] = []
        plan = self.human.plan
        for k, (start, end, success) in enumerate(plan.episodes):
            rows.append(
                _segment(f"episode-{k}", "episode", (start, end), text=self.task.text)
                | {"task": self.task.text, "success": success}
            )
        for k, label in enumerate(plan.labels):
            one = _segment(f"subtask-{k}", label.arm, (label.start_s, label.end_s), text=label.text)
            rows.append(one | {"verb": label.verb, "object": label.object})
        for side in SIDES:
            for k, step in enumerate(plan.steps[side]):
                span = (step.start_s, min(step.end_s, plan.seconds))
                if step.kind == "rest" or span[1] <= span[0]:
                    continue
                one = _segment(f"phase-{side}-{k}", "phase", span, text=f"{side}: {step.kind}")
                rows.append(one | {"verb": step.kind, "object": step.thing or ""})
        table = _segments_table(rows, self.clock)
        table.write(self.folder, TRUTH)
        return table

    def write_things(self) -> None:
        """Where every movable thing was at every tick, in the world, and which hand held it.

        hinge_rad: how far what hinges stood open, null for the rest.
        """
        ticks = np.arange(len(self.seconds), dtype=np.int64)
        with _PartWriter(self.folder, "sim/things.parquet") as writer:
            for thing in self.task.things:
                if not thing.movable:
                    continue
                desk_from_thing = self.human.thing(thing.name, self.seconds)
                angle = np.full(len(ticks), np.nan)
                if thing.hinge:
                    angle = hinge_angle(thing, desk_from_thing)
                writer.add({
                    "tick": ticks,
                    "timestamp_ns": self.clock.ns(self.seconds),
                    "thing": np.full(len(ticks), thing.name, object),
                    "world_from_thing": self._in_world(desk_from_thing).to_pose7(),
                    "held_by": self.human.held_by(thing.name, self.seconds),
                    "hinge_rad": angle,
                })

    def write_columns(self, path: str, columns: dict[str, Any]) -> None:
        """One more table under truth/."""
        with _PartWriter(self.folder, path) as writer:
            writer.add(columns)


class _PartWriter:
    """Writes a table of plain columns under truth/ part by part, so that none waits in memory.

    2-D arrays become fixed-size lists. A context manager: the file is there when it ends.
    """

    def __init__(self, folder: SessionFolder, path: str) -> None:
        self._folder, self._path = folder, f"{TRUTH}/{path}"
        self._open = ExitStack()
        self._file: Any = None

    def add(self, columns: dict[str, Any]) -> None:
        arrays = {}
        for name, values in columns.items():
            if values.dtype == object:
                arrays[name] = pa.array(values.tolist(), pa.string())
            elif values.ndim > 1:
                flat = values.reshape(len(values), -1)
                inner = pa.array(flat.reshape(-1))
                arrays[name] = pa.FixedSizeListArray.from_arrays(inner, flat.shape[1])
            else:  # a NaN is a value there is not
                arrays[name] = pa.array(values, from_pandas=True)
        table = pa.table(arrays)
        if self._file is None:
            local = self._open.enter_context(self._folder.atomic_path(self._path))
            writer = pq.ParquetWriter(local, table.schema, compression="zstd")
            self._file = self._open.enter_context(writer)
        self._file.write_table(table)

    def __enter__(self) -> _PartWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)


def _stamps(stamp: tuple[I64, I64], side: str) -> dict[str, Any]:
    return {
        "tick": stamp[0],
        "timestamp_ns": stamp[1],
        "side": np.full(len(stamp[0]), side, object),
    }


def _hands_table(
    stamp: tuple[I64, I64], state: HandState, *, head: SE3, hidden_by: NDArray[np.object_]
) -> Hands:
    head_from_desk = head.inverse()
    count = len(stamp[0])
    landmarks = head_from_desk.apply(state.landmarks_in_desk)
    raw = head_from_desk.apply(state.joints_in_desk[:, MEDIAPIPE21_FROM_25, :])
    tips = state.joints_in_desk[:, [JOINTS.index("thumb_tip"), JOINTS.index("index_tip")]]
    yes = np.ones(count, bool)
    return Hands(
        **_stamps(stamp, state.side),
        landmarks_in_head=landmarks.reshape(count, 51).astype(np.float32),
        landmarks_in_head_valid=yes,
        sigma_lateral_m=np.zeros((count, 17), np.float32),
        sigma_ray_m=np.zeros((count, 17), np.float32),
        visible=np.equal(hidden_by, None),
        raw21_in_head=raw.reshape(count, 63).astype(np.float32),
        raw21_in_head_valid=yes,
        state=np.full(count, "measured", object),
        reason=np.full(count, None, object),
        source=np.full(count, AUTHOR, object),
        aperture_m=np.linalg.norm(tips[:, 0] - tips[:, 1], axis=1).astype(np.float32),
        aperture_m_valid=yes,
    )


def _effectors_table(stamp: tuple[I64, I64], state: HandState, head: SE3) -> EndEffectors:
    count = len(stamp[0])
    return EndEffectors(
        **_stamps(stamp, state.side),
        head_from_palm=(head.inverse() @ state.desk_from_palm).to_pose7(),
        head_from_palm_valid=np.ones(count, bool),
        sigma_m=np.zeros((count, 3), np.float32),
        sigma_rad=np.zeros((count, 3), np.float32),
        state=np.full(count, "measured", object),
        reason=np.full(count, None, object),
    )


def _joint_columns(
    stamp: tuple[I64, I64],
    state: HandState,
    *,
    world_from_desk: SE3,
    hidden_by: NDArray[np.object_],
) -> dict[str, Any]:
    joints = world_from_desk.apply(state.joints_in_desk.reshape(-1, 3))
    hidden = {
        f"hidden_by_{name}": hidden_by[:, k].astype(object) for k, name in enumerate(LANDMARKS)
    }
    return {
        **_stamps(stamp, state.side),
        "joints_in_world": joints.reshape(len(stamp[0]), 75),
        "phase": state.phase.astype(object),
        "touching": state.touching,
        **{f"contact_{f}": state.contact[:, k] for k, f in enumerate(FINGERS)},
        **hidden,
    }


def _segment(name: str, track: str, span: tuple[float, float], *, text: str) -> dict[str, Any]:
    return {"id": name, "track": track, "span": span, "text": text, "verb": "", "object": ""}


def _segments_table(rows: Sequence[dict[str, Any]], clock: Clock) -> Segments:
    def texts(key: str, default: Any = None) -> NDArray[np.object_]:
        return np.array([row.get(key, default) for row in rows], dtype=object)

    count = len(rows)
    spans = np.array([row["span"] for row in rows], np.float64).reshape(-1, 2)
    return Segments(
        id=texts("id"),
        track=texts("track"),
        start_ns=clock.ns(spans[:, 0]),
        end_ns=clock.ns(spans[:, 1]),
        text=texts("text"),
        verb=texts("verb"),
        object=texts("object"),
        author=np.full(count, AUTHOR, object),
        author_kind=np.full(count, "machine", object),
        state=np.full(count, "reviewed", object),
        confidence=np.ones(count, np.float32),
        confidence_valid=np.ones(count, bool),
        task=texts("task"),
        success=texts("success"),
        revision=np.zeros(count, np.int32),
    )
