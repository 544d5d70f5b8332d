"""A person at the desk: head, two hands and the things they hold, at any time of a take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.palm import palm_frame
from core.geometry.rotations import matrix_from_quat_wxyz, quat_wxyz_from_matrix, slerp
from core.geometry.se3 import SE3
from sim.grasp import SIGN
from sim.hand_skeleton import BONES, MEDIAPIPE21_FROM_25, posture
from sim.head import head_motion
from sim.plan import LIFT_M, SETTLE_S, Hold, Plan, Step
from sim.tracks import PoseSpline, SmoothNoise, minimum_jerk

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HandState:
    """One hand at T instants.

    desk_from_hand, desk_from_forearm: (T).  closure: (T, 5).  joints_in_desk: (T, 25, 3).
    landmarks_in_desk: (T, 17, 3).  desk_from_palm: (T).  contact: (T, 5) bool.
    phase: (T) text.
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


class Human:
    """The motion of one take: ask for any body at any times (seconds)."""

    def __init__(self, plan: Plan, *, scale: float, rng: np.random.Generator) -> None:
        self.plan = plan
        self.scale = scale
        self.head: PoseSpline = head_motion(plan.gaze, seconds=plan.seconds, rng=rng)
        self._drift = {s: SmoothNoise.draw(rng, (0.2, 1.2), 0.0025) for s in SIGN}
        self._tremor = {s: SmoothNoise.draw(rng, (7.0, 11.0), 0.00025) for s in SIGN}
        self._turn = {s: SmoothNoise.draw(rng, (0.2, 1.5), 0.02) for s in SIGN}

    def hand(self, side: str, seconds: Array) -> HandState:
        """One hand at times (T,)."""
        seconds = np.atleast_1d(np.asarray(seconds, np.float64))
        steps = self.plan.steps[side]
        index = _step_at(steps, seconds)
        fraction = _fraction(steps, index, seconds)
        desk_from_hand = self._wrist(side, seconds, (index, fraction))
        closure = _closure(steps, index, fraction)
        held = np.array([steps[i].kind == "move" for i in index])
        grasped = np.array([steps[i].kind == "grasp" for i in index]) & (fraction >= 1.0 - 1e-9)
        contact = np.stack([steps[i].contact for i in index]) & (held | grasped)[:, None]
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
            contact,
            np.array([steps[i].kind for i in index]),
        )

    def _wrist(self, side: str, seconds: Array, where: tuple[NDArray[np.int64], Array]) -> SE3:
        steps = self.plan.steps[side]
        index, fraction = where
        start = SE3.stack([step.desk_from_hand[0] for step in steps])[index]
        end = SE3.stack([step.desk_from_hand[1] for step in steps])[index]
        lift = np.array([LIFT_M.get(step.kind, 0.0) for step in steps])[index]
        s = minimum_jerk(fraction)
        calm = np.array([step.kind in {"grasp", "release"} for step in steps])[index]
        envelope = np.where(calm, 0.0, np.sin(np.pi * np.clip(fraction, 0, 1)) ** 2)[:, None]
        position = start.translation + s[:, None] * (end.translation - start.translation)
        position[:, 2] += lift * np.sin(np.pi * s) ** 2
        position += envelope * (self._drift[side].at(seconds) + self._tremor[side].at(seconds))
        quat = slerp(quat_wxyz_from_matrix(start.rotation), quat_wxyz_from_matrix(end.rotation), s)
        wobble = SE3.from_vec6(
            np.concatenate([np.zeros((len(s), 3)), envelope * self._turn[side].at(seconds)], 1)
        )
        return SE3(matrix_from_quat_wxyz(quat) @ wobble.rotation, position)

    def thing(self, name: str, seconds: Array) -> SE3:
        """desk_from_thing (T) of one movable thing."""
        seconds = np.atleast_1d(np.asarray(seconds, np.float64))
        holds = self.plan.holds[name]
        begin = np.array([hold.start_s for hold in holds])
        index = np.clip(np.searchsorted(begin, seconds, "right") - 1, 0, None)
        rotation = np.empty((len(seconds), 3, 3))
        position = np.empty((len(seconds), 3))
        for k in np.unique(index):
            mine = index == k
            pose = self._thing_during(holds[k], seconds[mine])
            rotation[mine], position[mine] = pose.rotation, pose.translation
        return SE3(rotation, position)

    def _thing_during(self, hold: Hold, seconds: Array) -> SE3:
        if hold.arm is None:
            count = (len(seconds), 1)
            return SE3(
                np.tile(hold.pose.rotation, (*count, 1)), np.tile(hold.pose.translation, count)
            )
        steps = self.plan.steps[hold.arm]
        index = _step_at(steps, seconds)
        fraction = _fraction(steps, index, seconds)
        return self._wrist(hold.arm, seconds, (index, fraction)) @ hold.pose

    def held_by(self, name: str, seconds: Array) -> NDArray[np.object_]:
        """(T,) "left", "right" or None: which hand holds the thing."""
        holds = self.plan.holds[name]
        begin = np.array([hold.start_s for hold in holds])
        index = np.clip(np.searchsorted(begin, np.atleast_1d(seconds), "right") - 1, 0, None)
        return np.array([holds[i].arm for i in index], dtype=object)


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


def _step_at(steps: list[Step], seconds: Array) -> NDArray[np.int64]:
    ends = np.array([step.end_s for step in steps])
    return np.clip(np.searchsorted(ends, seconds, "right"), 0, len(steps) - 1)


def _fraction(steps: list[Step], index: NDArray[np.int64], seconds: Array) -> Array:
    begin = np.array([step.start_s for step in steps])[index]
    end = np.array([step.end_s for step in steps])[index]
    return np.clip((seconds - begin) / np.maximum(end - begin, 1e-9), 0.0, 1.0)


def _closure(steps: list[Step], index: NDArray[np.int64], fraction: Array) -> Array:
    """(T, 5): the fingers open early in a reach and close late in a grasp."""
    start = np.stack([step.closure[0] for step in steps])[index]
    end = np.stack([step.closure[1] for step in steps])[index]
    early = np.array([step.kind in {"reach", "release"} for step in steps])[index]
    s = minimum_jerk(np.where(early, fraction / 0.7, fraction))[:, None]
    return np.asarray(start + s * (end - start))


__all__ = ["SETTLE_S", "HandState", "Human", "bone_poses", "forearm"]
