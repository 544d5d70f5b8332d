"""Hands of the head camera's pictures in the world: near which wrist cameras must be."""

from dataclasses import dataclass

import cv2
import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.cameras import Camera
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from core.session.layout import DETECTIONS
from core.session.tables import Detections
from slam.recording import Recording
from slam.result import Estimate

BESIDE_M, FARTHEST_M = 0.15, 1.5  # a camera's place from the ray to the wrist, and along it
NEAR_NS = 100_000_000  # a hand seen this long before or after still says where its camera may be
APART_NS = 60_000_000  # hands seen sooner after another say nothing new
WRIST, MIDDLE_MCP = 0, 9


@dataclass(frozen=True, eq=False)
class HandSeen:
    """A hand as the head camera saw it, in the world. eye ``(3,)``: the camera.   ray ``(3,)``:
    unit, to the wrist.   ahead ``(3,)``: from the wrist to the fingers."""

    eye: Floats
    ray: Floats
    ahead: Floats

    def near(self, places: Floats) -> Bools:
        """``(N,)`` whether a wrist camera may be at these places ``(N,3)``."""
        away = places - self.eye
        along = away @ self.ray
        beside = np.linalg.norm(away - along[:, None] * self.ray, axis=1)
        return (beside < BESIDE_M) & (along > 0) & (along < FARTHEST_M)


@dataclass(frozen=True, eq=False)
class HandTrack:
    """One hand over a recording. times_ns ``(N,)`` rising, of some pictures that show it."""

    times_ns: Ints
    hands: list[HandSeen]

    def __len__(self) -> int:
        return len(self.hands)

    def at(self, time_ns: int) -> HandSeen | None:
        """The hand nearest in time; None where none is near."""
        if not self.hands:
            return None
        after = int(np.searchsorted(self.times_ns, time_ns))
        around = [k for k in (after - 1, after) if 0 <= k < len(self.hands)]
        nearest = min(around, key=lambda k: abs(int(self.times_ns[k]) - time_ns))
        off = abs(int(self.times_ns[nearest]) - time_ns)
        return self.hands[nearest] if off < NEAR_NS else None


def hand_track(recording: Recording, result: Estimate, side: str) -> HandTrack:
    """At the ticks that have a head pose; empty where `hands_detect` has not run."""
    times: list[int] = []
    hands: list[HandSeen] = []
    if not recording.folder.exists(DETECTIONS):
        return HandTrack(np.zeros(0, np.int64), hands)
    table = Detections.read(recording.folder)
    mine = (table.stream == recording.config.stream) & (table.side == side)
    mine &= table.raw21_in_hand_valid
    row_of = {int(tick): row for row, tick in enumerate(recording.ticks.tick)}
    valid = result.path.valid
    for row in np.flatnonzero(mine)[np.argsort(table.tick[mine], kind="stable")].tolist():
        tick = row_of.get(int(table.tick[row]), -1)
        if tick < 0 or not valid[tick]:
            continue
        time_ns = int(recording.ticks.timestamp_ns[tick])
        if times and time_ns - times[-1] < APART_NS:
            continue
        pixels = table.raw21_px[row].reshape(21, 2).astype(np.float64)
        model = table.raw21_in_hand[row].reshape(21, 3).astype(np.float64)
        pose = result.path.world_from_camera[tick]
        hand = hand_seen(recording.recorded, pose, (pixels, model))
        if hand is not None:
            times.append(time_ns)
            hands.append(hand)
    return HandTrack(np.array(times, np.int64), hands)


def hand_seen(
    camera: Camera, world_from_camera: SE3, points: tuple[Floats, Floats]
) -> HandSeen | None:
    """Wrist and fingers of a detected hand in the world. points: 21 pixels, and 21 places in the
    hand's own frame, of any size."""
    pixels, model = points
    rays, valid = camera.unproject(pixels)
    front = valid & (rays[:, 2] > 0.1)
    if front.sum() < 8 or not front[WRIST]:
        return None
    flat = rays[front, :2] / rays[front, 2:]
    good, turn, _ = cv2.solvePnP(model[front], flat, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
    if not good:
        return None
    ahead = matrix_from_rotvec(turn[:, 0]) @ (model[MIDDLE_MCP] - model[WRIST])
    ray = rays[WRIST] / np.linalg.norm(rays[WRIST])
    axes = world_from_camera.rotation
    return HandSeen(world_from_camera.translation, axes @ ray, axes @ ahead)
