"""Two-arm robots: a procedural MJCF of two 6-joint arms with parallel jaws, and their kinematics.

Tool frame (the palm's meaning): x approach, z jaw axis, thumb side up in the neutral posture: with
the forearm level and forward, y points down on the right arm and up on the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, HandoffError
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3

Array = NDArray[np.float64]

SIDES = ("left", "right")
JAW_M = 0.080  # widest opening
TIP_M = 0.010  # jaws reach this far beyond the tool point
JOINTS_PER_ARM = 6
NEUTRAL = np.array([0.0, -0.35, 0.55, 0.0, 0.95, 0.0])
TOOL_QUAT = {"left": "0.70710678 0.70710678 0 0", "right": "0.70710678 -0.70710678 0 0"}


@dataclass(frozen=True)
class ArmStyle:
    """One robot. upper, fore: lengths of the two long links; tool: wrist to tool point; metres.

    base: where the left arm stands, desk frame (the right one mirrored in y).  shoulder: height.
    """

    name: str
    upper: float
    fore: float
    tool: float
    base: tuple[float, float]
    shoulder: float
    radius: float
    link_rgb: tuple[float, float, float]
    joint_rgb: tuple[float, float, float]


STYLES: dict[str, ArmStyle] = {
    "alder": ArmStyle(
        "alder", 0.30, 0.28, 0.17, (-0.02, 0.27), 0.13, 0.028, (0.72, 0.73, 0.74), (0.2, 0.35, 0.6)
    ),
    "birch": ArmStyle(
        "birch", 0.36, 0.34, 0.15, (-0.10, 0.22), 0.20, 0.022, (0.13, 0.13, 0.14), (0.6, 0.6, 0.62)
    ),
    "cedar": ArmStyle(
        "cedar", 0.27, 0.30, 0.20, (0.04, 0.34), 0.10, 0.036, (0.88, 0.45, 0.12), (0.15, 0.15, 0.16)
    ),
}


def find_style(name: str) -> ArmStyle:
    """A robot by name; BadInputError lists the names there are."""
    if name not in STYLES:
        raise BadInputError(f"no robot {name!r}; there are: {', '.join(STYLES)}")
    return STYLES[name]


def _rgba(rgb: tuple[float, float, float]) -> str:
    return f'rgba="{rgb[0]} {rgb[1]} {rgb[2]} 1"'


def _capsule(end: tuple[float, float, float], radius: float, look: str) -> str:
    x, y, z = end
    return (
        f'<geom type="capsule" fromto="0 0 0 {x:.4f} {y:.4f} {z:.4f}" size="{radius:.4f}" {look}/>'
    )


def arm_xml(style: ArmStyle, side: str, *, wrist_fov_y: float) -> str:
    """Bodies of one arm for a scene's worldbody."""
    sign = 1.0 if side == "left" else -1.0
    link, joint, r = _rgba(style.link_rgb), _rgba(style.joint_rgb), style.radius
    first, second = 0.55 * style.fore, 0.45 * style.fore
    knob = f'<geom type="sphere" size="{1.25 * r:.4f}" {joint}/>'

    def hinge(number: int, axis: str) -> str:
        return f'<joint name="{side}_{number}" type="hinge" axis="{axis}" range="-3.1 3.1"/>'

    palm = style.tool - 0.055
    jaws = "".join(
        f'<body name="{side}_jaw_{n}" pos="{palm:.4f} 0 0">'
        f'<joint name="{side}_jaw_{n}" type="slide" axis="0 {s} 0" range="0 {JAW_M / 2}"/>'
        f'<geom type="box" size="0.034 0.005 0.010" pos="0.031 {s * 0.005} 0" {joint}/></body>'
        for n, s in (("a", 1), ("b", -1))
    )
    return (
        f'<body name="{side}_base" pos="{style.base[0]} {sign * style.base[1]} 0">'
        f'<geom type="cylinder" size="{2.2 * r:.4f} 0.02" pos="0 0 0.02" {joint}/>'
        f'<body pos="0 0 0.04">{hinge(1, "0 0 1")}'
        f"{_capsule((0, 0, style.shoulder - 0.04), 1.2 * r, link)}"
        f'<body pos="0 0 {style.shoulder - 0.04:.4f}">{hinge(2, "0 1 0")}{knob}'
        f"{_capsule((0, 0, style.upper), r, link)}"
        f'<body pos="0 0 {style.upper}">{hinge(3, "0 1 0")}{knob}'
        f"{_capsule((first, 0, 0), r, link)}"
        f'<body pos="{first:.4f} 0 0">{hinge(4, "1 0 0")}'
        f"{_capsule((second, 0, 0), 0.85 * r, link)}"
        f'<body pos="{second:.4f} 0 0">{hinge(5, "0 1 0")}{knob}'
        f'<body name="{side}_wrist">{hinge(6, "1 0 0")}'
        f"{_capsule((palm - 0.03, 0, 0), 0.7 * r, link)}"
        f'<geom type="box" size="0.016 0.045 0.018" pos="{palm - 0.014:.4f} 0 0" {link}/>{jaws}'
        f'<site name="{side}_tool" pos="{style.tool} 0 0" quat="{TOOL_QUAT[side]}" rgba="0 0 0 0"/>'
        f'<camera name="{side}_wrist" pos="{palm - 0.060:.4f} 0 0.074" '
        f'xyaxes="0 -1 0 0.45 0 0.89" fovy="{np.degrees(wrist_fov_y):.4f}"/>'
        "</body></body></body></body></body></body></body>"
    )


