"""From a task to two timelines: what each hand does when, and who holds which thing.

A hand's timeline is a list of steps (reach, grasp, move, release, retreat, rest), each a smooth
motion between two wrist poses. Things rest, are held (rigid in the hand), or settle.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from sim.grasp import SIGN, Grasp, grasp_thing, hand_rotation
from sim.tasks import Move, Task
from sim.things import Thing

Array = NDArray[np.float64]

GRASP_S, RELEASE_S, SETTLE_S = 0.35, 0.30, 0.12
REST_CLOSURE = np.array([0.22, 0.20, 0.22, 0.24, 0.26])
START_S = 0.6  # nobody moves in the first instants of a take
LIFT_M = {"reach": 0.045, "move": 0.085, "retreat": 0.03}


@dataclass(frozen=True, eq=False)
class Step:
    """One smooth motion of one hand, seconds from the start of the take.

    kind: reach, grasp, move, release, retreat, rest.  thing: what it is about, if anything.
    contact (5,): fingers on the thing at the step's end.
    """

    kind: str
    start_s: float
    end_s: float
    desk_from_hand: tuple[SE3, SE3]
    closure: tuple[Array, Array]
    thing: str | None = None
    contact: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(5, bool))


@dataclass(frozen=True, eq=False)
class Hold:
    """A thing between two instants: at ``desk_from_thing``, or held: then ``hand_from_thing``."""

    start_s: float
    arm: str | None
    pose: SE3


@dataclass(frozen=True)
class Label:
    """A subtask as it happened. start_s: the reach begins; end_s: the hand has let go."""

    arm: str
    start_s: float
    end_s: float
    text: str
    verb: str
    object: str


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that happens in a take.

    steps: per arm, without gaps.  holds: per movable thing, by time.  labels: subtasks.
    gaze: (seconds, point in the desk frame) the person looks at from then on.
    episodes: (start_s, end_s, success).
    """

    seconds: float
    steps: dict[str, list[Step]]
    holds: dict[str, list[Hold]]
    labels: list[Label]
    gaze: list[tuple[float, Array]]
    episodes: list[tuple[float, float, bool]]


def upright(position: tuple[float, float, float] | Array, yaw: float = 0.0) -> SE3:
    """A pose on the desk, turned about the vertical."""
    return SE3(matrix_from_ypr(yaw, 0.0, 0.0), np.asarray(position, np.float64))


def rest_pose(side: str, rng: np.random.Generator) -> SE3:
    """Where a hand waits: above the near edge of the desk, fingers forward."""
    place = np.array([0.13, -SIGN[side] * 0.15, 0.075]) + rng.normal(0, 0.012, 3)
    return SE3(hand_rotation(side, SIGN[side] * 0.35, 0.15, roll=0.45), place)


