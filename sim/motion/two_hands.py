"""What hands do freely in front of the eyes: lift, turn, hand over, hold together, cross, go away.

Acts like those of `acts`, for people only. Two hands on one thing go through the same arc, so both
stay rigid with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.geometry.se3 import SE3
from sim.hand.grasp import SIGN, hand_rotation
from sim.motion.planner import OTHER, OUT_OF_VIEW, Label, Planner
from sim.motion.timeline import Arc
from sim.tasks.task import Move

SIDES = ("left", "right")
TURNS = (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
MOST_TURN_RAD = 0.55
SHIFT_M = 0.035
LOW_M, HIGH_M = 0.115, 0.250  # heights at which crossing hands pass each other


def lift(planner: Planner, move: Move, start_s: float) -> float:
    """Take a thing and bring it before the eyes; it stays in the hand."""
    side, name = move.arm, move.thing
    lay = planner.where[name]
    planner.wait(side, max(start_s, planner.both_free_at()))
    begin = planner.free_at(side)
    took = planner.take(side, name, planner.grasp(side, name))
    goal = np.asarray(move.target, np.float64)
    planner.bring(side, SE3(lay.rotation, goal))
    planner.look(begin - 0.30, lay.translation)
    planner.look(took.end_s - 0.10, goal)
    return _told(planner, move, (side,), begin_s=begin)


def turn(planner: Planner, move: Move, start_s: float) -> float:
    """Turn what is held this way and that, with the hand or hands that hold it."""
    begin = max(start_s, planner.both_free_at())
    sides = _holders(planner, move.thing)
    _turn_about(planner, move.thing, begin)
    return _told(planner, move, sides, begin_s=begin)


def give(planner: Planner, move: Move, start_s: float) -> float:
    """Hand a thing over: the other hand takes it too, then the first lets go."""
    begin = max(start_s, planner.both_free_at())
    _join(planner, move, begin)
    first = move.arm
    planner.let_go(first)
    taken = planner.free_at(first)
    planner.retreat(first)
    planner.wait(OTHER[first], taken)
    return _told(planner, move, SIDES, begin_s=begin)


def together(planner: Planner, move: Move, start_s: float) -> float:
    """The other hand takes hold as well, both turn the thing, and it leaves again."""
    begin = max(start_s, planner.both_free_at())
    _join(planner, move, begin)
    _turn_about(planner, move.thing, planner.both_free_at())
    guest = OTHER[move.arm]
    planner.let_go(guest)
    planner.wait(move.arm, planner.free_at(guest))
    planner.retreat(guest)
    return _told(planner, move, SIDES, begin_s=begin)


def down(planner: Planner, move: Move, start_s: float) -> float:
    """Put down what is held and draw the hand back."""
    side = move.arm
    planner.wait(side, start_s)
    begin = planner.free_at(side)
    goal = np.asarray(move.target, np.float64)
    level = planner.task.thing(move.thing).desk_from_thing().rotation
    planner.look(begin - 0.10, goal)
    planner.put_down(side, SE3(level, goal))
    end = _told(planner, move, (side,), begin_s=begin)
    planner.retreat(side)
    return end


def cross(planner: Planner, move: Move, start_s: float) -> float:
    """Both empty hands cross, one over the other, stay a moment and come back."""
    begin = max(start_s, planner.both_free_at())
    over = move.arm
    planner.look(begin - 0.2, np.array([0.24, 0.0, 0.10]))
    for side in SIDES:
        high = side == over
        planner.wait(side, begin + (0.0 if high else 0.5))
        place = np.array([0.20 if high else 0.27, SIGN[side] * 0.075, HIGH_M if high else LOW_M])
        place += planner.rng.normal(0, 0.008, 3)
        pose = SE3(hand_rotation(side, SIGN[side] * 0.75, 0.15, roll=0.25), place)
        fingers = planner.rng.uniform(0.1, 0.6) * np.ones(5)
        way = planner.duration(side, pose, base=0.7)
        planner.add(side, "gesture", way, to=pose, closure=fingers)
    stay = planner.both_free_at() + float(planner.rng.uniform(0.2, 0.8))
    for side in SIDES:
        planner.wait(side, stay + (0.5 if side == over else 0.0))
        planner.retreat(side)
    return _told(planner, move, SIDES, begin_s=begin)


def away(planner: Planner, move: Move, start_s: float) -> float:
    """A hand leaves the view and comes back."""
    side = move.arm
    planner.wait(side, max(start_s, planner.free_at(side)))
    begin = planner.free_at(side)
    pose = SE3(planner.pose[side].rotation, OUT_OF_VIEW[side])
    planner.add(side, "gesture", planner.duration(side, pose, base=0.6), to=pose)
    planner.wait(side, planner.free_at(side) + float(planner.rng.uniform(0.5, 1.5)))
    planner.retreat(side)
    return _told(planner, move, (side,), begin_s=begin)


def show(planner: Planner, move: Move, start_s: float) -> float:
    """A hand is held up and turned over, opening and closing: it hides parts of itself."""
    side = move.arm
    planner.wait(side, max(start_s, planner.free_at(side)))
    begin = planner.free_at(side)
    centre = np.array([0.20, -SIGN[side] * 0.07, 0.19])
    planner.look(begin - 0.1, centre)
    for roll in planner.rng.permutation([0.1, 1.0, 1.9, 2.6]):
        yaw, pitch = planner.rng.uniform((-0.3, -0.5), (0.5, 0.3))
        rotation = hand_rotation(side, SIGN[side] * float(yaw), float(pitch), roll=float(roll))
        pose = SE3(rotation, centre + planner.rng.normal(0, 0.01, 3))
        fingers = np.clip(planner.rng.uniform(0, 0.9) + planner.rng.normal(0, 0.08, 5), 0, 1)
        way = float(planner.rng.uniform(0.6, 1.1)) * planner.pace
        planner.add(side, "gesture", way, to=pose, closure=fingers)
    planner.retreat(side)
    return _told(planner, move, (side,), begin_s=begin)


def _holders(planner: Planner, name: str) -> tuple[str, ...]:
    return tuple(side for side in SIDES if planner.held.get(side, ("",))[0] == name)


def _join(planner: Planner, move: Move, begin_s: float) -> None:
    """The hand that holds nothing takes hold of what the other keeps still."""
    guest, name = OTHER[move.arm], move.thing
    planner.look(begin_s - 0.2, planner.where[name].translation)
    planner.wait(guest, begin_s)
    took = planner.take(guest, name, planner.grasp(guest, name))
    for side in SIDES:
        planner.wait(side, took.end_s + 0.15)


def _turn_about(planner: Planner, name: str, begin_s: float) -> None:
    """Two turns about different axes through the thing, out and back, with a little shift."""
    sides = _holders(planner, name)
    for side in SIDES:
        planner.wait(side, begin_s)
    for k in planner.rng.permutation(3)[:2]:
        size = float(planner.rng.choice([-1.0, 1.0]) * planner.rng.uniform(0.5, 1.0))
        shift = planner.rng.uniform(-SHIFT_M, SHIFT_M, 3)
        for share in (1.0, -1.7, 0.7):
            angle = size * share * MOST_TURN_RAD
            centre = planner.where[name].translation
            arc = Arc(centre, TURNS[int(k)], angle, shift=share * shift)
            way = float((0.45 + 0.45 * abs(angle)) * planner.rng.uniform(0.9, 1.2) * planner.pace)
            for side in sides:
                contact = planner.held[side][1].contact
                planner.add(side, "turn", way, thing=name, contact=contact, arc=arc)
            planner.where[name] = arc.carry(planner.where[name], np.array(1.0))


def _told(planner: Planner, move: Move, sides: tuple[str, ...], *, begin_s: float) -> float:
    """A label for each arm that took part; gives when the last of them is free."""
    end = max(planner.free_at(side) for side in sides)
    planner.labels += [
        Label(side, begin_s, end, move.text, move.verb, move.object) for side in sides
    ]
    return end


TWO_HANDED: dict[str, Callable[[Planner, Move, float], float]] = {
    "lift": lift,
    "turn": turn,
    "give": give,
    "together": together,
    "down": down,
    "cross": cross,
    "away": away,
    "show": show,
}
