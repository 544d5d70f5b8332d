"""How well a task was done, by the paper's rules, from where its things are at the end.

Bussing: things in the right container of nine. Spice, dresser: all or nothing. Eggs: each egg in
its colour's carton and each carton closed over one, of fourteen. Blocks: those in the tray of
three. There and back: moves done of four, in order (the end alone looks like the beginning).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.errors import BadInputError
from core.geometry.se3 import SE3
from sim.robots.workcell import Workcell, container_of
from sim.tasks.task import Move, Task
from sim.tasks.things import hinge_angle

SHUT_RAD = float(np.radians(12.0))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a task has come to. desk_from_thing: of everything that can move.

    held: things in somebody's hand.  rested: per thing the containers it came to rest in since the
    start, in order; "" is the desk.
    """

    desk_from_thing: dict[str, SE3]
    held: frozenset[str] = frozenset()
    rested: dict[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Score:
    """points of out_of, and the value 0…1 that the paper reports."""

    points: int
    out_of: int
    value: float

    @property
    def success(self) -> bool:
        """Everything was done."""
        return self.points == self.out_of


def outcome_of(cell: Workcell) -> Outcome:
    """The state of a work cell."""
    items = cell.items
    return Outcome(
        {name: item.pose for name, item in items.items()},
        frozenset(n for n, item in items.items() if item.holder or item.falls_to is not None),
        {name: item.rested for name, item in items.items()},
    )


def score(task: Task, outcome: Outcome) -> Score:
    """By the rule of its task; BadInputError for one that has none."""
    if task.name not in RULES:
        raise BadInputError(f"{task.name} has no score; those with one: {', '.join(RULES)}")
    return RULES[task.name](task, outcome)


def done(task: Task, move: Move, outcome: Outcome) -> bool:
    """Whether what a move asks for is so now."""
    pose = outcome.desk_from_thing[move.thing]
    thing = task.thing(move.thing)
    if thing.hinge:
        return abs(float(hinge_angle(thing, pose)) - move.angle_rad) < SHUT_RAD
    return move.thing not in outcome.held and _where(task, move.thing, pose) in wanted(task, move)


def remaining(task: Task, outcome: Outcome) -> list[Move]:
    """The moves that are still to be done, in order."""
    if not task.returns:
        return [move for move in task.moves if not done(task, move, outcome)]
    gone = _gone_through(task, outcome)
    return [move for move in task.moves if move not in gone]


def wanted(task: Task, move: Move) -> set[str]:
    """The containers in which a move's thing is right; {""} for the desk. Any bin is a bin."""
    goal = SE3(np.eye(3), np.asarray(move.target, np.float64))
    name = _where(task, move.thing, goal)
    if name.startswith("bin_"):
        return {t.name for t in task.things if t.name.startswith("bin_")}
    return {name}


def _where(task: Task, name: str, pose: SE3) -> str:
    fixed = [(t, t.desk_from_thing()) for t in task.things if not t.movable]
    return container_of(task.thing(name), pose, fixed)


def _per_thing(task: Task, outcome: Outcome) -> Score:
    points = sum(done(task, move, outcome) for move in task.moves)
    return Score(points, len(task.moves), points / len(task.moves))


def _all_or_nothing(task: Task, outcome: Outcome) -> Score:
    found = _per_thing(task, outcome)
    return Score(found.points, found.out_of, float(found.success))


def _packed(task: Task, outcome: Outcome) -> Score:
    """A carton that is shut counts when an egg that belongs there is in it: an empty one's lid
    falls shut under any hand that comes by.
    """
    finished = [move for move in task.moves if done(task, move, outcome)]
    filled = {
        name for move in finished if not task.thing(move.thing).hinge for name in wanted(task, move)
    }
    points = sum(
        not task.thing(move.thing).hinge or move.object.replace(" ", "_") in filled
        for move in finished
    )
    return Score(points, len(task.moves), points / len(task.moves))


def _in_order(task: Task, outcome: Outcome) -> Score:
    points = len(_gone_through(task, outcome))
    return Score(points, len(task.moves), points / len(task.moves))


def _gone_through(task: Task, outcome: Outcome) -> list[Move]:
    """Per thing its moves' places must appear in what it rested in, one after the other."""
    gone = []
    for name in dict.fromkeys(move.thing for move in task.moves):
        seen = iter((outcome.rested or {}).get(name, ()))
        for move in (m for m in task.moves if m.thing == name):
            if not any(place in wanted(task, move) for place in seen):
                break
            gone.append(move)
    return gone


RULES: dict[str, Callable[[Task, Outcome], Score]] = {
    "blocks_to_tray": _per_thing,
    "bus_table": _per_thing,
    "dresser": _all_or_nothing,
    "sort_eggs": _packed,
    "spice_rack": _all_or_nothing,
    "there_and_back": _in_order,
}
