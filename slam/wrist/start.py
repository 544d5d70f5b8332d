"""Where a wrist camera is, from nothing: its picture and the head's, both turned into what is seen
of the table from straight above, are compared around the hand that the head camera sees.

Seen from above, pictures of a table differ by a turn, a shift and a size, wherever the two cameras
were; only how far the camera is rolled must be tried. What comes out is a proposal: `tracking`
believes it when many map points are found with it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from core.geometry.arrays import Bools, Floats, Ints, unit
from core.geometry.cameras import Camera
from core.geometry.rotations import matrix_from_rotvec, nearest_rotation
from core.geometry.se3 import SE3
from slam.sight.localise import View, refine_pose
from slam.sight.rays import rays_of
from slam.wrist.drawing import Look, Table, coarse_pixels, pulled
from slam.wrist.hands_seen import HandSeen
from slam.wrist.surfaces import Plane

SIDE_PX = 320  # of the wrist's picture: the head's, from far above, holds no finer detail
M_PER_PX, TABLE_PX = 0.002, 320  # of the table from above
AHEAD_M, BEHIND_M, BESIDE_M = 0.32, 0.03, 0.2  # what is drawn around the wrist camera
LEAST_HEIGHT_M, MOST_HEIGHT_M = 0.012, 0.25  # of a wrist camera above the table
LEAST_ALONG = 0.26  # cosine of its view to where the fingers point
MOST_TILT = 0.5  # sine of how much the camera looks down or up
WRIST_ABOVE_M, MIDDLE_AHEAD_M = 0.08, 0.12  # where to draw the table: wrist's height, from there on
LEVEL, RAISED, BENT = (0.06, 0.0), (0.12, -8.0), (0.08, 20.0)  # metres above, degrees down
GUESSES = ((LEVEL, RAISED), (LEVEL, RAISED), (BENT,))  # how the camera is held, tried in turn
ROLLS_DEG = ((0.0, -30.0, 30.0), (-15.0, 15.0, -50.0, 50.0))  # the others if those give no pose
ROLLS_SINCE_DEG = (0.0, -25.0, 25.0)  # of a camera that was seen before, from how it was then
FEATURES, CONTRAST, RATIO = 1500, 0.01, 0.9
SAMPLES, OUTLIER_PX = 600, 4.0
LEAST_MATCHES = 5  # that agree, to propose
LEAST_PAIRS = 8  # of features that the hand allows, to look for a pose at all


@dataclass(frozen=True, eq=False)
class _Above:
    """Features of a picture from straight above. uv_px ``(N,2)``.   size, angle ``(N,)``.
    words ``(N,128)``: root-SIFT, unit length."""

    uv_px: Floats
    size: Floats
    angle: Floats
    words: Any

    def __getitem__(self, rows: Any) -> "_Above":
        return _Above(self.uv_px[rows], self.size[rows], self.angle[rows], self.words[rows])


@dataclass(frozen=True, eq=False)
class _Hold:
    """How a camera is held: height above the table, and up ``(3,)`` in the camera."""

    height_m: float
    up: Floats


@dataclass(frozen=True, eq=False)
class _Floor:
    """The table as drawn around a hand. middle ``(3,)``; axes ``(2,3)`` unit: right and down in
    the drawing.   up ``(3,)``."""

    middle: Floats
    axes: Floats
    up: Floats
    seen: _Above

    def points(self, uv_px: Floats) -> Floats:
        """World points ``(N,3)`` of pixels of the drawing."""
        return self.middle + M_PER_PX * (uv_px - TABLE_PX / 2) @ self.axes


class Starter:
    """Proposes poses of one wrist camera in one map. head: the camera of the looks."""

    def __init__(self, table: Table | None, head: Camera, camera: Camera) -> None:
        self._table, self._head = table, head
        shrink = SIDE_PX / max(camera.size_wh)
        width, height = (round(shrink * side) for side in camera.size_wh)
        self._camera = camera.scaled((width, height)) if shrink < 1 else camera
        self._sift = cv2.SIFT_create(FEATURES, contrastThreshold=CONTRAST)

    def propose(
        self,
        grey: Any,
        hand: HandSeen,
        looks: Sequence[Look],
        *,
        guess: int = 0,
        before: SE3 | None = None,
    ) -> Iterator[SE3]:
        """world_from_camera candidates. looks: head pictures, the nearest in time first.   guess:
        of ``GUESSES``; a table looks about alike from a little beside.   before: where the camera
        was last, to be held about as it was then; None for any way of holding it.
        """
        floor = self._floor(hand, looks)
        if floor is None:
            return
        small = cv2.resize(grey, self._camera.size_wh, interpolation=cv2.INTER_AREA)
        pairs = np.zeros((0, 6))
        for holds in _guessed(guess) if before is None else [_since(before, floor)]:
            parts = [self._alike(small, floor, hand, hold=hold) for hold in holds]
            pairs = np.concatenate([pairs, *parts])
            if not len(pairs):
                return
            if len(pairs) >= (LEAST_PAIRS if before is None else LEAST_MATCHES):
                yield from self._exact(small, floor, hand, pairs=pairs)

    def _exact(self, small: Any, floor: _Floor, hand: HandSeen, *, pairs: Floats) -> Iterator[SE3]:
        """The pose that pairs agree on, and the one from the picture as drawn with it."""
        found = self._pose(pairs, floor, hand)
        if found is None:
            return
        yield found
        hold = _Hold(
            float((found.translation - floor.middle) @ floor.up), found.rotation.T @ floor.up
        )
        again = self._pose(self._alike(small, floor, hand, hold=hold), floor, hand)
        if again is not None:
            yield again

    def _pose(self, pairs: Floats, floor: _Floor, hand: HandSeen) -> SE3 | None:
        """From directions in the camera and points, ``(N,6)``."""
        uv, _ = self._camera.project(pairs[:, :3])
        rays, rad_per_px, valid = rays_of(self._camera, uv)

        def allowed(rotation: Floats, translation: Floats) -> Bools:
            height = (translation - floor.middle) @ floor.up
            up = floor.up @ rotation
            fingers = rotation[:, :, 2] @ -floor.axes[1] > LEAST_ALONG
            level = (np.abs(up[:, 2]) < MOST_TILT) & (up[:, 1] < 0)
            fits = (height > LEAST_HEIGHT_M) & (height < MOST_HEIGHT_M)
            good: Bools = hand.near(translation) & fits & fingers & level
            return good

        return agreed_pose(View(pairs[valid, 3:], rays[valid], rad_per_px[valid]), allowed)

    def _floor(self, hand: HandSeen, looks: Sequence[Look]) -> _Floor | None:
        if self._table is None:
            return None
        plane = self._table.plane
        up = plane.normal * np.sign((hand.eye - plane.centre) @ plane.normal or 1.0)
        level = Plane(up, plane.centre + WRIST_ABOVE_M * up)
        wrist, met = level.meet(hand.eye[None], hand.ray[None])
        if not met[0]:
            return None
        ahead = unit(hand.ahead - (hand.ahead @ up) * up)
        middle = wrist[0] - WRIST_ABOVE_M * up + MIDDLE_AHEAD_M * ahead
        axes = np.stack([np.cross(ahead, up), -ahead])
        drawn, shown = self._table.drawn(
            looks, self._head, middle=middle, axes=M_PER_PX * axes, side_px=TABLE_PX
        )
        return _Floor(middle, axes, up, self._features(drawn, shown))

    def _alike(self, grey: Any, floor: _Floor, hand: HandSeen, *, hold: _Hold) -> Floats:
        """``(N,6)`` directions in the camera and points on the table that look alike, with the
        camera where the hand allows it to be."""
        up = hold.up
        ahead = unit(np.array([0.0, 0.0, 1.0]) - up[2] * up)
        right = np.cross(ahead, up)
        size = (round(2 * BESIDE_M / M_PER_PX), round((AHEAD_M + BEHIND_M) / M_PER_PX))
        foot = np.array([BESIDE_M, AHEAD_M]) / M_PER_PX  # the spot below the camera

        def directions(uv_px: Floats) -> Floats:
            away = M_PER_PX * (uv_px - foot)
            return unit(away[:, :1] * right - away[:, 1:] * ahead - hold.height_m * up)

        uv, valid = self._camera.project(directions(coarse_pixels(size).reshape(-1, 2)))
        seen = self._features(*pulled(grey, self._camera, uv_px=uv, valid=valid, size_wh=size))
        here, there = _matches(seen.words, floor.seen.words)
        seen, drawn = seen[here], floor.seen[there]
        good = _by_hand((seen, drawn), floor=floor, hand=hand, foot=foot, height_m=hold.height_m)
        return np.hstack([directions(seen.uv_px[good]), floor.points(drawn.uv_px[good])])

    def _features(self, grey: Any, shown: Bools) -> _Above:
        inside = shown.astype(np.uint8)
        left, top, width, height = cv2.boundingRect(inside)
        if not width:
            return _Above(
                np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros((0, 128), np.float32)
            )
        box = np.s_[top : top + height, left : left + width]
        inside = cv2.erode(inside, np.ones((9, 9)))
        spots, words = self._sift.detectAndCompute(grey[box], inside[box])
        rows = np.array([(*s.pt, s.size, np.deg2rad(s.angle)) for s in spots]).reshape(-1, 4)
        if words is None:
            words = np.zeros((0, 128), np.float32)
        share = words / np.maximum(words.sum(axis=1, keepdims=True), 1e-9)
        return _Above(rows[:, :2] + [left, top], rows[:, 2], rows[:, 3], np.sqrt(share))


def _guessed(guess: int) -> Iterator[list[_Hold]]:
    """Ways of holding a camera, the likely ones first."""
    for rolls in ROLLS_DEG:
        ways = GUESSES[guess % len(GUESSES)]
        yield [_Hold(height, _up(roll, down)) for height, down in ways for roll in rolls]


def _since(before: SE3, floor: _Floor) -> list[_Hold]:
    """Those near the one that it was held in last: a forearm rolls, and its strap stays."""
    rolls = [matrix_from_rotvec([0.0, 0.0, np.deg2rad(roll)]) for roll in ROLLS_SINCE_DEG]
    return [_Hold(LEVEL[0], roll @ before.rotation.T @ floor.up) for roll in rolls]


def _up(roll_deg: float, down_deg: float) -> Floats:
    """``(3,)`` up in a camera that looks so much down and is rolled."""
    roll, down = np.deg2rad((roll_deg, down_deg))
    return np.array([np.sin(roll) * np.cos(down), -np.cos(roll) * np.cos(down), -np.sin(down)])


def _by_hand(
    pairs: tuple[_Above, _Above], *, floor: _Floor, hand: HandSeen, foot: Floats, height_m: float
) -> Bools:
    """``(N,)`` pairs of features that put the camera by the hand and about along the fingers: size
    and angle of one pair say where the spot below the camera (``foot``) is on the table."""
    seen, drawn = pairs
    scale, turn = drawn.size / seen.size, drawn.angle - seen.angle
    away = foot - seen.uv_px
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    turned = np.stack([cos * away[:, 0] - sin * away[:, 1], sin * away[:, 0] + cos * away[:, 1]])
    height = scale * height_m
    near = hand.near(floor.points(drawn.uv_px + turned.T) + height[:, None] * floor.up)
    ahead = np.cos(turn) > LEAST_ALONG
    return near & ahead & (height > LEAST_HEIGHT_M) & (height < MOST_HEIGHT_M)


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


def agreed_pose(view: View, allowed: Callable[[Floats, Floats], Bools]) -> SE3 | None:
    """world_from_camera that most points agree on; None if too few do. allowed: which of some
    rotations ``(H,3,3)`` and translations ``(H,3)`` of it may be.

    Three points at a time (Ke and Roumeliotis 2017), the same samples every time.
    """
    front = np.flatnonzero(view.rays[:, 2] > 0.2)
    if len(front) < LEAST_MATCHES:
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
    good = allowed(rotation.swapaxes(1, 2), -np.einsum("hji,hj->hi", rotation, shift))
    if not good.any():
        return None
    best = _most_agreed(view, rotation[good], shift[good])
    found = refine_pose(view, best, sigma_px=2.0, outlier_px=OUTLIER_PX)
    placed = found.camera_from_world.inverse()
    placed = SE3(nearest_rotation(placed.rotation), placed.translation)
    if found.inlier.sum() < LEAST_MATCHES:
        return None
    return placed if allowed(placed.rotation[None], placed.translation[None])[0] else None


def _most_agreed(view: View, rotation: Floats, shift: Floats) -> SE3:
    """The camera_from_world with the least sum of bounded squared errors."""
    seen = np.einsum("hij,nj->hni", rotation, view.points) + shift[:, None]
    along = np.sum(seen * view.rays, axis=2)
    across = np.linalg.norm(seen - along[..., None] * view.rays, axis=2)
    error = np.where(along > 1e-6, across / np.maximum(along, 1e-6), np.inf) / view.rad_per_px
    best = int(np.minimum(error**2, OUTLIER_PX**2).sum(axis=1).argmin())
    return SE3(rotation[best], shift[best])
