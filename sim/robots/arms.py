"""A robot's arms as kinematics: where the tools are for given joints, and the other way round.

Everything is in the robot's base frame. Nothing is drawn and nothing is simulated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import HandoffError
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from sim.robots.builds import JOINTS_PER_ARM, SIDES, Build, robot_xml
from sim.scene.render import load_mujoco

Array = NDArray[np.float64]

REACHED = 5e-3  # metres + radians: closer is there
CLOSE_ENOUGH = 1e-6


class Arms:
    """Both arms' joints. Starts in the neutral posture."""

    def __init__(self, build: Build) -> None:
        mujoco = load_mujoco()
        self.build = build
        body = robot_xml(build)
        self._model = mujoco.MjModel.from_xml_string(
            f'<mujoco><compiler angle="radian"/><worldbody>{body}</worldbody></mujoco>'
        )
        self._data = mujoco.MjData(self._model)
        numbers = range(1, JOINTS_PER_ARM + 1)
        joints = {s: [self._model.joint(f"{s}_{n}") for n in numbers] for s in SIDES}
        self._at = {side: [int(j.qposadr[0]) for j in joints[side]] for side in SIDES}
        self._dofs = {side: [int(j.dofadr[0]) for j in joints[side]] for side in SIDES}
        self._site = {side: int(self._model.site(f"{side}_tool").id) for side in SIDES}
        self._limits = {side: build.limits(side) for side in SIDES}
        for side in SIDES:
            self.set_joints(side, build.neutral(side))

    def set_joints(self, side: str, positions: Array) -> None:
        """Set six joints, rad or m, within their limits."""
        self._data.qpos[self._at[side]] = np.clip(positions, *self._limits[side])

    def joints(self, side: str) -> Array:
        """Six joint positions, rad or m."""
        return np.array(self._data.qpos[self._at[side]])

    def tool(self, side: str) -> SE3:
        """base_from_tool as the joints are."""
        load_mujoco().mj_kinematics(self._model, self._data)
        site = self._site[side]
        rotation = np.array(self._data.site_xmat[site]).reshape(3, 3)
        return SE3(rotation, np.array(self._data.site_xpos[site]))

    def approach(self, side: str, base_from_tool: SE3, *, tries: int = 25) -> float:
        """Bring the tool as near to a pose as limits allow, from where the joints are.

        Damped least squares; gives the error left (metres + radians).
        """
        left = self._error(side, base_from_tool)
        for _ in range(tries):
            if np.linalg.norm(left) < CLOSE_ENOUGH:
                break
            self.set_joints(side, self.joints(side) + self._step(side, left))
            left = self._error(side, base_from_tool)
        return float(np.linalg.norm(left))

    def reach(self, side: str, base_from_tool: SE3) -> float:
        """Solve the joints for a pose, from where they are or else from the neutral posture.

        Gives the error left; HandoffError when the pose is out of reach.
        """
        left = self.approach(side, base_from_tool, tries=200)
        if left > REACHED:
            self.set_joints(side, self.build.neutral(side))
            left = self.approach(side, base_from_tool, tries=300)
        if left > REACHED:
            where = np.round(base_from_tool.translation, 3).tolist()
            raise HandoffError(
                f"{self.build.name}: the {side} arm cannot reach {where} (error {left:.3f})"
            )
        return left

    def _error(self, side: str, wanted: SE3) -> Array:
        here = self.tool(side)
        turn = _turn(wanted.rotation @ here.rotation.T)
        return np.concatenate([wanted.translation - here.translation, turn])

    def _step(self, side: str, error: Array) -> Array:
        mujoco = load_mujoco()
        jac = np.zeros((6, self._model.nv))
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, jac[:3], jac[3:], self._site[side])
        part = self._free(side, jac[:, self._dofs[side]], error)
        damping = 1e-8 + 0.02 * min(float(np.linalg.norm(error)), 0.05)
        step = part.T @ np.linalg.solve(part @ part.T + damping * np.eye(6), error)
        return np.asarray(step * min(1.0, 0.35 / max(float(np.abs(step).max()), 1e-9)))

    def _free(self, side: str, jacobian: Array, error: Array) -> Array:
        """The Jacobian (6, 6) without joints that stand at a limit and would go beyond it."""
        low, high = self._limits[side]
        now, pull = self.joints(side), jacobian.T @ error
        stuck = ((now <= low + 1e-9) & (pull < 0)) | ((now >= high - 1e-9) & (pull > 0))
        return np.asarray(jacobian * ~stuck)


def _turn(rotation: Array) -> Array:
    """Rotation vector (3,) of one matrix: what `rotvec_from_matrix` gives, ten times faster."""
    cosine = 0.5 * (np.trace(rotation) - 1.0)
    if cosine < -0.9:
        return np.asarray(rotvec_from_matrix(rotation))
    skew = 0.5 * (rotation - rotation.T)
    axis = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
    sine = float(np.linalg.norm(axis))
    return np.asarray(axis * (np.arctan2(sine, cosine) / sine if sine > 1e-12 else 1.0))
