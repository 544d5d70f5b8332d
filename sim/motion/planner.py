"""Building two timelines step by step: the arms' ways, what they hold, where things end up.

`Planner` knows how to come to a thing, take it and put it down, with the hesitations and
corrections that a `Manner` asks for. What is done in which order is for `acts` and `plan` to say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from sim.hand.grasp import Grasp
from sim.motion.manner import STEADY, Manner
from sim.motion.timeline import Arc, Hold, Step
from sim.tasks.task import Task
from sim.tasks.things import Thing, at_grip, thing_distance

Array = NDArray[np.float64]

GRASP_S, RELEASE_S = 0.35, 0.30
IN_AIR_M = 0.10  # a thing this far above the desk is in a hand, not in a box
MISS_UP_M = 0.02  # fingers that miss close this far above the thing
ASKEW_RAD, ASKEW_M = 0.32, 0.005  # how far off a thing is put down at first
BESIDE_M = (0.07, 0.13)  # a misplaced thing lies this far from its goal
OUT_OF_VIEW = {"left": np.array([-0.20, 0.32, 0.12]), "right": np.array([-0.20, -0.32, 0.12])}
OTHER = {"left": "right", "right": "left"}


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


class Planner:
    """Two growing timelines. held: what each arm holds, and how.

    misplaced: things left beside their goal.  chance: draws hesitations and corrections.
    """

    def __init__(
        self,
        task: Task,
        body: Body,
        *,
        seconds: float,
        rng: np.random.Generator,
        manner: Manner = STEADY,
    ) -> None:
        self.task, self.body, self.seconds, self.rng = task, body, seconds, rng
        self.manner, self.chance = manner, rng.spawn(1)[0]
        self.pace = body.pace * task.pace
        self.steps: dict[str, list[Step]] = {"left": [], "right": []}
        waiting = {side: body.rest(side, rng) for side in self.steps}
        self.pose = {side: pose for side, (pose, _) in waiting.items()}
        self.closure = {side: closure for side, (_, closure) in waiting.items()}
        self.where = {t.name: t.desk_from_thing() for t in task.things if t.movable}
        self.holds = {name: [Hold(0.0, None, pose)] for name, pose in self.where.items()}
        self.held: dict[str, tuple[str, Grasp]] = {}
        self.misplaced: set[str] = set()
        self.labels: list[Label] = []
        self.gaze: list[tuple[float, Array]] = [(0.0, np.array([0.26, 0.0, 0.0]))]

    def free_at(self, side: str) -> float:
        """When an arm has done what is planned for it."""
        return self.steps[side][-1].end_s if self.steps[side] else 0.0

    def both_free_at(self) -> float:
        """When both arms have."""
        return max(self.free_at(side) for side in self.steps)

    def happens(self, share: float) -> bool:
        """Whether something that befalls this share of moves befalls this one."""
        return bool(self.chance.random() < share)

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
        """Rest until an instant, or keep still what is held."""
        left = until_s - self.free_at(side)
        if left <= 1e-9:
            return
        if side in self.held:
            name, grasp = self.held[side]
            self.add(side, "hold", left, thing=name, contact=grasp.contact)
        else:
            self.add(side, "rest", left)

    def retreat(self, side: str) -> None:
        """Back to the waiting place, or out of the view."""
        home, closure = self.body.rest(side, self.rng)
        if self.body.above_m == 0 and self.happens(self.manner.away):
            home = SE3(home.rotation, OUT_OF_VIEW[side] + self.chance.normal(0, 0.01, 3))
        self.add(side, "retreat", self.duration(side, home, base=0.5), to=home, closure=closure)

    def look(self, at_s: float, point: Array) -> None:
        """The eyes go somewhere."""
        self.gaze.append((at_s, np.asarray(point, np.float64)))

    def grasp(self, side: str, name: str) -> Grasp:
        """How an arm would take a thing where it is now, at the place meant for that arm.

        In the air it is taken as from the desk, so that it can be put down again.
        """
        thing, pose = self.task.thing(name), self.where[name]
        in_air = pose.translation[2] > thing.half[2] + IN_AIR_M
        up = np.array([0.0, 0.0, pose.translation[2] - thing.half[2] if in_air else 0.0])
        part, desk_from_grip = at_grip(thing, SE3(pose.rotation, pose.translation - up), side)
        grasp = self.body.grasp(part, desk_from_grip, side=side, rng=self.rng)
        hand = SE3(grasp.desk_from_hand.rotation, grasp.desk_from_hand.translation + up)
        return replace(grasp, desk_from_hand=hand, hand_from_thing=hand.inverse() @ pose)

    def take(self, side: str, name: str, grasp: Grasp) -> Step:
        """Reach, close the fingers, and have it: hesitating or missing once, if it so happens."""
        if self.happens(self.manner.hesitate):
            self._hesitate(side, name, grasp)
        if self.happens(self.manner.miss):
            self._miss(side, name, grasp)
        self.come_down(side, "reach", grasp.desk_from_hand, thing=name, closure=grasp.opening)
        return self.close_on(side, name, grasp)

    def close_on(self, side: str, name: str, grasp: Grasp) -> Step:
        """Close the fingers around a thing they are at; it is held from then on."""
        pause = GRASP_S + float(self.rng.uniform(0.0, 0.06))
        took = self.add(
            side, "grasp", pause, closure=grasp.closure, thing=name, contact=grasp.contact
        )
        self.held[side] = (name, grasp)
        self._hold_from(took.end_s, name)
        return took

    def let_go(self, side: str) -> Step:
        """Open the fingers; what was held stays there or with the other hand."""
        name, grasp = self.held.pop(side)
        step = self.add(side, "release", RELEASE_S, closure=grasp.opening, thing=name)
        self._hold_from(step.start_s, name)
        return step

    def _hold_from(self, at_s: float, name: str) -> None:
        """From now on a thing is with whoever holds it, or where it is."""
        hands = [side for side in ("left", "right") if self.held.get(side, ("",))[0] == name]
        if not hands:
            hold = Hold(at_s, None, self.where[name])
        else:
            also = hands[1] if len(hands) > 1 else None
            hold = Hold(at_s, hands[0], self.held[hands[0]][1].hand_from_thing, also=also)
        self.holds[name].append(hold)

    def bring(self, side: str, desk_from_thing: SE3) -> None:
        """Carry what an arm holds somewhere."""
        name, grasp = self.held[side]
        target = desk_from_thing @ grasp.hand_from_thing.inverse()
        self.come_down(side, "move", target, thing=name, contact=grasp.contact)
        self.where[name] = desk_from_thing

    def put_down(self, side: str, desk_from_thing: SE3) -> Step:
        """Carry it to its place and let go: askew at first, or beside it, if it so happens."""
        name, _ = self.held[side]
        self.misplaced.discard(name)
        if self.happens(self.manner.misplace):
            self.misplaced.add(name)
            desk_from_thing = self._beside(name, desk_from_thing)
        elif self.happens(self.manner.adjust):
            self._adjust(side, desk_from_thing)
            return self.let_go(side)
        self.bring(side, desk_from_thing)
        return self.let_go(side)

    def come_down(
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

    def _hesitate(self, side: str, name: str, grasp: Grasp) -> None:
        """Stop on the way, wait a little."""
        share = float(self.chance.uniform(0.45, 0.75))
        here, there = self.pose[side].translation, grasp.desk_from_hand.translation
        stop = here + share * (there - here) + np.array([0.0, 0.0, 0.04 + self.body.above_m])
        pose = SE3(grasp.desk_from_hand.rotation, stop)
        way = self.duration(side, pose, base=0.4)
        self.add(side, "reach", way, to=pose, closure=grasp.opening, thing=name)
        self.add(side, "hesitate", float(self.chance.uniform(0.25, 0.8)) * self.pace, thing=name)

    def _miss(self, side: str, name: str, grasp: Grasp) -> None:
        """Close the fingers above the thing, and find nothing between them."""
        up = np.array([0.0, 0.0, 2 * self.task.thing(name).half[2] + MISS_UP_M])
        above = SE3(grasp.desk_from_hand.rotation, grasp.desk_from_hand.translation + up)
        way = self.duration(side, above, base=0.58)
        self.add(side, "reach", way, to=above, closure=grasp.opening, thing=name)
        self.add(side, "miss", GRASP_S, closure=grasp.closure, thing=name)

    def _adjust(self, side: str, desk_from_thing: SE3) -> None:
        """Put it down askew, let go, and take it again to set it right."""
        name, grasp = self.held[side]
        turn = float(self.chance.choice([-1.0, 1.0])) * ASKEW_RAD
        off = np.array([*self.chance.uniform(-ASKEW_M, ASKEW_M, 2), 0.0])
        askew = SE3(
            matrix_from_ypr(turn, 0.0, 0.0) @ desk_from_thing.rotation,
            desk_from_thing.translation + off,
        )
        self.bring(side, askew)
        self.let_go(side)
        self.add(side, "hesitate", float(self.chance.uniform(0.15, 0.4)) * self.pace, thing=name)
        self.close_on(side, name, grasp)
        target = desk_from_thing @ grasp.hand_from_thing.inverse()
        way = 0.45 * self.pace
        self.add(side, "adjust", way, to=target, thing=name, contact=grasp.contact)
        self.where[name] = desk_from_thing

    def _beside(self, name: str, goal: SE3) -> SE3:
        """A free place on the desk near a goal, where the thing is not in what it belongs into."""
        thing = self.task.thing(name)
        angle, radius = self.chance.uniform(0, 2 * np.pi, 60), self.chance.uniform(*BESIDE_M, 60)
        ring = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], 1)
        spots = goal.translation + ring
        spots[:, 2] = thing.half[2]
        spots[:, 0] = np.clip(spots[:, 0], 0.12, 0.40)
        room = np.full(len(spots), np.inf)
        for other in self.task.things:
            if other.name != name:
                pose = self.where.get(other.name, other.desk_from_thing())
                room = np.minimum(room, thing_distance(pose.inverse().apply(spots), other))
        return SE3(goal.rotation, spots[int(room.argmax())])
