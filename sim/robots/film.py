"""Pictures of a robot at work: its head camera and one at either wrist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import quat_wxyz_from_matrix
from core.geometry.se3 import SE3
from sim.motion.head import look_at
from sim.robots.builds import JOINTS_PER_ARM, SIDES, Build, robot_xml
from sim.robots.workcell import Snapshot
from sim.scene.model import CameraMount, SceneLook, SceneModel
from sim.scene.render import Renderer
from sim.tasks.task import Task

Image = NDArray[np.uint8]

HEAD_EYE = np.array([[-0.10, 0.0, 0.50]])
HEAD_AIM = np.array([[0.27, 0.0, 0.02]])
HEAD_FOV_Y = float(np.radians(70.0))


class RobotFilm:
    """Draws snapshots of one episode. A context manager: it owns a renderer.

    look: of the room.  rng: how exactly the head camera is mounted.
    """

    def __init__(
        self,
        task: Task,
        build: Build,
        *,
        look: SceneLook,
        size_wh: tuple[int, int],
        rng: np.random.Generator,
    ) -> None:
        self._scene = SceneModel(
            look,
            things=task.things,
            cameras=[CameraMount("head", HEAD_FOV_Y)],
            extra=robot_xml(build),
            image_wh=size_wh,
        )
        eye = HEAD_EYE + rng.normal(0, 0.006, (1, 3))
        rotation = look_at(eye, HEAD_AIM + rng.normal(0, 0.006, (1, 3)))[0]
        self._base_from_head = SE3(rotation, eye[0])
        model = self._scene.model
        numbers = range(1, JOINTS_PER_ARM + 1)
        self._joints = {s: [model.joint(f"{s}_{n}").qposadr[0] for n in numbers] for s in SIDES}
        self._jaws = {s: [model.joint(f"{s}_jaw_{n}").qposadr[0] for n in "ab"] for s in SIDES}
        self._renderer = Renderer(self._scene, size_wh)

    def draw(self, snapshot: Snapshot, cameras: Sequence[str]) -> dict[str, Image]:
        """RGB (H, W, 3) of each camera."""
        qpos = self._scene.data.qpos
        for side in SIDES:
            qpos[self._joints[side]] = snapshot.joints[side]
            qpos[self._jaws[side]] = snapshot.width_m[side] / 2
        places = {"robot": snapshot.world_from_base, **snapshot.poses}
        places["head_camera"] = snapshot.world_from_base @ self._base_from_head
        for name, pose in places.items():
            self._scene.place(name, pose.translation, quat_wxyz_from_matrix(pose.rotation))
        self._scene.settle()
        return {camera: self._renderer.draw(camera).copy() for camera in cameras}

    def film(self, camera: str, snapshots: Sequence[Snapshot]) -> Iterator[Image]:
        """One camera's pictures, drawn as they are taken."""
        for snapshot in snapshots:
            yield self.draw(snapshot, [camera])[camera]

    def __enter__(self) -> RobotFilm:
        return self

    def __exit__(self, *error: object) -> None:
        self._renderer.close()
