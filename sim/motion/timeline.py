"""Timelines: what an arm does step by step, who holds a thing when, and where that puts them.

Human hands and robot grippers share these: an arm is a chain of smooth steps of its end-effector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import (
    matrix_from_quat_wxyz,
    matrix_from_rotvec,
    quat_wxyz_from_matrix,
    slerp,
)
from core.geometry.se3 import SE3
from sim.motion.tracks import minimum_jerk

Array = NDArray[np.float64]
I64 = NDArray[np.int64]

LIFT_M = {"reach": 0.045, "move": 0.085, "retreat": 0.03}
STILL = {"grasp", "release", "miss", "hold", "turn", "close", "open"}
TOUCHING = {"move", "adjust", "hold", "turn", "close", "open"}
OPEN_BY = 0.7  # fingers are open after this share of a reach


@dataclass(frozen=True, eq=False)
class Arc:
    """A turn about a line: how what hinges moves, and the hand that pushes it. Desk frame, radians.

    centre, axis: (3,), the line.  angle: at the end.  share: how much of it the body itself turns
    while its origin goes round (1: as if glued to what hinges).  shift: (3,) metres on the way.
    """

    centre: Array
    axis: Array
    angle: float
    share: float = 1.0
    shift: Array = field(default_factory=lambda: np.zeros(3))

    def carry(self, desk_from_body: SE3, fraction: Array) -> SE3:
        """The body (T) after each share (T,) of the way, from where it was at the beginning."""
        turn = self.angle * fraction[..., None] * self.axis
        arm = desk_from_body.translation - self.centre
        position = self.centre + (matrix_from_rotvec(turn) @ arm[:, None])[..., 0]
        position = position + fraction[..., None] * self.shift
        return SE3(matrix_from_rotvec(self.share * turn) @ desk_from_body.rotation, position)


@dataclass(frozen=True, eq=False)
class Step:
    """One smooth motion of one arm, seconds from the start of the take. K: fingers (5), jaws (1).

    kind: reach, grasp, move, release, retreat, rest; hesitate, miss, adjust; close, open; hold,
    turn; gesture.  desk_from_hand: at its start and end (robot: desk_from_tool).  closure: (K,) at
    its start and end.  thing: what it is about, if anything.  contact: (K,) what touches the thing
    at the end.  arc: the way, when not straight.
    """

    kind: str
    start_s: float
    end_s: float
    desk_from_hand: tuple[SE3, SE3]
    closure: tuple[Array, Array]
    thing: str | None = None
    contact: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(5, bool))
    arc: Arc | None = None


@dataclass(frozen=True, eq=False)
class Hold:
    """A thing from an instant on: at rest (``arm`` None, pose desk_from_thing), held rigidly in an
    arm (pose hand_from_thing; ``also``: the other holds it too), or on its hinge until
    ``end_s`` (``arc``, pose at its start).
    """

    start_s: float
    arm: str | None
    pose: SE3
    also: str | None = None
    arc: Arc | None = None
    end_s: float = 0.0

    def at(self, seconds: Array) -> SE3:
        """desk_from_thing (T) while no arm holds it."""
        if self.arc is None:
            return self.pose
        length = max(self.end_s - self.start_s, 1e-9)
        return self.arc.carry(self.pose, minimum_jerk((seconds - self.start_s) / length))


@dataclass(frozen=True, eq=False)
class Whereabouts:
    """Where in a chain of steps each of T instants falls. index, fraction: (T,)."""

    steps: Sequence[Step]
    seconds: Array
    index: I64
    fraction: Array

    @classmethod
    def find(cls, steps: Sequence[Step], seconds: Array) -> Whereabouts:
        """Look up instants (T,)."""
        ends = np.array([step.end_s for step in steps])
        starts = np.array([step.start_s for step in steps])
        index = np.clip(np.searchsorted(ends, seconds, "right"), 0, len(steps) - 1)
        length = np.maximum(ends[index] - starts[index], 1e-9)
        return cls(steps, seconds, index, np.clip((seconds - starts[index]) / length, 0.0, 1.0))

    def kinds(self) -> NDArray[np.str_]:
        """(T,) what is being done."""
        return np.array([step.kind for step in self.steps])[self.index]

    def path(self) -> SE3:
        """desk_from_hand (T): minimum jerk, lifted in the middle of a way."""
        start = SE3.stack([step.desk_from_hand[0] for step in self.steps])[self.index]
        end = SE3.stack([step.desk_from_hand[1] for step in self.steps])[self.index]
        lift = np.array([LIFT_M.get(step.kind, 0.0) for step in self.steps])[self.index]
        s = minimum_jerk(self.fraction)
        position = start.translation + s[:, None] * (end.translation - start.translation)
        position[:, 2] += lift * np.sin(np.pi * s) ** 2
        quat = slerp(quat_wxyz_from_matrix(start.rotation), quat_wxyz_from_matrix(end.rotation), s)
        rotation = matrix_from_quat_wxyz(quat)
        for k in np.unique(self.index):
            step, mine = self.steps[k], self.index == k
            if step.arc is not None:
                around = step.arc.carry(step.desk_from_hand[0], s[mine])
                rotation[mine], position[mine] = around.rotation, around.translation
        return SE3(rotation, position)

    def liveliness(self) -> Array:
        """(T,) 0 where a hand must hold still (ends of steps, grasping), up to 1 between."""
        calm = np.isin(self.kinds(), list(STILL))
        return np.where(calm, 0.0, np.sin(np.pi * self.fraction) ** 2)

    def closure(self) -> Array:
        """(T, K): fingers open early in a reach and close late in a grasp."""
        start = np.stack([step.closure[0] for step in self.steps])[self.index]
        end = np.stack([step.closure[1] for step in self.steps])[self.index]
        early = np.isin(self.kinds(), ["reach", "release"])
        s = minimum_jerk(np.where(early, self.fraction / OPEN_BY, self.fraction))[:, None]
        return np.asarray(start + s * (end - start))

    def contact(self) -> NDArray[np.bool_]:
        """(T, K): what touches a thing, while it is carried or pushed."""
        carried = np.isin(self.kinds(), list(TOUCHING))
        return np.stack([step.contact for step in self.steps])[self.index] & carried[:, None]

    def touching(self) -> NDArray[np.object_]:
        """(T,) the thing in contact, or None."""
        named = np.array([step.thing for step in self.steps], dtype=object)[self.index]
        return np.where(self.contact().any(1), named, None)


def _hold_at(holds: Sequence[Hold], seconds: Array) -> I64:
    begin = np.array([hold.start_s for hold in holds])
    return np.clip(np.searchsorted(begin, seconds, "right") - 1, 0, None)


def thing_path(holds: Sequence[Hold], seconds: Array, arm_pose: Callable[[str, Array], SE3]) -> SE3:
    """desk_from_thing (T). arm_pose: desk_from_hand (T) of an arm at given seconds."""
    index = _hold_at(holds, seconds)
    rotation, position = np.empty((len(seconds), 3, 3)), np.empty((len(seconds), 3))
    for k in np.unique(index):
        mine, hold = index == k, holds[k]
        at = seconds[mine]
        pose = hold.at(at) if hold.arm is None else arm_pose(hold.arm, at) @ hold.pose
        rotation[mine], position[mine] = pose.rotation, pose.translation
    return SE3(rotation, position)


def holder(holds: Sequence[Hold], seconds: Array) -> NDArray[np.object_]:
    """(T,) "left", "right", "both" or None: which arm holds the thing."""
    names = np.array(["both" if hold.also else hold.arm for hold in holds], dtype=object)
    return np.asarray(names[_hold_at(holds, seconds)])
