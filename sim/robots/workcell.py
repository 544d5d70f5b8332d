"""A robot at the desk, as it really goes: joints with limits and speeds, jaws that hold or do not.

Commands are wanted poses; what happens is decided here, fifty times a second. Arms and open jaws
pass through things and each other: only closing jaws move things, and only they hold them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import (
    matrix_from_quat_wxyz,
    matrix_from_ypr,
    quat_wxyz_from_matrix,
    slerp,
    ypr_from_matrix,
)
from core.geometry.se3 import SE3
from sim.robots.arms import Arms
from sim.robots.builds import SIDES, Build
from sim.robots.contact import NEAR_M, fingers, resting_height, touch, upright
from sim.tasks.task import Task
from sim.tasks.things import Thing, hinge_angle, thing_distance

Array = NDArray[np.float64]

STEP_S = 0.02
IK_TRIES = 6  # per step, from where the joints are
JAW_SPEED_M_S = 0.30  # of the opening
JAW_STEP_M = 0.001
LET_GO_M = 0.0008  # a pad this far off a thing no longer holds it
GRAVITY_M_S2 = 9.81
OVER_DESK_M = 0.001  # finger tips stay this far above the desk
BASE_SPEED = (0.5, 1.2)  # m/s, rad/s
BASE_FARTHEST_X = 0.02  # the desk stops it
HINGE_STEP_RAD = float(np.radians(0.5))
HINGE_MOST_STEPS = 24
DROPPED_M = 0.05  # let go higher than this over what it lands on


@dataclass(frozen=True, eq=False)
class Body:
    """A robot's posture. base_from_tool, joints (6,), speeds (6,) per second, closed 0…1: per side.

    world_from_base: the desk frame is the world.
    """

    base_from_tool: dict[str, SE3]
    joints: dict[str, Array]
    speeds: dict[str, Array]
    closed: dict[str, float]
    world_from_base: SE3


@dataclass(frozen=True, eq=False)
class Command:
    """Where tools, jaws and base shall be one tick from now. Tools in the desk frame."""

    world_from_tool: dict[str, SE3]
    closed: dict[str, float]
    world_from_base: SE3


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that moves at one instant. joints, jaws' width_m: per side.  poses: desk frame."""

    joints: dict[str, Array]
    width_m: dict[str, float]
    world_from_base: SE3
    poses: dict[str, SE3]


@dataclass
class Item:
    """A thing that can move: where it is, who holds it, how fast it falls onto what height."""

    thing: Thing
    pose: SE3
    holder: str | None = None
    tool_from_thing: SE3 | None = None
    falls_to: float | None = None
    speed: float = 0.0
    rested: tuple[str, ...] = ()


