"""Where a wrist camera is, from nothing: its picture is compared with the room as drawn from beside
the hand that the head camera sees, from a few heights and sides, as nobody said how it is strapped.

What comes out is a proposal: `tracking` believes it when many map points are found with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from core.geometry.arrays import Floats, Ints, unit
from core.geometry.cameras import Camera
from core.geometry.rotations import matrix_from_rotvec, nearest_rotation
from core.geometry.se3 import SE3
from slam.sight.localise import View, refine_pose
from slam.sight.rays import rays_of
from slam.wrist.drawing import Look, Room, draw
from slam.wrist.hands_seen import HandSeen
from slam.wrist.surfaces import Plane

WRIST_ABOVE_M = 0.05  # how much higher than its camera a wrist is
DOWN = 0.15  # how much a drawn view looks down, per length along the table
FEATURES, CONTRAST, RATIO, ROUNDS = 1200, 0.02, 0.85, 3
SAMPLES, OUTLIER_PX = 600, 6.0
LEAST_HINT, LEAST_MATCHES = 5, 12  # that agree: to draw again from there, and to propose


@dataclass(frozen=True)
class Stance:
    """How a camera may sit under a hand. height_m: above the table.   turn_rad: of its view aside
    from the fingers, about up.   behind_m, aside_m: of the wrist, along that view and to its left.
    """

    height_m: float
    turn_rad: float = 0.0
    behind_m: float = 0.05
    aside_m: float = 0.0

    def view(self, table: Plane, hand: HandSeen) -> SE3 | None:
        """world_from_view of what is drawn; None where the wrist's ray does not meet the height."""
        up = table.normal * np.sign((hand.eye - table.centre) @ table.normal or 1.0)
        level = Plane(up, table.centre + (self.height_m + WRIST_ABOVE_M) * up)
        wrist, met = level.meet(hand.eye[None], hand.ray[None])
        if not met[0]:
            return None
        fingers = unit(hand.ahead - (hand.ahead @ up) * up)
        ahead = matrix_from_rotvec(self.turn_rad * up) @ fingers
        z = unit(ahead - DOWN * up)
        x = unit(np.cross(z, up))
        eye = wrist[0] - WRIST_ABOVE_M * up - self.behind_m * ahead - self.aside_m * x
        return SE3(np.stack([x, np.cross(z, x), z], axis=1), eye)

    @classmethod
    def of(cls, table: Plane, hand: HandSeen, world_from_camera: SE3) -> "Stance | None":
        """How a camera whose place is known sits under its hand."""
        up = table.normal * np.sign((hand.eye - table.centre) @ table.normal or 1.0)
        height = float((world_from_camera.translation - table.centre) @ up)
        bare = cls(height, behind_m=0.0).view(table, hand)
        if bare is None:
            return None
        fingers = unit(hand.ahead - (hand.ahead @ up) * up)
        ahead = world_from_camera.rotation[:, 2]
        ahead = unit(ahead - (ahead @ up) * up)
        left = np.cross(up, ahead)
        turn = float(np.arctan2(np.cross(fingers, ahead) @ up, fingers @ ahead))
        away = bare.translation - world_from_camera.translation
        return cls(height, turn, float(away @ ahead), float(-away @ left))


STANCES = tuple(Stance(h, t) for t in (0.0, -0.5, 0.5) for h in (0.03, 0.05, 0.09))


def usual(stances: Sequence[Stance]) -> Stance:
    """The median of some stances."""
    rows = np.array([[s.height_m, s.turn_rad, s.behind_m, s.aside_m] for s in stances])
    return Stance(*(float(v) for v in np.median(rows, axis=0)))


@dataclass(frozen=True, eq=False)
class _Features:
    uv_px: Floats
    words: Any  # (N,128) root-SIFT, unit length