class _Planner:
    """Builds the timelines move by move; ``ready`` is when each arm is free."""

    def __init__(
        self, task: Task, *, seconds: float, scale: float, rng: np.random.Generator
    ) -> None:
        self.task, self.seconds, self.scale, self.rng = task, seconds, scale, rng
        self.steps: dict[str, list[Step]] = {"left": [], "right": []}
        self.pose = {side: rest_pose(side, rng) for side in self.steps}
        self.closure = dict.fromkeys(self.steps, REST_CLOSURE)
        self.ready = dict.fromkeys(self.steps, START_S)
        self.where = {t.name: upright(t.start, t.yaw) for t in task.things if t.movable}
        self.holds = {name: [Hold(0.0, None, pose)] for name, pose in self.where.items()}
        self.labels: list[Label] = []
        self.gaze: list[tuple[float, Array]] = [(0.0, np.array([0.26, 0.0, 0.0]))]

    def duration(self, distance: float, *, base: float) -> float:
        """Longer ways take longer; people are not metronomes."""
        return float((base + 0.95 * distance) * self.rng.uniform(0.9, 1.25))

    def add(self, side: str, kind: str, duration: float, **change: object) -> Step:
        """Append one step to an arm; ``to`` and ``closure`` default to staying as they are."""
        last = self.steps[side][-1].end_s if self.steps[side] else 0.0
        to = change.get("to") or self.pose[side]
        closure = change.get("closure")
        step = Step(
            kind,
            last,
            last + duration,
            (self.pose[side], to),  # type: ignore[arg-type]
            (self.closure[side], self.closure[side] if closure is None else closure),  # type: ignore[arg-type]
            change.get("thing"),  # type: ignore[arg-type]
            change.get("contact", np.zeros(5, bool)),  # type: ignore[arg-type]
        )
        self.steps[side].append(step)
        self.pose[side], self.closure[side] = step.desk_from_hand[1], step.closure[1]
        return step

    def wait(self, side: str, until_s: float) -> None:
        """Rest until an instant."""
        last = self.steps[side][-1].end_s if self.steps[side] else 0.0
        if until_s > last + 1e-9:
            self.add(side, "rest", until_s - last)

    def transfer(self, move: Move, start_s: float) -> float:
        """One pick and place, beginning at ``start_s``; gives the time it lets go."""
        thing = self.task.thing(move.thing)
        grasp = grasp_thing(
            thing, self.where[thing.name], side=move.arm, scale=self.scale, rng=self.rng
        )
        self.wait(move.arm, start_s)
        way = float(
            np.linalg.norm(grasp.desk_from_hand.translation - self.pose[move.arm].translation)
        )
        reach = self.add(
            move.arm, "reach", self.duration(way, base=0.55),
            to=grasp.desk_from_hand, closure=grasp.opening, thing=thing.name,
        )  # fmt: skip
        pause = float(self.rng.uniform(0.0, 0.06))
        took = self.add(
            move.arm, "grasp", GRASP_S + pause,
            closure=grasp.closure, thing=thing.name, contact=grasp.contact,
        )  # fmt: skip
        target = self._target(move, grasp)
        distance = float(np.linalg.norm(target.translation - grasp.desk_from_hand.translation))
        moved = self.add(
            move.arm, "move", self.duration(distance, base=0.6),
            to=target, thing=thing.name, contact=grasp.contact,
        )  # fmt: skip
        released = self.add(move.arm, "release", RELEASE_S, closure=grasp.opening, thing=thing.name)
        placed = target @ grasp.hand_from_thing
        self.where[thing.name] = placed
        self.holds[thing.name] += [
            Hold(took.end_s, move.arm, grasp.hand_from_thing),
            Hold(released.start_s, None, placed),
        ]
        self.gaze += [
            (reach.start_s - 0.30, self.where_now(thing.name, took.start_s)),
            (took.end_s - 0.10, np.asarray(move.target, np.float64)),
        ]
        self.labels.append(
            Label(move.arm, reach.start_s, released.end_s, move.text, move.verb, move.object)
        )
        return moved.end_s

    def _target(self, move: Move, grasp: Grasp) -> SE3:
        """The wrist pose that brings the thing to its target: turned about the vertical only."""
        held = grasp.desk_from_hand @ grasp.hand_from_thing
        turn = upright((0.0, 0.0, 0.0), float(self.rng.uniform(-0.12, 0.12))).rotation
        thing_there = SE3(turn @ held.rotation, np.asarray(move.target, np.float64))
        return thing_there @ grasp.hand_from_thing.inverse()

    def where_now(self, name: str, seconds: float) -> Array:
        """Where a thing rested at an instant, desk frame."""
        resting = [h for h in self.holds[name] if h.start_s <= seconds and h.arm is None]
        return np.asarray(resting[-1].pose.translation)

    def retreat(self, side: str) -> None:
        """Back to the waiting place."""
        home = rest_pose(side, self.rng)
        way = float(np.linalg.norm(home.translation - self.pose[side].translation))
        self.add(side, "retreat", self.duration(way, base=0.5), to=home, closure=REST_CLOSURE)


def make_plan(task: Task, *, seconds: float, scale: float, rng: np.random.Generator) -> Plan:
    """Plan a take: the task, then its undoing, again and again, as an operator repeats it."""
    planner = _Planner(task, seconds=seconds, scale=scale, rng=rng)
    episodes: list[tuple[float, float, bool]] = []
    forward = list(task.moves)
    starts = {t.name: t for t in task.things}
    next_start = START_S
    while next_start < seconds - 2.5:
        begin = next_start
        done, next_start = _run_moves(planner, forward, next_start)
        if not done:
            break
        end = max(planner.steps[m.arm][-1].end_s for m in forward[:done])
        episodes.append((begin, min(end, seconds), done == len(forward)))
        back = [_undo(m, starts[m.thing]) for m in reversed(forward)]
        next_start = end + 0.4
        keep = len(planner.labels)
        undone, next_start = _run_moves(planner, back, next_start)
        planner.labels[keep:] = []
        if undone < len(back):
            break
        next_start += 0.5
    for side in planner.steps:
        planner.wait(side, seconds + 1.0)
    return Plan(
        seconds,
        planner.steps,
        planner.holds,
        planner.labels,
        sorted(planner.gaze, key=_time),
        episodes,
    )


def _time(look: tuple[float, Array]) -> float:
    return look[0]


def _undo(move: Move, thing: Thing) -> Move:
    return replace(move, target=thing.start, text=f"put the {move.object} back", verb="return")


def _run_moves(planner: _Planner, moves: list[Move], start_s: float) -> tuple[int, float]:
    """Do moves while there is time; gives (how many, when the next may start)."""
    done = 0
    for i, move in enumerate(moves):
        if start_s + 3.4 > planner.seconds:
            break
        start_s = max(start_s, _free(planner, move.arm))
        let_go = planner.transfer(move, start_s)
        done += 1
        same_arm_next = i + 1 < len(moves) and moves[i + 1].arm == move.arm
        if same_arm_next:
            start_s = let_go + RELEASE_S
        else:
            planner.retreat(move.arm)
            start_s = let_go + float(planner.rng.uniform(0.0, 0.2))
    return done, start_s


def _free(planner: _Planner, arm: str) -> float:
    return planner.steps[arm][-1].end_s if planner.steps[arm] else 0.0
