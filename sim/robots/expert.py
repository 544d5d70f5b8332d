"""The scripted expert: sees where things truly are, plans one move at a time, tries again.

Each move is planned by the planner that also moves people (`motion.acts`), from where things are
now. A grasp that holds nothing, or a thing that ends elsewhere than it should, is done again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, HandoffError
from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from sim.motion.acts import ACTS
from sim.motion.manner import STEADY, Manner
from sim.motion.planner import Planner
from sim.motion.timeline import Step, Whereabouts
from sim.motion.tracks import minimum_jerk
from sim.robots.arms import Arms
from sim.robots.builds import SIDES
from sim.robots.controller import Observation, Setting, Targets
from sim.robots.gripper import Gripper
from sim.robots.scoring import done, outcome_of
from sim.tasks.task import Move

Array = NDArray[np.float64]

TRIES = 4
CHECK_AFTER_S = 0.08  # after jaws closed: is it held?
DRIVE_S = 2.6
DRIVE_WORDS = "drive up to the desk"


@dataclass(frozen=True)
class Habit:
    """How the expert works. gives_up: share of the moves it leaves after a first failure."""

    manner: Manner = STEADY
    pace: float = 1.15
    above_m: float = 0.07
    gives_up: float = 0.0


@dataclass(frozen=True, eq=False)
class Job:
    """One try at a move: the arm's steps from ``start_s`` on. grasp_s: when it must be held."""

    move: Move
    steps: list[Step]
    start_s: float
    grasp_s: float | None

    @property
    def end_s(self) -> float:
        """When the arm is free again."""
        return self.start_s + self.steps[-1].end_s


class Expert:
    """Drives one episode. subtasks: what each arm is about, for the label.  failures: tries lost.

    unreachable: texts of moves that this robot's arms cannot make.
    """

    sees = False

    def __init__(self, setting: Setting, *, habit: Habit | None = None) -> None:
        self.setting, self.habit = setting, habit or Habit()
        self.cell, self.task = setting.cell, setting.task
        odd = [move for move in self.task.moves if move.kind not in ACTS]
        if odd:
            raise BadInputError(
                f"{self.task.name}: a robot cannot {odd[0].text!r} ({odd[0].kind}); "
                "give another task"
            )
        self.gripper = Gripper(setting.build, pace=self.habit.pace, above_m=self.habit.above_m)
        self._probe = Arms(setting.build)
        self._todo = self._queues()
        self._jobs: dict[str, Job] = {}
        self._tries: dict[Move, int] = {}
        self._home = {side: self._rest(side) for side in SIDES}
        self.subtasks = dict.fromkeys(SIDES, "")
        self.unreachable: list[str] = []
        self.failures = 0
        self._drive = self._way_in()

    @property
    def finished(self) -> bool:
        """Nothing is left to do."""
        return not self._jobs and not any(self._todo.values())

    def _queues(self) -> dict[str, list[Move]]:
        """Moves in order: one line for both arms, or one each where they work at once."""
        if not self.task.together:
            return {"both": list(self.task.moves)}
        return {side: [m for m in self.task.moves if m.arm == side] for side in SIDES}

    def _rest(self, side: str) -> SE3:
        return self.gripper.rest(side, self.setting.rng)[0]

    def _way_in(self) -> tuple[SE3, float] | None:
        """Where a driving base stands at first."""
        return (self.cell.base, DRIVE_S) if self.setting.build.mobile else None

    def act(self, observation: Observation) -> Targets:
        """The next tick or two; looks again after each."""
        now = self.cell.seconds
        ticks = np.arange(1, 3) / self.setting.fps
        if self._drive and now < self._drive[1]:
            return self._driving(now + ticks, ticks)
        self._look(now)
        tools, closed = {}, {}
        for side in SIDES:
            job = self._jobs.get(side)
            if job is None:
                tools[side], closed[side] = self._waiting(side, ticks), np.zeros(len(ticks))
                continue
            where = Whereabouts.find(job.steps, now + ticks - job.start_s)
            tools[side], closed[side] = where.path(), where.closure()[:, 0]
        base = SE3.stack([self.cell.base] * len(ticks))
        return Targets(seconds=ticks, world_from_tool=tools, closed=closed, world_from_base=base)

    def _waiting(self, side: str, ticks: Array) -> SE3:
        return SE3.stack([self._home[side]] * len(ticks))

    def _driving(self, at_s: Array, ticks: Array) -> Targets:
        assert self._drive is not None
        start, length = self._drive
        self.subtasks = dict.fromkeys(SIDES, DRIVE_WORDS)
        base = SE3.stack([way_in(start, float(s) / length) for s in at_s])
        body = self.cell.body()
        tools = {s: base @ SE3.stack([body.base_from_tool[s]] * len(ticks)) for s in SIDES}
        closed = {side: np.zeros(len(ticks)) for side in SIDES}
        return Targets(seconds=ticks, world_from_tool=tools, closed=closed, world_from_base=base)

    def _look(self, now: float) -> None:
        """End what is over, notice what failed, begin what comes next."""
        for side, job in list(self._jobs.items()):
            due = job.grasp_s is not None and now >= job.grasp_s
            if due and self.cell.held_by(side) != job.move.thing:
                self._failed(side, job)
            elif due:
                self._jobs[side] = replace(job, grasp_s=None)
            elif now >= job.end_s - 1e-6:
                self._ended(side, job)
        self.subtasks = dict.fromkeys(SIDES, "") | {s: j.move.text for s, j in self._jobs.items()}
        for queue in self._todo.values():
            while queue and self._free_for(queue[0]):
                self._begin(queue.pop(0), now)

    def _free_for(self, move: Move) -> bool:
        """The arm is idle; without `together` so is the other, or it is on its way back."""
        if move.arm in self._jobs:
            return False
        others = [job for side, job in self._jobs.items() if side != move.arm]
        return self.task.together or not others

    def _is_done(self, move: Move) -> bool:
        return done(self.task, move, outcome_of(self.cell))

    def _begin(self, move: Move, now: float) -> None:
        tries = self._tries.get(move, 0)
        self._tries[move] = tries + 1
        manner = self.habit.manner if tries == 0 else STEADY
        try:
            steps = self._plan(move, manner)
        except HandoffError:
            self.unreachable.append(move.text)
            return
        took = [s.end_s for s in steps if s.kind == "grasp"]
        grasp_s = now + took[0] + CHECK_AFTER_S if took else None
        self._jobs[move.arm] = Job(move, steps, now, grasp_s)
        self.subtasks[move.arm] = move.text

    def _plan(self, move: Move, manner: Manner) -> list[Step]:
        """The arm's steps for one move and the way home; HandoffError: it cannot get there."""
        planner = Planner(self.task, self.gripper, seconds=1e9, rng=self.setting.rng, manner=manner)
        for side in SIDES:
            planner.pose[side] = self.cell.tool(side)
            planner.closure[side] = np.array([self.cell.body().closed[side]])
        planner.where |= {name: item.pose for name, item in self.cell.items.items()}
        ACTS[move.kind](planner, move, 0.0)
        planner.retreat(move.arm)
        steps = planner.steps[move.arm]
        self._home[move.arm] = steps[-1].desk_from_hand[1]
        self._probe.set_joints(move.arm, self.setting.build.neutral(move.arm))
        for step in steps:
            self._probe.reach(move.arm, self.cell.base.inverse() @ step.desk_from_hand[1])
        return steps

    def _failed(self, side: str, job: Job) -> None:
        """Nothing is between the jaws: again, or never."""
        self.failures += 1
        del self._jobs[side]
        self._again(job.move)

    def _ended(self, side: str, job: Job) -> None:
        del self._jobs[side]
        if not self._is_done(job.move):
            self.failures += 1
            self._again(job.move)

    def _again(self, move: Move) -> None:
        gives_up = self.setting.rng.random() < self.habit.gives_up
        if self._tries[move] >= TRIES or gives_up:
            return
        queue = self._todo["both"] if "both" in self._todo else self._todo[move.arm]
        queue.insert(0, move)