class Starter:
    """Proposes poses of one wrist camera in one map. head: the camera of the looks."""

    def __init__(self, room: Room, head: Camera, camera: Camera) -> None:
        self._room, self._head, self._camera = room, head, camera
        self._sift = cv2.SIFT_create(FEATURES, contrastThreshold=CONTRAST)

    def propose(
        self, grey: Any, hand: HandSeen, looks: Sequence[Look], *, stances: Sequence[Stance]
    ) -> Iterator[SE3]:
        """world_from_camera candidates, found one at a time.

        looks: head pictures, the nearest in time first.   stances: to try, likely ones first.
        """
        if not self._room.planes:
            return
        seen = self._features(grey)
        for stance in stances:
            view = stance.view(self._room.planes[0], hand)
            for _ in range(0 if view is None else ROUNDS):  # again from where the answer says
                found = self._compare(seen, hand, looks, view=view)
                if found is None:
                    break
                if found[1] >= LEAST_MATCHES:
                    yield found[0]
                view = found[0]

    def _compare(
        self, seen: _Features, hand: HandSeen, looks: Sequence[Look], *, view: SE3
    ) -> tuple[SE3, int] | None:
        drawn, shown = draw(self._room, looks, self._head, view=(self._camera, view))
        there = self._features(drawn, cv2.erode(shown.astype(np.uint8), np.ones((9, 9))))
        here, match = _matches(seen.words, there.words)
        rays, _, _ = rays_of(self._camera, there.uv_px[match])
        points, owner = self._room.hit(view.translation, rays @ view.rotation.T)
        rays, rad_per_px, valid = rays_of(self._camera, seen.uv_px[here])
        good = valid & (owner >= 0)
        return pose_near(View(points[good], rays[good], rad_per_px[good]), hand)

    def _features(self, grey: Any, mask: Any = None) -> _Features:
        spots, words = self._sift.detectAndCompute(grey, mask)
        if words is None:
            return _Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
        share = words / np.maximum(words.sum(axis=1, keepdims=True), 1e-9)
        return _Features(np.array([s.pt for s in spots]), np.sqrt(share))


def _matches(first: Any, second: Any) -> tuple[Ints, Ints]:
    """Rows of mutual nearest descriptors, clearly nearer than the next."""
    if len(first) < 2 or len(second) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    alike = first @ second.T
    rows = np.arange(len(first))
    best = alike.argmax(axis=1)
    two = np.partition(alike, -2, axis=1)[:, -2:]
    near = np.sqrt(np.maximum(2 - 2 * two, 0))
    good = (near[:, 1] < RATIO * near[:, 0]) & (alike.argmax(axis=0)[best] == rows)
    return rows[good], best[good]


def pose_near(view: View, hand: HandSeen) -> tuple[SE3, int] | None:
    """world_from_camera near a hand that most points agree on, and how many do; None if too few.

    Three points at a time (Ke and Roumeliotis 2017), the same samples every time.
    """
    front = np.flatnonzero(view.rays[:, 2] > 0.2)
    if len(front) < LEAST_HINT:
        return None
    flat = view.rays[front, :2] / view.rays[front, 2:]
    rng = np.random.default_rng(0)
    turns, moves = [], []
    for three in rng.permuted(np.tile(np.arange(len(front)), (SAMPLES, 1)), axis=1)[:, :3]:
        _, rotvecs, shifts = cv2.solveP3P(
            view.points[front[three]], flat[three], np.eye(3), None, flags=cv2.SOLVEPNP_AP3P
        )
        turns += rotvecs
        moves += shifts
    if not turns:
        return None
    rotation, shift = matrix_from_rotvec(np.stack(turns)[..., 0]), np.stack(moves)[..., 0]
    near = hand.near(-np.einsum("hji,hj->hi", rotation, shift))
    if not near.any():
        return None
    best = _most_agreed(view, rotation[near], shift[near])
    found = refine_pose(view, best, sigma_px=2.0, outlier_px=OUTLIER_PX)
    pose = SE3(
        nearest_rotation(found.camera_from_world.rotation), found.camera_from_world.translation
    )
    agree = int(found.inlier.sum())
    placed = pose.inverse()
    return (
        (placed, agree) if agree >= LEAST_HINT and hand.near(placed.translation[None])[0] else None
    )


def _most_agreed(view: View, rotation: Floats, shift: Floats) -> SE3:
    """The camera_from_world with the least sum of bounded squared errors."""
    seen = np.einsum("hij,nj->hni", rotation, view.points) + shift[:, None]
    along = np.sum(seen * view.rays, axis=2)
    across = np.linalg.norm(seen - along[..., None] * view.rays, axis=2)
    error = np.where(along > 1e-6, across / np.maximum(along, 1e-6), np.inf) / view.rad_per_px
    best = int(np.minimum(error**2, OUTLIER_PX**2).sum(axis=1).argmin())
    return SE3(rotation[best], shift[best])