class Workcell:
    """One robot, one desk, one task's things."""

    def __init__(self, task: Task, build: Build, *, base: SE3 | None = None) -> None:
        self.task, self.build = task, build
        self.arms = Arms(build)
        self.base = SE3.identity() if base is None else base
        self.items = {t.name: Item(t, t.desk_from_thing()) for t in task.things if t.movable}
        self.fixed = [(t, t.desk_from_thing()) for t in task.things if not t.movable]
        self.width = dict.fromkeys(SIDES, build.jaws.width_m)
        self._speeds = {side: np.zeros(6) for side in SIDES}
        self._commanded = {side: self.base @ self.arms.tool(side) for side in SIDES}
        self.seconds = 0.0
        self.grasps = self.drops = 0

    def body(self) -> Body:
        """As everything stands."""
        return Body(
            {side: self.arms.tool(side) for side in SIDES},
            {side: self.arms.joints(side) for side in SIDES},
            {side: self._speeds[side].copy() for side in SIDES},
            {side: 1.0 - self.width[side] / self.build.jaws.width_m for side in SIDES},
            self.base,
        )

    def snapshot(self) -> Snapshot:
        """What a camera could see of it."""
        poses = {name: item.pose for name, item in self.items.items()}
        joints = {side: self.arms.joints(side) for side in SIDES}
        return Snapshot(joints, dict(self.width), self.base, poses)

    def tool(self, side: str) -> SE3:
        """desk_from_tool."""
        return self.base @ self.arms.tool(side)

    def held_by(self, side: str) -> str | None:
        """The thing an arm holds."""
        return next((n for n, item in self.items.items() if item.holder == side), None)

    def step(self, command: Command, dt_s: float) -> None:
        """Let time pass while the robot follows a command."""
        count = max(1, round(dt_s / STEP_S))
        dt = dt_s / count
        begin = dict(self._commanded)
        before = {side: self.arms.joints(side) for side in SIDES}
        for k in range(count):
            self._drive(command.world_from_base, dt)
            for side in SIDES:
                goal = blend(begin[side], command.world_from_tool[side], (k + 1) / count)
                self._move(side, goal, dt)
                self._squeeze(side, command.closed[side], dt)
            self._carry()
            for item in self.items.values():
                self._fall(item, dt)
        self._commanded = dict(command.world_from_tool)
        self._speeds = {s: (self.arms.joints(s) - before[s]) / dt_s for s in SIDES}
        self.seconds += dt_s

    def _drive(self, goal: SE3, dt: float) -> None:
        """Wheels roll forwards and turn; they do not slip sideways."""
        if not self.build.mobile:
            return
        heading = float(ypr_from_matrix(self.base.rotation)[0])
        wanted = float(ypr_from_matrix(goal.rotation)[0])
        turn = (wanted - heading + np.pi) % (2 * np.pi) - np.pi
        turn = float(np.clip(turn, -BASE_SPEED[1] * dt, BASE_SPEED[1] * dt))
        ahead = np.array([np.cos(heading + turn / 2), np.sin(heading + turn / 2), 0.0])
        way = float((goal.translation - self.base.translation) @ ahead)
        way = float(np.clip(way, -BASE_SPEED[0] * dt, BASE_SPEED[0] * dt))
        place = self.base.translation + way * ahead
        place[0] = min(place[0], BASE_FARTHEST_X)
        self.base = SE3(matrix_from_ypr(heading + turn, 0.0, 0.0), place)

    def _move(self, side: str, goal: SE3, dt: float) -> None:
        """Towards a pose as joints' limits and speeds allow; the desk stops the fingers."""
        tips = goal.apply(fingers(self.build.jaws, self.width[side]))
        lift = max(0.0, OVER_DESK_M - float(tips[:, 2].min()))
        goal = SE3(goal.rotation, goal.translation + np.array([0.0, 0.0, lift]))
        start = self.arms.joints(side)
        self.arms.approach(side, self.base.inverse() @ goal, tries=IK_TRIES)
        wish = self.arms.joints(side) - start
        share = float(np.max(np.abs(wish) / (self.build.speeds * dt), initial=1.0))
        self.arms.set_joints(side, start + wish / share)

    def _squeeze(self, side: str, closed: float, dt: float) -> None:
        """Jaws go towards what is asked of them, and stop at what they hold."""
        wanted = self.build.jaws.width_m * (1.0 - float(np.clip(closed, 0.0, 1.0)))
        most = JAW_SPEED_M_S * dt
        if wanted >= self.width[side]:
            self.width[side] = min(wanted, self.width[side] + most)
            self._maybe_let_go(side)
            return
        while most > 1e-9 and self.width[side] > wanted and self.held_by(side) is None:
            self.width[side] = max(wanted, self.width[side] - min(JAW_STEP_M, most))
            most -= JAW_STEP_M
            self._meet(side)

    def _meet(self, side: str) -> None:
        """What closing jaws touch: from one side it slides along, from both it is held."""
        tool, jaws = self.tool(side), self.build.jaws
        for item in self.items.values():
            way = float(np.linalg.norm(item.pose.translation - tool.translation))
            near = way < np.linalg.norm(item.thing.half) + NEAR_M
            if item.holder or item.falls_to is not None or item.thing.hinge or not near:
                continue
            found = touch(
                item.thing, item.pose.inverse() @ tool, jaws=jaws, width_m=self.width[side]
            )
            if found.both:
                if found.opposed:
                    item.holder, item.tool_from_thing = side, tool.inverse() @ item.pose
                    self.grasps += 1
                    return
            elif (found.gap < 0).any():
                pad = int(found.gap.argmin())
                push = tool.rotation[:, 2] * [1.0, 1.0, 0.0] * (-1.0 if pad == 0 else 1.0)
                place = item.pose.translation - float(found.gap.min()) * push
                item.pose = SE3(item.pose.rotation, place)

    def _maybe_let_go(self, side: str) -> None:
        name = self.held_by(side)
        if name is None:
            return
        item = self.items[name]
        tool = self.tool(side)
        thing_from_tool, width = item.pose.inverse() @ tool, self.width[side]
        found = touch(item.thing, thing_from_tool, jaws=self.build.jaws, width_m=width)
        if found.gap.max() < LET_GO_M:
            return
        item.holder = item.tool_from_thing = None
        item.pose = upright(item.pose)
        others = [(o.thing, o.pose) for n, o in self.items.items() if n != name and not o.holder]
        item.falls_to = resting_height(item.thing, item.pose, [*self.fixed, *others])
        self.drops += bool(item.pose.translation[2] - item.falls_to > DROPPED_M)

    def _carry(self) -> None:
        """Held things go with their tool; fingers push hinged ones round."""
        for item in self.items.values():
            if item.holder and item.tool_from_thing is not None:
                item.pose = self.tool(item.holder) @ item.tool_from_thing
            elif item.thing.hinge:
                for side in SIDES:
                    self._push_round(item, side)

    def _push_round(self, item: Item, side: str) -> None:
        """Turn a hinged thing as far as fingers stand in its way, one way or the other."""
        tool = self.tool(side)
        size = float(np.linalg.norm(item.thing.half))
        if np.linalg.norm(tool.translation - item.pose.translation) > size + NEAR_M:
            return
        points = tool.apply(fingers(self.build.jaws, self.width[side]))
        now = float(hinge_angle(item.thing, item.pose))
        if _depth(item.thing, now, points) >= 0:
            return
        assert item.thing.hinge is not None
        for k in range(1, HINGE_MOST_STEPS):
            for sign in (-1.0, 1.0):
                angle = now + sign * k * HINGE_STEP_RAD
                inside = 0.0 <= angle <= item.thing.hinge.start_rad
                if inside and _depth(item.thing, angle, points) >= 0:
                    item.pose = turned(item.thing, angle)
                    return

    def _fall(self, item: Item, dt: float) -> None:
        if item.falls_to is None:
            return
        item.speed += GRAVITY_M_S2 * dt
        height = float(item.pose.translation[2]) - item.speed * dt
        landed = height <= item.falls_to
        place = np.array([*item.pose.translation[:2], item.falls_to if landed else height])
        item.pose = SE3(item.pose.rotation, place)
        if landed:
            item.falls_to, item.speed = None, 0.0
            item.rested = (*item.rested, container_of(item.thing, item.pose, self.fixed))