def way_in(start: SE3, share: float) -> SE3:
    """Where a driving base is after a share of its way from ``start`` to the desk.

    It rolls along a curve whose heading fades from the first to straight ahead: no slipping.
    """
    yaw, length = _start_of(start)
    s = float(minimum_jerk(share))
    rest = np.linspace(s, 1.0, 60)
    heading = yaw * (1.0 - minimum_jerk(rest))
    way = -np.trapezoid(np.stack([np.cos(heading), np.sin(heading)]), rest) * length
    return SE3(matrix_from_ypr(float(heading[0]), 0.0, 0.0), np.array([*way, 0.0]))


def first_base(rng: np.random.Generator) -> SE3:
    """Where a driving base begins: some way back, turned a little."""
    yaw, length = float(rng.uniform(-0.45, 0.45)), float(rng.uniform(0.25, 0.45))
    heading = yaw * (1.0 - minimum_jerk(np.linspace(0.0, 1.0, 60)))
    way = np.trapezoid(np.stack([np.cos(heading), np.sin(heading)]), dx=1 / 59) * length
    return SE3(matrix_from_ypr(yaw, 0.0, 0.0), np.array([-way[0], -way[1], 0.0]))


def _start_of(start: SE3) -> tuple[float, float]:
    """(yaw, length of the way) that `first_base` drew."""
    yaw = float(np.arctan2(start.rotation[1, 0], start.rotation[0, 0]))
    heading = yaw * (1.0 - minimum_jerk(np.linspace(0.0, 1.0, 60)))
    unit = np.trapezoid(np.stack([np.cos(heading), np.sin(heading)]), dx=1 / 59)
    return yaw, float(np.linalg.norm(start.translation[:2]) / np.linalg.norm(unit))
