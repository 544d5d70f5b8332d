"""Places a human's take into a scene: every body of the model, at any instants, in one go."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import quat_wxyz_from_matrix
from core.geometry.se3 import SE3
from sim.hand.mesh import HandMesh, build_hand_mesh
from sim.hand.skeleton import BONES
from sim.motion.human import Human, bone_poses
from sim.rig import forearm_from_wrist_camera, head_from_camera
from sim.scene.company import NOBODY, Company
from sim.scene.model import CameraMount, SceneLook, SceneModel, bone_body
from sim.tasks.task import Task

Array = NDArray[np.float64]


def camera_pose(human: Human, stream: str, seconds: Array) -> SE3:
    """desk_from_camera (T) of one stream."""
    mount = head_from_camera(stream)
    if mount is not None:
        return human.head.pose(seconds) @ mount
    side = stream.removesuffix("_wrist")
    return human.hand(side, seconds).desk_from_forearm @ forearm_from_wrist_camera()


def camera_rate(human: Human, stream: str, seconds: Array) -> Array:
    """Angular velocity (T, 3) of a camera in its own axes, rad/s."""
    mount = head_from_camera(stream)
    if mount is not None:
        return np.asarray(human.head.angular_velocity(seconds) @ mount.rotation)
    step = 2e-3
    before, after = (camera_pose(human, stream, seconds + d) for d in (-step, step))
    return np.asarray((before.inverse() @ after).to_vec6()[:, 3:] / (2 * step))


@lru_cache(maxsize=4)
def _hand_mesh(side: str, *, scale: float, sleeve: str) -> HandMesh:
    """The mesh of one hand: seconds of work, the same for every camera of a take."""
    return build_hand_mesh(side, scale=scale, sleeve=sleeve)


class Choreography:
    """A scene with a person in it. `frames` gives body poses, `show` sets one of them."""

    def __init__(
        self,
        human: Human,
        task: Task,
        look: SceneLook,
        *,
        mounts: list[CameraMount],
        company: Company = NOBODY,
        image_wh: tuple[int, int],
    ) -> None:
        self.human, self.task = human, task
        meshes = [
            _hand_mesh(side, scale=human.scale, sleeve=look.sleeve) for side in ("left", "right")
        ]
        self.scene = SceneModel(
            look, things=task.things, hands=meshes, cameras=mounts,
            extra=company.body_xml(), pictures=company.pictures(), image_wh=image_wh,
        )  # fmt: skip
        self._mounts = mounts
        self._movable = [t.name for t in task.things if t.movable]
        self._names = [
            *(f"{mount.name}_camera" for mount in mounts),
            *self._movable,
            *(bone_body(side, bone) for side in ("left", "right") for bone in BONES),
        ]

    def frames(self, seconds: Array) -> tuple[Array, Array]:
        """Positions (T, B, 3) and quaternions wxyz (T, B, 4) of all bodies at times (T,)."""
        poses = [camera_pose(self.human, mount.name, seconds) for mount in self._mounts]
        poses += [self.human.thing(name, seconds) for name in self._movable]
        position = [pose.translation[:, None] for pose in poses]
        rotation = [pose.rotation[:, None] for pose in poses]
        for side in ("left", "right"):
            bones = bone_poses(self.human.hand(side, seconds), scale=self.human.scale)
            position.append(bones.translation)
            rotation.append(bones.rotation)
        return (
            np.concatenate(position, 1),
            np.asarray(quat_wxyz_from_matrix(np.concatenate(rotation, 1))),
        )

    def show(self, position: Array, quat_wxyz: Array) -> None:
        """Put every body (B, 3), (B, 4) in place."""
        self.scene.place_all(self._names, position, quat_wxyz)
        self.scene.settle()
