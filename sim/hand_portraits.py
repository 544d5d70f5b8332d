"""Single pictures of hands of many shapes, from many sides, with truth: what a lifter learns from.

A scene is a take with hands of random proportions (`proportioned`). Its pictures are taken at
random instants, so that hands hold things as they do at work, or with random postures in the air;
cameras stand where a head would be, or anywhere above the desk. About 30 ms a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.palm import palm_frame
from core.geometry.rotations import (
    matrix_from_quat_wxyz,
    matrix_from_rotvec,
    quat_wxyz_from_matrix,
)
from core.geometry.se3 import SE3
from sim.hand.grasp import HumanHands
from sim.hand.mesh import build_hand_mesh
from sim.hand.skeleton import BONES, MEDIAPIPE21_FROM_25, SHAPES, FingerShape, posture
from sim.motion.head import look_at
from sim.motion.human import HandState, Human, bone_poses, forearm
from sim.motion.plan import make_plan
from sim.scene.model import CameraMount, SceneModel, bone_body, random_look
from sim.scene.render import Renderer
from sim.sensors.lens import SensorNoise
from sim.tasks.task import make_task
from sim.variation import TASK_CHOICES

Array = NDArray[np.float64]
SIDES = ("left", "right")

SIZE_WH = (640, 480)
FOCAL_PX = (300.0, 560.0)
SECONDS = 12.0
FREE_SHARE = 0.5  # hands shown in the air, in a random posture
ANY_TURN_SHARE = 0.5  # of these: turned any way, not as over a desk
HEAD_SHARE, FACING_SHARE = 0.45, 0.3  # pictures from about where a head is; square to a palm
# one sigma of what differs between people, as fractions: palms, fingers, one finger, breadth
PALM, FINGER, ONE_FINGER, BREADTH = 0.05, 0.035, 0.03, 0.05
PALM_MEAN = 0.97  # anatomists' palms are shorter than this mesh's, other trackers' longer
VOXEL_M = 0.0025


@dataclass(frozen=True, eq=False)
class Portrait:
    """One picture. image_rgb: ``(480,640,3)``.   focal_px: of a centred pinhole.

    joints: by side ``(21,3)`` in the camera, MediaPipe's order.   length_m: wrist to middle
    fingertip along the joints.
    """

    image_rgb: NDArray[np.uint8]
    focal_px: float
    joints: dict[str, Array]
    length_m: float


@contextmanager
def proportioned(rng: np.random.Generator) -> Iterator[None]:
    """Hands of other proportions, as long as the context lasts."""
    before = dict(SHAPES)
    palm, finger = PALM_MEAN + rng.normal(0, PALM), 1 + rng.normal(0, FINGER)
    breadth = 1 + rng.normal(0, BREADTH)
    try:
        for name, shape in before.items():
            own = palm * (1 + rng.normal(0, 0.01))
            SHAPES[name] = _stretched(
                shape, np.array([own, own * breadth, own]), finger * (1 + rng.normal(0, ONE_FINGER))
            )
        yield
    finally:
        SHAPES.update(before)


def _stretched(shape: FingerShape, palm: Array, finger: float) -> FingerShape:
    base, mcp = np.array(shape.base) * palm, np.array(shape.mcp) * palm
    lengths = np.array(shape.lengths) * finger
    return replace(
        shape,
        base=(float(base[0]), float(base[1]), float(base[2])),
        mcp=(float(mcp[0]), float(mcp[1]), float(mcp[2])),
        lengths=(float(lengths[0]), float(lengths[1]), float(lengths[2])),
    )


def portraits(seed: int, count: int) -> Iterator[Portrait]:
    """``count`` pictures of one scene."""
    rng = np.random.default_rng([seed, 77])
    with proportioned(rng):
        task = make_task(str(rng.choice(list(TASK_CHOICES))), rng)
        plan = make_plan(task, HumanHands(1.0), seconds=SECONDS, rng=rng)
        human = Human(plan, scale=1.0, rng=rng)
        focal = float(rng.uniform(*FOCAL_PX))
        mount = CameraMount("head", 2 * float(np.arctan(0.5 * SIZE_WH[1] / focal)))
        look = replace(random_look(rng), brightness=float(rng.uniform(0.6, 1.25)))
        scene = SceneModel(
            look,
            things=task.things,
            hands=[build_hand_mesh(side, voxel_m=VOXEL_M) for side in SIDES],
            cameras=[mount],
            image_wh=SIZE_WH,
        )
        grain = SensorNoise(float(rng.uniform(0.5, 5.0)), SIZE_WH, rng)
        things = [thing for thing in task.things if thing.movable]
        with Renderer(scene, SIZE_WH) as renderer:
            for seconds in rng.uniform(0, SECONDS, count):
                for thing in things:
                    _put(scene, thing.name, human.thing(thing.name, np.array([seconds])))
                states = {side: _state(human, side, float(seconds), rng=rng) for side in SIDES}
                for side, state in states.items():
                    bones = bone_poses(state, scale=1.0)
                    for k, bone in enumerate(BONES):
                        _put(scene, bone_body(side, bone), bones[:, k])
                camera = _viewpoint(human, states[str(rng.choice(SIDES))], float(seconds), rng=rng)
                _put(scene, "head_camera", camera)
                scene.settle()
                seen = {
                    side: camera.inverse().apply(state.joints_in_desk[:, MEDIAPIPE21_FROM_25, :])[0]
                    for side, state in states.items()
                }
                picture = grain.add(renderer.draw("head"))
                yield Portrait(picture, focal, seen, _length())


def _length() -> float:
    shape = SHAPES["middle"]
    return float(np.linalg.norm(shape.mcp) + sum(shape.lengths))


def _put(scene: SceneModel, body: str, pose: SE3) -> None:
    rotation, translation = pose.rotation.reshape(3, 3), pose.translation.reshape(3)
    scene.place(body, translation, np.asarray(quat_wxyz_from_matrix(rotation)))


def _state(human: Human, side: str, seconds: float, *, rng: np.random.Generator) -> HandState:
    """The hand at work, or lifted from it and posed anyhow."""
    at_work = human.hand(side, np.array([seconds]))
    if rng.random() > FREE_SHARE:
        return at_work
    outward = 1.0 if side == "left" else -1.0
    place = np.array([rng.uniform(0.05, 0.35), outward * rng.uniform(-0.05, 0.28), 0.0])
    place[2] = rng.uniform(0.10, 0.35)
    turn = at_work.desk_from_hand.rotation[0] @ matrix_from_rotvec(rng.normal(0, 0.8, 3))
    if rng.random() < ANY_TURN_SHARE:
        turn = matrix_from_quat_wxyz(_unit(rng.normal(size=4)))
    desk_from_hand = SE3(turn[None], place[None])
    closure = np.clip(rng.uniform(-0.15, 0.9) + rng.normal(0, 0.22, 5), 0, 1)[None]
    joints = desk_from_hand.apply(posture(closure, side=side).joints)
    landmarks = landmarks17_from_mediapipe21(joints[:, MEDIAPIPE21_FROM_25, :])
    return replace(
        at_work,
        desk_from_hand=desk_from_hand,
        desk_from_forearm=forearm(desk_from_hand, side),
        closure=closure,
        joints_in_desk=joints,
        landmarks_in_desk=landmarks,
        desk_from_palm=palm_frame(landmarks, side),
    )


def _viewpoint(human: Human, hand: HandState, seconds: float, *, rng: np.random.Generator) -> SE3:
    """desk_from_camera (1): near the head, or anywhere above the desk, the hand in the picture."""
    target = hand.landmarks_in_desk[0, 1] + rng.normal(0, 0.02, 3)
    kind = rng.random()
    if kind < HEAD_SHARE:
        eye = human.head.pose(np.array([seconds]))[0].translation + rng.normal(0, 0.07, 3)
    elif kind < HEAD_SHARE + FACING_SHARE:
        normal = hand.desk_from_palm.rotation[0, :, 2]
        normal = _unit(normal + rng.normal(0, 0.25, 3))
        eye = target + normal * (1.0 if normal[2] > 0 else -1.0)
    else:
        azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.15, 1.0)
        flat = np.sqrt(1 - height**2)
        eye = target + np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), height])
    eye = target + _unit(eye - target) * rng.uniform(0.25, 0.75)
    eye[2] = max(eye[2], 0.12)
    rotation = look_at(eye[None], target[None])[0]
    roll = matrix_from_rotvec(np.array([0.0, 0.0, rng.normal(0, 0.5)]))
    aside = matrix_from_rotvec(np.array([rng.normal(0, 0.16), rng.normal(0, 0.22), 0.0]))
    return SE3((rotation @ roll @ aside)[None], eye[None])


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))
