"""A hand flat on a desk beside a calibration board, seen by a head that sways: with truth.

What an operator does once to have a hand measured; people differ as in `sim.hand_portraits`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec, quat_wxyz_from_matrix
from core.geometry.se3 import SE3
from sim.board import Board
from sim.hand.mesh import build_hand_mesh
from sim.hand.skeleton import BONES, SHAPES, flat_posture
from sim.hand_portraits import SIZE_WH, VOXEL_M, proportioned
from sim.motion.head import look_at
from sim.motion.human import forearm
from sim.motion.tracks import SmoothNoise
from sim.scene.model import CameraMount, SceneModel, bone_body, random_look
from sim.scene.render import Renderer
from sim.sensors.lens import SensorNoise

Array = NDArray[np.float64]

FOCAL_PX = (380.0, 520.0)
STEP_S = 1 / 6  # between pictures
WRIST_ABOVE_M, FINGERS_DOWN_RAD = 0.015, 0.038  # of the flat hand on the desk
BOARD_ABOVE_M = 0.002


@dataclass(frozen=True, eq=False)
class Sitting:
    """One person's pictures ``(480,640,3)``, `STEP_S` apart.   focal_px: of a centred pinhole.

    length_m: wrist to middle fingertip along the joints.   lifted_m: how high above the desk the
    hand was held; 0 as it should be.
    """

    side: str
    images_rgb: list[NDArray[np.uint8]]
    focal_px: float
    length_m: float
    lifted_m: float


def sitting(seed: int, *, pictures: int = 8, lifted_m: float = 0.0) -> Sitting:
    """A person of this seed; with ``lifted_m`` one who lets the hand hover."""
    rng = np.random.default_rng([seed, 78])
    side = str(rng.choice(("left", "right")))
    with proportioned(rng):
        focal = float(rng.uniform(*FOCAL_PX))
        mount = CameraMount("head", 2 * float(np.arctan(0.5 * SIZE_WH[1] / focal)))
        board = Board()
        scene = SceneModel(
            random_look(rng), things=(), hands=[build_hand_mesh(side, voxel_m=VOXEL_M)],
            cameras=[mount], extra=board.body_xml(), pictures={"board": board.picture()},
            image_wh=SIZE_WH,
        )  # fmt: skip
        outward = 1.0 if side == "left" else -1.0
        _put(scene, "board", _on_the_desk(board, outward, rng=rng))
        hand = _laid_down(outward, lifted_m, rng=rng)
        for bone, pose in _bones(hand, side):
            _put(scene, bone_body(side, bone), pose)
        shape = SHAPES["middle"]
        length = float(np.linalg.norm(shape.mcp) + sum(shape.lengths))
        grain = SensorNoise(float(rng.uniform(0.5, 4.0)), SIZE_WH, rng)
        images = []
        with Renderer(scene, SIZE_WH) as renderer:
            for camera in _views(hand.translation[0], pictures, rng=rng):
                _put(scene, "head_camera", camera)
                scene.settle()
                images.append(grain.add(renderer.draw("head")))
    return Sitting(side, images, focal, length, lifted_m)


def _on_the_desk(board: Board, outward: float, *, rng: np.random.Generator) -> SE3:
    """desk_from_board: face up, its middle on the other side of the person's middle."""
    yaw = matrix_from_rotvec(np.array([0.0, 0.0, rng.normal(0, 0.15)]))
    axes = yaw @ np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    middle = np.array([rng.uniform(0.26, 0.34), -outward * rng.uniform(0.05, 0.09), BOARD_ABOVE_M])
    return SE3(axes, middle - axes @ np.array([*(board.size_m / 2), 0.0]))


def _laid_down(outward: float, lifted_m: float, *, rng: np.random.Generator) -> SE3:
    """desk_from_hand (1): palm down, fingers ahead."""
    down = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
    yaw = matrix_from_rotvec(np.array([0.0, 0.0, -outward * rng.uniform(-0.1, 0.5)]))
    pitch = matrix_from_rotvec(np.array([0.0, FINGERS_DOWN_RAD, 0.0]))
    place = np.array([rng.uniform(0.16, 0.22), outward * rng.uniform(0.16, 0.2), 0.0])
    place[2] = WRIST_ABOVE_M + lifted_m
    return SE3((yaw @ pitch @ down)[None], place[None])


def _bones(desk_from_hand: SE3, side: str) -> Iterator[tuple[str, SE3]]:
    shape = flat_posture(side=side)
    rotation = desk_from_hand.rotation[:, None] @ shape.bone_rotation
    origin = desk_from_hand.apply(shape.bone_origin)
    for k, bone in enumerate(BONES):
        yield bone, SE3(rotation[:, k], origin[:, k])
    yield "forearm", forearm(desk_from_hand, side)


def _views(hand: Array, count: int, *, rng: np.random.Generator) -> Iterator[SE3]:
    """desk_from_camera (1) of a head that looks at hand and board."""
    times = STEP_S * np.arange(count)
    eye = np.array([rng.uniform(-0.08, 0.06), rng.normal(0, 0.05), rng.uniform(0.38, 0.5)])
    sway = SmoothNoise.draw(rng, (0.1, 0.8), 0.02).at(times)
    target = np.array([hand[0] + 0.09, 0.35 * hand[1], 0.0]) + rng.normal(0, 0.01, 3)
    for shift in sway:
        rotation = look_at((eye + shift)[None], target[None])
        yield SE3(rotation, (eye + shift)[None])


def _put(scene: SceneModel, body: str, pose: SE3) -> None:
    rotation, translation = pose.rotation.reshape(3, 3), pose.translation.reshape(3)
    scene.place(body, translation, np.asarray(quat_wxyz_from_matrix(rotation)))
