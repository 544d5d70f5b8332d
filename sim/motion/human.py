"""A person at the desk: head, two hands and the things they hold, at any time of a take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.palm import palm_frame
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from sim.hand.grasp import SIGN
from sim.hand.skeleton import BONES, MEDIAPIPE21_FROM_25, posture
from sim.motion.head import head_motion
from sim.motion.plan import Plan
from sim.motion.timeline import Whereabouts, holder, thing_path
from sim.motion.tracks import PoseSpline, SmoothNoise

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HandState:
    """One hand at T instants.

    desk_from_hand, desk_from_forearm: (T).  closure: (T, 5).  joints_in_desk: (T, 25, 3).
    landmarks_in_desk: (T, 17, 3).  desk_from_palm: (T).  contact: (T, 5) bool.
    phase: (T) text.  touching: (T) the name of the thing in contact, or None.
    """

    side: str
    desk_from_hand: SE3
    desk_from_forearm: SE3
    closure: Array
    joints_in_desk: Array
    landmarks_in_desk: Array
    desk_from_palm: SE3
    contact: NDArray[np.bool_]
    phase: NDArray[np.str_]
    touching: NDArray[np.object_]


class Human:
    """The motion of one take: ask for any body at any times (seconds)."""

    def __init__(
        self, plan: Plan, *, scale: float, rng: np.random.Generator, sleeve: str = "long"
    ) -> None:
        self.plan = plan
        self.scale, self.sleeve = scale, sleeve
        self.head: PoseSpline = head_motion(plan.gaze, seconds=plan.seconds, rng=rng)
        self._drift = {s: SmoothNoise.draw(rng, (0.2, 1.2), 0.0025) for s in SIGN}
        self._tremor = {s: SmoothNoise.draw(rng, (7.0, 11.0), 0.00025) for s in SIGN}
        self._turn = {s: SmoothNoise.draw(rng, (0.2, 1.5), 0.02) for s in SIGN}

    def hand(self, side: str, seconds: Array) -> HandState:
        """One hand at times (T,)."""
        seconds = np.atleast_1d(np.asarray(seconds, np.float64))
        where = Whereabouts.find(self.plan.steps[side], seconds)
        desk_from_hand = self._wrist(side, where)
        closure = where.closure()
        shape = posture(closure, side=side, scale=self.scale)
        joints = desk_from_hand.apply(shape.joints)
        landmarks = landmarks17_from_mediapipe21(joints[:, MEDIAPIPE21_FROM_25, :])
        return HandState(
            side,
            desk_from_hand,
            forearm(desk_from_hand, side),
            closure,
            joints,
            landmarks,
            palm_frame(landmarks, side),
            where.contact(),
            where.kinds(),
            where.touching(),
        )

    def _wrist(self, side: str, where: Whereabouts) -> SE3:
        """The planned path, alive: slow drift and tremor, still where things are touched."""
        path, seconds = where.path(), where.seconds
        envelope = where.liveliness()[:, None]
        shake = self._drift[side].at(seconds) + self._tremor[side].at(seconds)
        wobble = matrix_from_rotvec(envelope * self._turn[side].at(seconds))
        return SE3(path.rotation @ wobble, path.translation + envelope * shake)

    def thing(self, name: str, seconds: Array) -> SE3:
        """desk_from_thing (T) of one movable thing."""

        def arm_pose(side: str, at: Array) -> SE3:
            return self._wrist(side, Whereabouts.find(self.plan.steps[side], at))

        return thing_path(self.plan.holds[name], np.atleast_1d(seconds), arm_pose)

    def held_by(self, name: str, seconds: Array) -> NDArray[np.object_]:
        """(T,) "left", "right" or None: which hand holds the thing."""
        return holder(self.plan.holds[name], np.atleast_1d(seconds))


def bone_poses(state: HandState, *, scale: float) -> SE3:
    """desk_from_bone (T, 17) in `BONES` order."""
    shape = posture(state.closure, side=state.side, scale=scale)
    rotation = state.desk_from_hand.rotation[:, None] @ shape.bone_rotation
    origin = state.desk_from_hand.apply(shape.bone_origin)
    arm = BONES.index("forearm")
    rotation[:, arm] = state.desk_from_forearm.rotation
    origin[:, arm] = state.desk_from_forearm.translation
    return SE3(rotation, origin)


def forearm(desk_from_hand: SE3, side: str) -> SE3:
    """desk_from_forearm (T): origin at the wrist, x from elbow to wrist, half the hand's roll."""
    wrist = desk_from_hand.translation
    outward = -SIGN[side]
    elbow = np.array([-0.13, outward * 0.26, 0.075])
    elbow = elbow + 0.25 * (wrist - np.array([0.2, outward * 0.15, 0.1]))
    elbow[:, 2] = np.maximum(elbow[:, 2], 0.065)
    x = wrist - elbow
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    # a wrist bends by 60 degrees at most: beyond that the forearm follows the hand
    hand_x = desk_from_hand.rotation[:, :, 0]
    missing = np.clip(0.5 - np.sum(x * hand_x, axis=1, keepdims=True), 0.0, None)
    x = x + 1.5 * missing * hand_x
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    z = desk_from_hand.rotation[:, :, 2]
    z = z - np.sum(z * x, axis=1, keepdims=True) * x
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    return SE3(np.stack([x, np.cross(z, x), z], -1), wrist)
