"""From a task to two timelines: what each arm does when, and who holds which thing.

An arm's timeline is a list of steps (reach, grasp, move, release, retreat, rest; close and open for
what hinges), each a smooth motion between two poses of hand or tool. The same planner serves people
and robots; a `Body` says how it takes a thing, where it waits, and how fast it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from sim.grasp import Grasp
from sim.tasks import Move, Task
from sim.things import Thing
from sim.timeline import Arc, Hold, Step

Array = NDArray[np.float64]

GRASP_S, RELEASE_S = 0.35, 0.30
AWAY_M = 0.05  # a hand comes to a lid from this far outside
START_S = 0.6  # nobody moves in the first instants of a take
SHORTEST_MOVE_S = 3.4  # a pick and place is begun only when this much time is left


class Body(Protocol):
    """What the planner must know of whoever does the work.

    pace: factor on durations.  above_m: things are approached from this far above (0: directly).
    """

    @property
    def pace(self) -> float: ...
    @property
    def above_m(self) -> float: ...

    def rest(self, side: str, rng: np.random.Generator) -> tuple[SE3, Array]:
        """Where an arm waits: desk_from_hand and closure."""
        ...

    def grasp(
        self, thing: Thing, desk_from_thing: SE3, *, side: str, rng: np.random.Generator
    ) -> Grasp:
        """How it takes a thing where it stands."""
        ...

    def press(
        self, thing: Thing, desk_from_thing: SE3, *, side: str, rng: np.random.Generator
    ) -> Grasp:
        """How it lays itself against a hinged thing to turn it."""
        ...


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


def hinge_angle(thing: Thing, desk_from_thing: SE3) -> Array:
    """How far (...,) a hinged thing stands open, radians."""
    turned = matrix_from_ypr(thing.yaw, 0.0, 0.0).T @ desk_from_thing.rotation
    return np.arctan2(turned[..., 2, 1], turned[..., 1, 1])


def outward(desk_from_thing: SE3) -> Array:
    """The level direction (3,) in which the outer face of a hinged thing looks."""
    level = desk_from_thing.rotation[:, 2] * [1.0, 1.0, 0.0]
    length = float(np.linalg.norm(level))
    return level / length if length > 0.3 else np.array([0.0, 0.0, 1.0])


class _Planner:
    """Builds the timelines move by move."""

    def __init__(self, task: Task, body: Body, *, seconds: float, rng: np.random.Generator) -> None:
        self.task, self.body, self.seconds, self.rng = task, body, seconds, rng
        self.pace = body.pace * task.pace
        self.steps: dict[str, list[Step]] = {"left": [], "right": []}
        waiting = {side: body.rest(side, rng) for side in self.steps}
        self.pose = {side: pose for side, (pose, _) in waiting.items()}
        self.closure = {side: closure for side, (_, closure) in waiting.items()}
        self.where = {t.name: t.desk_from_thing() for t in task.things if t.movable}
        self.holds = {name: [Hold(0.0, None, pose)] for name, pose in self.where.items()}
        self.labels: list[Label] = []
        self.gaze: list[tuple[float, Array]] = [(0.0, np.array([0.26, 0.0, 0.0]))]

    def free_at(self, side: str) -> float:
        """When an arm has done what is planned for it."""
        return self.steps[side][-1].end_s if self.steps[side] else 0.0

    def duration(self, side: str, to: SE3, *, base: float) -> float:
        """Longer ways take longer; nobody is a metronome."""
        way = float(np.linalg.norm(to.translation - self.pose[side].translation))
        return float((base + 0.95 * way) * self.rng.uniform(0.9, 1.25) * self.pace)

    def add(
        self,
        side: str,
        kind: str,
        duration: float,
        *,
        to: SE3 | None = None,
        closure: Array | None = None,
        thing: str | None = None,
        contact: NDArray[np.bool_] | None = None,
        arc: Arc | None = None,
    ) -> Step:
        """Append one step to an arm; pose and closure stay where nothing is given."""
        last = self.free_at(side)
        end_pose = self.pose[side] if to is None else to
        if arc is not None:
            end_pose = arc.carry(self.pose[side], np.array(1.0))
        end_closure = self.closure[side] if closure is None else closure
        touching = np.zeros(len(end_closure), bool) if contact is None else contact
        poses, closures = (self.pose[side], end_pose), (self.closure[side], end_closure)
        step = Step(kind, last, last + duration, poses, closures, thing, touching, arc)
        self.steps[side].append(step)
        self.pose[side], self.closure[side] = end_pose, end_closure
        return step

    def wait(self, side: str, until_s: float) -> None:
        """Rest until an instant."""
        if until_s > self.free_at(side) + 1e-9:
            self.add(side, "rest", until_s - self.free_at(side))

    def retreat(self, side: str) -> None:
        """Back to the waiting place."""
        home, closure = self.body.rest(side, self.rng)
        self.add(side, "retreat", self.duration(side, home, base=0.5), to=home, closure=closure)

    def do(self, move: Move, start_s: float) -> float:
        """One move of any kind, beginning at ``start_s``; gives the time the arm lets go."""
        return self.swing(move, start_s) if move.kind == "hinge" else self.transfer(move, start_s)

    def swing(self, move: Move, start_s: float) -> float:
        """Lay a hand against a hinged thing and turn it to an angle."""
        side, name = move.arm, move.thing
        thing, lay = self.task.thing(name), self.where[move.thing]
        press = self.body.press(thing, lay, side=side, rng=self.rng)
        self.wait(side, start_s)
        begin = self.free_at(side)
        beside = press.desk_from_hand.translation + AWAY_M * outward(lay)
        aside = SE3(press.desk_from_hand.rotation, beside)
        self._come_down(side, "reach", aside, thing=name, closure=press.closure)
        self.add(side, "reach", 0.35 * self.pace, to=press.desk_from_hand, thing=name)
        axis = lay.rotation[:, 0]
        turn = move.angle_rad - hinge_angle(thing, lay)
        arc = Arc(lay.translation, axis, float(turn), press.share)
        way = float((0.5 + 0.35 * abs(turn)) * self.rng.uniform(0.9, 1.2) * self.pace)
        kind = "close" if move.angle_rad < hinge_angle(thing, lay) else "open"
        step = self.add(side, kind, way, thing=name, contact=press.contact, arc=arc)
        there = replace(arc, share=1.0).carry(lay, np.array(1.0))
        self.where[name] = there
        self.holds[name] += [
            Hold(step.start_s, None, lay, replace(arc, share=1.0), step.end_s),
            Hold(step.end_s, None, there),
        ]
        self.gaze.append((begin - 0.30, press.desk_from_hand.apply(np.array([0.08, 0.0, 0.0]))))
        self.labels.append(Label(side, begin, step.end_s, move.text, move.verb, move.object))
        return step.end_s

    def transfer(self, move: Move, start_s: float) -> float:
        """One pick and place, beginning at ``start_s``; gives the time it lets go."""
        side, name = move.arm, move.thing
        lay = self.where[name]
        grasp = self.body.grasp(self.task.thing(name), lay, side=side, rng=self.rng)
        self.wait(side, start_s)
        begin = self.free_at(side)
        self._come_down(side, "reach", grasp.desk_from_hand, thing=name, closure=grasp.opening)
        pause = GRASP_S + float(self.rng.uniform(0.0, 0.06))
        took = self.add(
            side, "grasp", pause, closure=grasp.closure, thing=name, contact=grasp.contact
        )
        target = self._target(move, grasp)
        self._come_down(side, "move", target, thing=name, contact=grasp.contact)
        let_go = self.add(side, "release", RELEASE_S, closure=grasp.opening, thing=name)
        placed = target @ grasp.hand_from_thing
        self.where[name] = placed
        self.holds[name] += [
            Hold(took.end_s, side, grasp.hand_from_thing),
            Hold(let_go.start_s, None, placed),
        ]
        self.gaze += [
            (begin - 0.30, np.asarray(lay.translation)),
            (took.end_s - 0.10, np.asarray(move.target, np.float64)),
        ]
        self.labels.append(Label(side, begin, let_go.end_s, move.text, move.verb, move.object))
        return let_go.start_s

    def _come_down(
        self,
        side: str,
        kind: str,
        to: SE3,
        *,
        thing: str,
        closure: Array | None = None,
        contact: NDArray[np.bool_] | None = None,
    ) -> None:
        """Go to a pose directly, or by way of a place above start and end."""
        if self.body.above_m > 0:
            up = np.array([0.0, 0.0, self.body.above_m])
            if kind == "move":
                here = self.pose[side]
                above = SE3(here.rotation, here.translation + up)
                self.add(side, kind, 0.35 * self.pace, to=above, thing=thing, contact=contact)
            above = SE3(to.rotation, to.translation + up)
            way = self.duration(side, above, base=0.35)
            self.add(side, kind, way, to=above, closure=closure, thing=thing, contact=contact)
            way = 0.4 * self.pace
            self.add(side, kind, way, to=to, closure=closure, thing=thing, contact=contact)
            return
        way = self.duration(side, to, base=0.58)
        self.add(side, kind, way, to=to, closure=closure, thing=thing, contact=contact)

    def _target(self, move: Move, grasp: Grasp) -> SE3:
        """The hand pose that brings the thing to its target: turned about the vertical only."""
        held = grasp.desk_from_hand @ grasp.hand_from_thing
        turn = matrix_from_ypr(float(self.rng.uniform(-0.12, 0.12)), 0.0, 0.0)
        thing_there = SE3(turn @ held.rotation, np.asarray(move.target, np.float64))
        return thing_there @ grasp.hand_from_thing.inverse()


def make_plan(task: Task, body: Body, *, seconds: float, rng: np.random.Generator) -> Plan:
    """Plan a take: the task, then its undoing, again and again, as an operator repeats it."""
    planner = _Planner(task, body, seconds=seconds, rng=rng)
    episodes: list[tuple[float, float, bool]] = []
    starts = {t.name: t for t in task.things}
    start = START_S
    while start < seconds:
        done = _run_task(planner, task, start)
        if not done:
            break
        end = max(planner.free_at(side) for side in planner.steps)
        episodes.append((start, min(end, seconds), done == len(task.moves)))
        if task.returns:
            start = end + 0.1
            continue
        labels = list(planner.labels)
        back = [_undo(m, starts[m.thing]) for m in reversed(task.moves[:done])]
        undone = _run_moves(planner, back, end + 0.4)
        planner.labels = labels  # putting things back is not part of an episode
        if undone < len(back):
            break
        start = max(planner.free_at(m.arm) for m in back) + 0.5
    return _finish(planner, episodes, until_s=seconds)


def make_episode(task: Task, body: Body, *, rng: np.random.Generator) -> Plan:
    """Plan the task once, as long as it takes."""
    planner = _Planner(task, body, seconds=1e9, rng=rng)
    _run_task(planner, task, 0.2)
    end = max(planner.free_at(side) for side in planner.steps)
    return _finish(planner, [(0.0, end, True)], until_s=end + 0.2)


def _finish(
    planner: _Planner, episodes: list[tuple[float, float, bool]], *, until_s: float
) -> Plan:
    for side in planner.steps:
        planner.wait(side, until_s + 1.0)
    planner.labels.sort(key=lambda label: label.start_s)
    gaze = sorted(planner.gaze, key=lambda look: look[0])
    return Plan(until_s, planner.steps, planner.holds, planner.labels, gaze, episodes)


def _undo(move: Move, thing: Thing) -> Move:
    if thing.hinge:
        text = f"open the {move.object}"
        return replace(move, angle_rad=thing.hinge.start_rad, text=text, verb="open")
    return replace(move, target=thing.start, text=f"put the {move.object} back", verb="return")


def _run_task(planner: _Planner, task: Task, start_s: float) -> int:
    """A task's moves, one after another or both arms at once; gives how many there was time for."""
    if not task.together:
        return _run_moves(planner, task.moves, start_s)
    return sum(
        _run_moves(planner, [m for m in task.moves if m.arm == side], start_s)
        for side in planner.steps
    )


def _run_moves(planner: _Planner, moves: tuple[Move, ...] | list[Move], start_s: float) -> int:
    """Do moves while there is time; gives how many. The next arm starts as the last lets go."""
    for done, move in enumerate(moves):
        if start_s + SHORTEST_MOVE_S * planner.task.pace > planner.seconds:
            return done
        let_go = planner.do(move, max(start_s, planner.free_at(move.arm)))
        if done + 1 < len(moves) and moves[done + 1].arm == move.arm:
            start_s = let_go + RELEASE_S
        else:
            planner.retreat(move.arm)
            start_s = let_go + float(planner.rng.uniform(0.0, 0.2))
    return len(moves)
