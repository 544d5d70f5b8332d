"""A robot's tools as the planner sees them: from above, jaws square to what they take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from sim.hand.grasp import CLEARANCE_M, Grasp, turn_to_faces
from sim.robots.builds import Build
from sim.tasks.things import Thing

Array = NDArray[np.float64]

PITCH = float(np.radians(68.0))
SQUEEZE_M = 0.012  # jaws are told to close this much further than the thing is wide
BESIDE_M = 0.002  # between closed jaws and what they will push


@dataclass(frozen=True)
class Gripper:
    """A robot's two tools, as the planner sees them (`sim.motion.plan.Body`)."""

    build: Build
    pace: float = 1.15
    above_m: float = 0.07

    def rest(self, side: str, rng: np.random.Generator) -> tuple[SE3, Array]:
        """Over its own half of the desk, jaws open."""
        sign = 1.0 if side == "left" else -1.0
        place = np.array([0.20, sign * 0.19, 0.17]) + rng.normal(0, 0.01, 3)
        return SE3(tool_rotation(side, -sign * 0.2, PITCH), place), np.zeros(1)

    def grasp(
        self, thing: Thing, desk_from_thing: SE3, *, side: str, rng: np.random.Generator
    ) -> Grasp:
        """From above, jaws square to the sides of a box."""
        centre = desk_from_thing.translation
        yaw = self._yaw(side, centre)
        if thing.parts[0].shape == "box":
            jaw = tool_rotation(side, yaw, PITCH)[:, 2]
            yaw += turn_to_faces(jaw, desk_from_thing.rotation, thing.half)
        width = 2 * min(thing.half[0], thing.half[1])
        jaws = self.build.jaws
        if width > jaws.width_m - 0.004:
            raise BadInputError(
                f"{self.build.name}: {thing.name} is {width * 1e3:.0f} mm wide, the jaws open "
                f"{jaws.width_m * 1e3:.0f}"
            )
        rotation = tool_rotation(side, yaw, PITCH + float(rng.normal(0, 0.04)))
        depth = jaws.tip_m * np.sin(PITCH) + jaws.half_width_m * np.cos(PITCH) + CLEARANCE_M
        position = np.array([centre[0], centre[1], max(centre[2], depth)])
        pose = SE3(rotation, position)
        closed = np.array([min(1.0, 1.0 - (width - SQUEEZE_M) / jaws.width_m)])
        return Grasp(pose, closed, np.zeros(1), np.ones(1, bool), pose.inverse() @ desk_from_thing)

    def press(
        self, thing: Thing, desk_from_thing: SE3, *, side: str, rng: np.random.Generator
    ) -> Grasp:
        """Closed jaws beside a hinged thing; they go round with it but keep pointing down."""
        assert thing.hinge is not None
        spot = desk_from_thing.apply(np.array(thing.hinge.press))
        spot = spot + (self.build.jaws.thickness_m + BESIDE_M) * desk_from_thing.rotation[:, 2]
        rotation = tool_rotation(side, self._yaw(side, spot), PITCH + float(rng.normal(0, 0.03)))
        pose, closed = SE3(rotation, spot), np.ones(1)
        thing_in_hand = pose.inverse() @ desk_from_thing
        return Grasp(pose, closed, closed, np.ones(1, bool), thing_in_hand, share=0.0)

    def _yaw(self, side: str, centre: Array) -> float:
        sign = 1.0 if side == "left" else -1.0
        base = np.array([self.build.base[0], sign * self.build.base[1]])
        way = centre[:2] - base
        return float(np.clip(np.arctan2(way[1], way[0]), -1.0, 1.0))


def tool_rotation(side: str, yaw: float, pitch: float) -> Array:
    """A tool that points ``pitch`` down, its jaw axis level."""
    sign = 1.0 if side == "left" else -1.0
    neutral = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -sign], [0.0, sign, 0.0]])
    return np.asarray(matrix_from_ypr(yaw, pitch, 0.0) @ neutral)
