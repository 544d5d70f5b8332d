"""What drives a robot here: it is shown an observation and answers with targets for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.geometry.se3 import SE3
from sim.robots.builds import SIDES, Build
from sim.robots.workcell import Body, Command, Workcell, blend
from sim.tasks.task import Task

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False, kw_only=True)
class Observation:
    """What a robot knows at a tick, as its dataset would have it.

    bodies: its postures at every tick so far, now last.  images: RGB (H, W, 3) per camera; empty
    for a controller that wants none.  subtasks: per side what is to be done next, "" for nothing.
    """

    fps: int
    bodies: tuple[Body, ...]
    images: dict[str, Image]
    task: str
    subtasks: dict[str, str]

    @property
    def body(self) -> Body:
        """Now."""
        return self.bodies[-1]


@dataclass(frozen=True, eq=False, kw_only=True)
class Targets:
    """A chunk: where tools, jaws and base shall be. H steps, desk frame.

    seconds: (H,) after the observation, rising.  world_from_tool: (H,) per side.  closed: (H,).
    world_from_base: (H,).
    """

    seconds: Array
    world_from_tool: dict[str, SE3]
    closed: dict[str, Array]
    world_from_base: SE3

    def at(self, seconds: float, start: Command) -> Command:
        """The command for an instant: between steps, from ``start`` at 0; the last is kept."""
        times = np.concatenate([[0.0], self.seconds])
        k = int(np.clip(np.searchsorted(times, seconds - 1e-9), 1, len(self.seconds)))
        share = float(np.clip((seconds - times[k - 1]) / (times[k] - times[k - 1]), 0.0, 1.0))

        def between(first: SE3, poses: SE3) -> SE3:
            return blend(first if k == 1 else poses[k - 2], poses[k - 1], share)

        closed = {}
        for side in SIDES:
            low = start.closed[side] if k == 1 else float(self.closed[side][k - 2])
            closed[side] = low + share * (float(self.closed[side][k - 1]) - low)
        tools = {s: between(start.world_from_tool[s], self.world_from_tool[s]) for s in SIDES}
        return Command(tools, closed, between(start.world_from_base, self.world_from_base))


class Controller(Protocol):
    """A policy at work. sees: whether it wants pictures.  size_wh: how large it wants them."""

    sees: bool

    def act(self, observation: Observation) -> Targets:
        """What to do from now on."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Setting:
    """What a controller may know when an episode begins. cell: the truth, for experts alone."""

    task: Task
    build: Build
    fps: int
    cell: Workcell
    rng: np.random.Generator


MakeController = Callable[[Setting], Controller]


def standing(body: Body) -> Command:
    """The command to stay as one is."""
    tools = {side: body.world_from_base @ body.base_from_tool[side] for side in SIDES}
    return Command(tools, dict(body.closed), body.world_from_base)


class Aimless:
    """Random chunks: tools to anywhere over the desk, jaws to any opening. The floor of a score."""

    sees = False

    def __init__(self, setting: Setting) -> None:
        self._rng, self._fps = setting.rng, setting.fps

    def act(self, observation: Observation) -> Targets:
        """A second towards a random place, half of it done before the next one."""
        now = standing(observation.body)
        steps = self._fps
        shares = np.arange(1, steps + 1) / steps
        tools, closed = {}, {}
        for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
            low, high = np.array([0.12, sign * -0.05, 0.01]), np.array([0.42, sign * 0.38, 0.20])
            start = now.world_from_tool[side]
            goal = SE3(
                start.rotation, self._rng.uniform(np.minimum(low, high), np.maximum(low, high))
            )
            tools[side] = SE3.stack([blend(start, goal, float(share)) for share in shares])
            closed[side] = np.full(steps, float(self._rng.random()))
        base = SE3.stack([now.world_from_base] * steps)
        return Targets(seconds=shares, world_from_tool=tools, closed=closed, world_from_base=base)
