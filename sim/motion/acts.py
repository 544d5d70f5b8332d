"""What an arm can be asked to do with a thing: put it somewhere, or turn it on its hinge.

An act takes a `Move` and a time, adds steps, holds, looks and a label to the planner's timelines,
and gives the time at which the arm lets go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from sim.motion.planner import Label, Planner
from sim.motion.timeline import Arc, Hold
from sim.tasks.task import Move
from sim.tasks.things import hinge_angle

AWAY_M = 0.05  # a hand comes to a lid from this far outside


def place(planner: Planner, move: Move, start_s: float) -> float:
    """One pick and place."""
    side, name = move.arm, move.thing
    lay = planner.where[name]
    grasp = planner.grasp(side, name)
    planner.wait(side, start_s)
    begin = planner.free_at(side)
    took = planner.take(side, name, grasp)
    turn = matrix_from_ypr(float(planner.rng.uniform(-0.12, 0.12)), 0.0, 0.0)
    goal = np.asarray(move.target, np.float64)
    let_go = planner.put_down(side, SE3(turn @ lay.rotation, goal))
    planner.look(begin - 0.30, lay.translation)
    planner.look(took.end_s - 0.10, goal)
    planner.labels.append(Label(side, begin, let_go.end_s, move.text, move.verb, move.object))
    return let_go.start_s


def hinge(planner: Planner, move: Move, start_s: float) -> float:
    """Lay a hand against a hinged thing and turn it to an angle."""
    side, name = move.arm, move.thing
    thing, lay = planner.task.thing(name), planner.where[name]
    press = planner.body.press(thing, lay, side=side, rng=planner.rng)
    planner.wait(side, start_s)
    begin = planner.free_at(side)
    beside = press.desk_from_hand.translation + AWAY_M * _outward(lay)
    aside = SE3(press.desk_from_hand.rotation, beside)
    planner.come_down(side, "reach", aside, thing=name, closure=press.closure)
    planner.add(side, "reach", 0.35 * planner.pace, to=press.desk_from_hand, thing=name)
    turn = move.angle_rad - float(hinge_angle(thing, lay))
    arc = Arc(lay.translation, lay.rotation[:, 0], turn, press.share)
    way = float((0.5 + 0.35 * abs(turn)) * planner.rng.uniform(0.9, 1.2) * planner.pace)
    kind = "close" if turn < 0 else "open"
    step = planner.add(side, kind, way, thing=name, contact=press.contact, arc=arc)
    whole = replace(arc, share=1.0)
    there = whole.carry(lay, np.array(1.0))
    planner.where[name] = there
    planner.holds[name] += [
        Hold(step.start_s, None, lay, arc=whole, end_s=step.end_s),
        Hold(step.end_s, None, there),
    ]
    planner.look(begin - 0.30, press.desk_from_hand.apply(np.array([0.08, 0.0, 0.0])))
    planner.labels.append(Label(side, begin, step.end_s, move.text, move.verb, move.object))
    return step.end_s


def _outward(desk_from_thing: SE3) -> np.ndarray:
    """The level direction (3,) in which the outer face of a hinged thing looks; up if it lies."""
    level = desk_from_thing.rotation[:, 2] * [1.0, 1.0, 0.0]
    length = float(np.linalg.norm(level))
    return level / length if length > 0.3 else np.array([0.0, 0.0, 1.0])


ACTS: dict[str, Callable[[Planner, Move, float], float]] = {"place": place, "hinge": hinge}
