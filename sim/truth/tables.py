"""What really happened, in the stages' own tables under ``truth/``, and more in ``truth/sim``.

The truth's world follows the project's convention: origin at the head's first position, x along its
first heading, z up. Everything here is arithmetic on the motion: no picture is needed, and the same
seed gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
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
from sim.truth.parts import row_parts, table_parts, write_columns
from sim.truth.visibility import occluders

Array = NDArray[np.float64]
I64 = NDArray[np.int64]

SIDES = ("left", "right")
AUTHOR = "sim"
FLAT_M = 0.002  # sheets lower than this hide nothing
HANDS_AT_ONCE = 300  # moments: what hides what takes the most room


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

    def write_trajectory(self) -> None:
        """Head and wrist cameras at every tick."""
        with table_parts(self.folder, Trajectory) as add:
            for rows in row_parts(len(self.seconds)):
                add(self._trajectory(rows))

    def _trajectory(self, rows: slice) -> Trajectory:
        ticks, stamps = self._moments(rows)
        count = len(ticks)
        poses = {
            stream: self._in_world(camera_pose(self.human, stream, self.seconds[rows])).to_pose7()
            for stream in ("head", "left_wrist", "right_wrist")
        }
        yes = np.ones(count, bool)
        return Trajectory(
            tick=ticks,
            timestamp_ns=stamps,
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

    def _moments(self, rows: slice) -> tuple[I64, I64]:
        """Tick numbers and time stamps of some head frames."""
        ticks = np.arange(rows.start, rows.stop, dtype=np.int64)
        return ticks, self.clock.ns(self.seconds[rows])

    def _in_world(self, desk_from_x: SE3) -> SE3:
        return self.world_from_desk @ desk_from_x

    def write_hands(self, camera: Camera) -> None:
        """Landmarks, palm frames, joints, contact and visibility."""
        with (
            table_parts(self.folder, Hands) as add_hands,
            table_parts(self.folder, EndEffectors) as add_effectors,
        ):

            def joints() -> Iterator[dict[str, Any]]:
                for one in self._each_hand(camera):
                    add_hands(one.landmarks())
                    add_effectors(one.effectors())
                    yield one.joints(self.world_from_desk)

            write_columns(self.folder, "sim/joints.parquet", joints())

    def _each_hand(self, camera: Camera) -> Iterator[_Seen]:
        """Left, then right, a stretch of moments at a time."""
        for start in range(0, len(self.seconds), HANDS_AT_ONCE):
            rows = slice(start, min(start + HANDS_AT_ONCE, len(self.seconds)))
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
                    camera, head, (states[side], states[other]),
                    scale=self.human.scale, things=things, sleeve=self.human.sleeve,
                )  # fmt: skip
                yield _Seen(self._moments(rows), states[side], head, hidden_by)

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
        write_columns(self.folder, "sim/things.parquet", self._things())

    def _things(self) -> Iterator[dict[str, Any]]:
        for thing in self.task.things:
            for rows in row_parts(len(self.seconds) if thing.movable else 0):
                ticks, stamps = self._moments(rows)
                desk_from_thing = self.human.thing(thing.name, self.seconds[rows])
                angle = np.full(len(ticks), np.nan)
                if thing.hinge:
                    angle = hinge_angle(thing, desk_from_thing)
                yield {
                    "tick": ticks,
                    "timestamp_ns": stamps,
                    "thing": np.full(len(ticks), thing.name, object),
                    "world_from_thing": self._in_world(desk_from_thing).to_pose7(),
                    "held_by": self.human.held_by(thing.name, self.seconds[rows]),
                    "hinge_rad": angle,
                }


@dataclass(frozen=True, eq=False)
class _Seen:
    """One hand at T head frames. stamp: ticks and times (T,).  head: desk_from_head (T).

    hidden_by: (T, 17) what hides each landmark, None where seen.
    """

    stamp: tuple[I64, I64]
    state: HandState
    head: SE3
    hidden_by: NDArray[np.object_]

    def _stamps(self) -> dict[str, Any]:
        return {
            "tick": self.stamp[0],
            "timestamp_ns": self.stamp[1],
            "side": np.full(len(self.stamp[0]), self.state.side, object),
        }

    def landmarks(self) -> Hands:
        """The stage's table."""
        state, head_from_desk = self.state, self.head.inverse()
        count = len(self.stamp[0])
        landmarks = head_from_desk.apply(state.landmarks_in_desk)
        raw = head_from_desk.apply(state.joints_in_desk[:, MEDIAPIPE21_FROM_25, :])
        tips = state.joints_in_desk[:, [JOINTS.index("thumb_tip"), JOINTS.index("index_tip")]]
        yes = np.ones(count, bool)
        return Hands(
            **self._stamps(),
            landmarks_in_head=landmarks.reshape(count, 51).astype(np.float32),
            landmarks_in_head_valid=yes,
            sigma_lateral_m=np.zeros((count, 17), np.float32),
            sigma_ray_m=np.zeros((count, 17), np.float32),
            visible=np.equal(self.hidden_by, None),
            raw21_in_head=raw.reshape(count, 63).astype(np.float32),
            raw21_in_head_valid=yes,
            state=np.full(count, "measured", object),
            reason=np.full(count, None, object),
            source=np.full(count, AUTHOR, object),
            aperture_m=np.linalg.norm(tips[:, 0] - tips[:, 1], axis=1).astype(np.float32),
            aperture_m_valid=yes,
        )

    def effectors(self) -> EndEffectors:
        """Palm frames."""
        count = len(self.stamp[0])
        return EndEffectors(
            **self._stamps(),
            head_from_palm=(self.head.inverse() @ self.state.desk_from_palm).to_pose7(),
            head_from_palm_valid=np.ones(count, bool),
            sigma_m=np.zeros((count, 3), np.float32),
            sigma_rad=np.zeros((count, 3), np.float32),
            state=np.full(count, "measured", object),
            reason=np.full(count, None, object),
        )

    def joints(self, world_from_desk: SE3) -> dict[str, Any]:
        """25 joints, phase, contact, what hides each landmark."""
        state = self.state
        joints = world_from_desk.apply(state.joints_in_desk.reshape(-1, 3))
        hidden = {
            f"hidden_by_{name}": self.hidden_by[:, k].astype(object)
            for k, name in enumerate(LANDMARKS)
        }
        return {
            **self._stamps(),
            "joints_in_world": joints.reshape(len(self.stamp[0]), 75),
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
