"""A robot carrying out a plan: joint motion by inverse kinematics, and pictures of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import quat_wxyz_from_matrix
from core.geometry.se3 import SE3
from sim.arms import SIDES, Arms, ArmStyle, arm_xml
from sim.head import look_at
from sim.plan import Plan
from sim.render import Renderer
from sim.scene import CameraMount, SceneModel, random_look
from sim.tasks import Task
from sim.timeline import Whereabouts, thing_path

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

HEAD_EYE = np.array([[-0.10, 0.0, 0.50]])
HEAD_AIM = np.array([[0.27, 0.0, 0.02]])
HEAD_FOV_Y = float(np.radians(70.0))
WRIST_FOV_Y = float(np.radians(75.0))


@dataclass(frozen=True, eq=False)
class Motion:
    """What the robot did at T ticks. base_from_tool: per side, as reached.  joints: (T, 6).

    gripper: (T,) per side, 0 open … 1 closed.  The base is the desk frame.
    """

    base_from_tool: dict[str, SE3]
    joints: dict[str, Array]
    gripper: dict[str, Array]


class RobotStage:
    """One episode's scene. Use as a context manager: it owns a renderer."""

    def __init__(
        self,
        task: Task,
        plan: Plan,
        style: ArmStyle,
        *,
        size_wh: tuple[int, int],
        rng: np.random.Generator,
    ) -> None:
        self.task, self.plan = task, plan
        extra = "".join(arm_xml(style, side, wrist_fov_y=WRIST_FOV_Y) for side in SIDES)
        mounts = [CameraMount("head", HEAD_FOV_Y)]
        self._scene = SceneModel(
            random_look(rng), things=task.things, cameras=mounts, extra=extra, image_wh=size_wh
        )
        eye = HEAD_EYE + rng.normal(0, 0.006, (1, 3))
        rotation = look_at(eye, HEAD_AIM + rng.normal(0, 0.006, (1, 3)))[0]
        self._scene.place("head_camera", eye[0], quat_wxyz_from_matrix(rotation))
        self._arms = Arms(self._scene.model, self._scene.data)
        self._renderer = Renderer(self._scene, size_wh)

    def follow(self, seconds: Array) -> Motion:
        """Drive both arms along the plan at times (T,)."""
        poses: dict[str, SE3] = {}
        joints: dict[str, Array] = {}
        gripper: dict[str, Array] = {}
        for side in SIDES:
            where = Whereabouts.find(self.plan.steps[side], seconds)
            wanted = where.path()
            reached, angles = [], []
            for pose in (wanted[i] for i in range(len(seconds))):
                self._arms.reach(side, pose)
                reached.append(self._arms.tool(side))
                angles.append(self._arms.joints(side))
            poses[side], joints[side] = SE3.stack(reached), np.stack(angles)
            gripper[side] = where.closure()[:, 0]
        return Motion(poses, joints, gripper)

    def film(self, camera: str, seconds: Array, motion: Motion) -> Iterator[Image]:
        """Pictures (H, W, 3) of one camera, one per tick."""
        things = {t.name: self._thing(t.name, seconds) for t in self.task.things if t.movable}
        for i in range(len(seconds)):
            for side in SIDES:
                self._arms.set_joints(side, motion.joints[side][i])
                self._arms.set_gripper(side, float(motion.gripper[side][i]))
            for name, (position, quat) in things.items():
                self._scene.place(name, position[i], quat[i])
            self._scene.settle()
            yield self._renderer.draw(camera).copy()

    def _thing(self, name: str, seconds: Array) -> tuple[Array, Array]:
        def arm_pose(side: str, at: Array) -> SE3:
            return Whereabouts.find(self.plan.steps[side], at).path()

        pose = thing_path(self.plan.holds[name], seconds, arm_pose)
        return pose.translation, np.asarray(quat_wxyz_from_matrix(pose.rotation))

    def __enter__(self) -> RobotStage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._renderer.close()