class Arms:
    """Both arms' kinematics in a compiled model. Sets joint positions; nothing is simulated."""

    def __init__(self, model: Any, data: Any) -> None:
        self.model, self.data = model, data
        self._joints = {
            side: [model.joint(f"{side}_{n + 1}").qposadr[0] for n in range(JOINTS_PER_ARM)]
            for side in SIDES
        }
        self._dofs = {
            side: [model.joint(f"{side}_{n + 1}").dofadr[0] for n in range(JOINTS_PER_ARM)]
            for side in SIDES
        }
        self._jaws = {
            side: [model.joint(f"{side}_jaw_{n}").qposadr[0] for n in "ab"] for side in SIDES
        }
        self._site = {side: model.site(f"{side}_tool").id for side in SIDES}
        for side in SIDES:
            self.set_joints(side, NEUTRAL)
            self.set_gripper(side, 0.0)

    def set_joints(self, side: str, angles: Array) -> None:
        """Set six joint angles, radians."""
        self.data.qpos[self._joints[side]] = angles

    def joints(self, side: str) -> Array:
        """Six joint angles, radians."""
        return np.array(self.data.qpos[self._joints[side]])

    def set_gripper(self, side: str, closed: float) -> None:
        """0 open … 1 closed."""
        self.data.qpos[self._jaws[side]] = 0.5 * JAW_M * (1.0 - closed)

    def tool(self, side: str) -> SE3:
        """desk_from_tool as the joints are."""
        import mujoco

        mujoco.mj_kinematics(self.model, self.data)
        site = self._site[side]
        rotation = np.array(self.data.site_xmat[site]).reshape(3, 3)
        return SE3(rotation, np.array(self.data.site_xpos[site]))

    def reach(self, side: str, desk_from_tool: SE3, *, tries: int = 200) -> float:
        """Solve the arm's joints for a tool pose, from where they are (damped least squares).

        Gives the error left (metres + radians); HandoffError when the pose is out of reach.
        """
        import mujoco

        site, dofs = self._site[side], self._dofs[side]
        jac = np.zeros((6, self.model.nv))
        left = np.inf
        for _ in range(tries):
            here = self.tool(side)
            turn = rotvec_from_matrix(desk_from_tool.rotation @ here.rotation.T)
            error = np.concatenate([desk_from_tool.translation - here.translation, turn])
            left = float(np.linalg.norm(error))
            if left < 1e-7:
                break
            mujoco.mj_comPos(self.model, self.data)
            mujoco.mj_jacSite(self.model, self.data, jac[:3], jac[3:], site)
            part = jac[:, dofs]
            damping = 1e-8 + 0.02 * min(left, 0.05)
            step = part.T @ np.linalg.solve(part @ part.T + damping * np.eye(6), error)
            step *= min(1.0, 0.35 / max(float(np.abs(step).max()), 1e-9))
            self.set_joints(side, self.joints(side) + step)
        if left > 5e-3:
            where = np.round(desk_from_tool.translation, 3).tolist()
            raise HandoffError(f"the {side} arm cannot reach {where} (error {left:.3f})")
        return left