def turned(thing: Thing, angle_rad: float) -> SE3:
    """Where a hinged thing is at an angle."""
    assert thing.hinge is not None
    return replace(thing, hinge=replace(thing.hinge, start_rad=angle_rad)).desk_from_thing()


def _depth(thing: Thing, angle_rad: float, points: Array) -> float:
    """Distance of the nearest point (N, 3) from a hinged thing at an angle; < 0: inside."""
    return float(thing_distance(turned(thing, angle_rad).inverse().apply(points), thing).min())


def blend(start: SE3, end: SE3, share: float) -> SE3:
    """Between two poses: linear and slerp."""
    quats = [quat_wxyz_from_matrix(pose.rotation)[None] for pose in (start, end)]
    quat = slerp(quats[0], quats[1], np.array([share]))[0]
    place = start.translation + share * (end.translation - start.translation)
    return SE3(matrix_from_quat_wxyz(quat), place)


def container_of(thing: Thing, pose: SE3, fixed: list[tuple[Thing, SE3]]) -> str:
    """The open container a thing lies in: its origin over the floor, its bottom below the rim.

    "" for the desk.
    """
    bottom = float(pose.apply(_corners(thing))[:, 2].min())
    for other, where in fixed:
        if not _is_container(other):
            continue
        x, y, z = where.inverse().apply(pose.translation)
        low = bottom - float(where.translation[2])
        inside = abs(x) <= other.half[0] and abs(y) <= other.half[1]
        if inside and z > 0 and -0.005 <= low <= 2 * other.half[2]:
            return other.name
    return ""


def _is_container(thing: Thing) -> bool:
    """A floor and at least three walls."""
    return len(thing.parts) >= 4


def _corners(thing: Thing) -> Array:
    signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), -1).reshape(-1, 3)
    return np.asarray(signs * np.array(thing.half))
