"""How a hand takes a thing: where the wrist goes and how far each finger closes.

The hand is posed so that the thing lies midway between the thumb's tip and the tips of index and
middle finger; then each finger closes until it touches (distance to the thing = its radius).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from sim.hand.skeleton import FINGERS, JOINTS, SHAPES, THUMB_RADII, posture
from sim.tasks.things import Thing, Vector, thing_distance

Array = NDArray[np.float64]

PRESHAPE_OPENING = np.array([0.25, 0.17, 0.17, 0.17, 0.17])  # closure given back in a reach
MORE_CLOSING = np.array([0.15, 0.12, 0.12, 0.08, 0.08])  # beyond the nominal grip, until touch
REST_CLOSURE = np.array([0.10, 0.08, 0.10, 0.12, 0.14])
# pitch and roll of a hand that takes something, the usual way first
TALL_WAYS = np.array([[0.12, 0.95], [0.3, 0.7]])
LOW_WAYS = np.array([[0.2, 0.3], [0.15, 0.1], [0.1, -0.05], [0.05, -0.2]])
LONG = 1.6  # a box this much longer than wide is taken across
MOST_TURN = 0.35  # a wrist turns this far to lie square to a box, not further
TOUCH_M = 0.0005
CONTACT_M = 0.003  # a finger nearer than this touches
CLEARANCE_M = 0.002
HAND_SCALES = (0.91, 1.09)  # of a 185 mm hand: 168 to 202 mm
LOWEST_REST_M = 0.106
PRESS_CLOSURE = 0.10  # fingers of a hand that pushes, nearly straight
SHOULDER = {"left": np.array([-0.12, 0.19, 0.16]), "right": np.array([-0.12, -0.19, 0.16])}
SIGN = {"left": -1.0, "right": 1.0}
PALM_DOWN = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])


@dataclass(frozen=True, eq=False)
class Grasp:
    """desk_from_hand: wrist pose when holding.  closure (5,): fingers in touch.

    opening (5,): fingers before.  contact (5,) bool: which fingers touch.  hand_from_thing.
    share: pressing what hinges, how much of its turn the hand makes.
    """

    desk_from_hand: SE3
    closure: Array
    opening: Array
    contact: NDArray[np.bool_]
    hand_from_thing: SE3
    share: float = 1.0


@dataclass(frozen=True)
class HumanHands:
    """Two hands of a size, as the planner sees them (`sim.motion.plan.Body`)."""

    scale: float = 1.0
    pace: float = 1.0
    above_m: float = 0.0

    def rest(self, side: str, rng: np.random.Generator) -> tuple[SE3, Array]:
        """Above the near edge of the desk, palm down, fingers forward and loosely open."""
        place = np.array([0.13, -SIGN[side] * 0.15, 0.108]) + rng.normal(0, 0.012, 3)
        place[2] = max(place[2], LOWEST_REST_M * self.scale)  # the fingers stay off the desk
        return SE3(hand_rotation(side, SIGN[side] * 0.35, -0.05, roll=0.10), place), REST_CLOSURE

    def grasp(
        self, thing: Thing, desk_from_thing: SE3, *, side: str, rng: np.random.Generator
    ) -> Grasp:
        """Between thumb and fingers."""
        return grasp_thing(thing, desk_from_thing, side=side, scale=self.scale, rng=rng)

    def press(
        self, thing: Thing, desk_from_thing: SE3, *, side: str, rng: np.random.Generator
    ) -> Grasp:
        """With the pads of the fingers, palm to the lid; the hand then turns with it."""
        return press_lid(thing, desk_from_thing, side=side, scale=self.scale, rng=rng)


def hand_rotation(side: str, yaw: float, pitch: float, *, roll: float) -> Array:
    """Rotation of a hand over a desk: ``yaw`` left, fingers ``pitch`` down, thumb ``roll`` up."""
    turn = matrix_from_ypr(yaw, pitch, SIGN[side] * roll)
    return np.asarray(turn @ PALM_DOWN)


def grasp_thing(
    thing: Thing,
    desk_from_thing: SE3,
    *,
    side: str,
    scale: float,
    rng: np.random.Generator,
) -> Grasp:
    """A grasp of a thing where it stands; small variations from ``rng``.

    Low things need a flatter hand: ways to hold it are tried until thumb and a finger touch.
    """
    tall = thing.half[2] > 1.25 * max(thing.half[0], thing.half[1])
    jitter = rng.normal(0, 0.06, 2)
    best: Grasp | None = None
    for way in TALL_WAYS if tall else LOW_WAYS:
        grasp = _grasp_in(thing, desk_from_thing, way + jitter, side=side, scale=scale)
        if best is None or _touch_count(grasp) > _touch_count(best):
            best = grasp
        if grasp.contact[0] and grasp.contact[1:3].any():
            return grasp
    assert best is not None
    return best


def _touch_count(grasp: Grasp) -> int:
    """How good a hold is: the thumb against one of the first two fingers counts most."""
    return 10 * int(grasp.contact[0] and grasp.contact[1:3].any()) + int(grasp.contact.sum())


def _grasp_in(
    thing: Thing, desk_from_thing: SE3, pitch_roll: Array, *, side: str, scale: float
) -> Grasp:
    """The grasp with the hand pitched and rolled so."""
    pitch, roll = (float(v) for v in pitch_roll)
    centre = desk_from_thing.translation
    towards = centre - SHOULDER[side]
    yaw = float(np.arctan2(towards[1], towards[0])) + SIGN[side] * 0.30
    width = 2 * min(thing.half[0], thing.half[1])
    rotation = hand_rotation(side, yaw, pitch, roll=roll)
    grip = pinch(width, rotation, side=side, scale=scale)
    if thing.parts[0].shape == "box":
        turn = turn_to_faces(rotation @ grip.axis_in_hand, desk_from_thing.rotation, thing.half)
        yaw += float(np.clip(turn, -MOST_TURN, MOST_TURN))
        rotation = hand_rotation(side, yaw, pitch, roll=roll)
    wrist = centre - rotation @ grip.middle_in_hand
    opening = np.maximum(grip.closure - PRESHAPE_OPENING, 0.0)
    closing = opening + np.linspace(0, 1, 6)[:, None] * (grip.closure - opening)
    lift = _lift_needed(SE3(rotation, wrist), closing, side=side, scale=scale)
    desk_from_hand = SE3(rotation, wrist + np.array([0.0, 0.0, lift]))
    for _ in range(3):  # lay the thumb on the thing; the fingers then close on it
        thumb = (desk_from_hand, float(grip.closure[0]))
        gap = _clearance(thing, desk_from_thing, thumb, finger=0, side=side, scale=scale)
        slide = rotation @ grip.axis_in_hand * [1.0, 1.0, 0.0]
        desk_from_hand = SE3(rotation, desk_from_hand.translation + (gap - TOUCH_M) * slide)
    closure, contact = close_on(
        thing, desk_from_thing, (desk_from_hand, opening), side=side, scale=scale
    )
    hand_from_thing = desk_from_hand.inverse() @ desk_from_thing
    return Grasp(desk_from_hand, closure, opening, contact, hand_from_thing)


@dataclass(frozen=True, eq=False)
class Grip:
    """closure (5,) with the tips a width apart; middle between them and thumb→fingers axis."""

    closure: Array
    middle_in_hand: Array
    axis_in_hand: Array


def pinch(width: float, desk_from_hand: Array, *, side: str, scale: float) -> Grip:
    """The closing of thumb and fingers that takes a thing this wide from a flat surface.

    Searched over both: tips a width apart, level with each other, nothing far below the tips.
    """
    levels = np.linspace(0.0, 0.9, 31)
    thumbs, rest = (grid.reshape(-1) for grid in np.meshgrid(levels, levels, indexing="ij"))
    closures = np.stack([thumbs, rest, rest, rest, rest], 1)
    joints = posture(closures, side=side, scale=scale).joints @ desk_from_hand.T
    thumb = joints[:, JOINTS.index("thumb_tip")]
    fingers = 0.5 * (joints[:, JOINTS.index("index_tip")] + joints[:, JOINTS.index("middle_tip")])
    between = fingers - thumb
    gap = np.linalg.norm(between, axis=1)
    wanted = width + scale * (THUMB_RADII[3] + 0.0071) - 0.003
    below = np.clip(0.5 * (fingers + thumb)[:, 2] - joints[:, :15, 2].min(1) - 0.004, 0.0, None)
    # fingers close towards the palm, not sideways
    across = np.abs(between @ desk_from_hand[:, 1]) / gap
    cost = (
        1.5 * across
        + 40 * np.abs(gap - wanted)
        + 1.2 * np.abs(between[:, 2]) / gap
        + 30 * below
        + 1.0 * rest
    )
    k = int(np.argmin(cost))
    return Grip(
        closures[k],
        desk_from_hand.T @ (0.5 * (fingers[k] + thumb[k])),
        desk_from_hand.T @ (between[k] / gap[k]),
    )


def turn_to_faces(axis_in_desk: Array, desk_from_thing: Array, half: Vector) -> float:
    """The smallest yaw that lays the grip's axis square to a side of a box, across a long one."""
    angle = np.arctan2(axis_in_desk[1], axis_in_desk[0])
    across = desk_from_thing[:, 0] if half[0] <= half[1] else desk_from_thing[:, 1]
    face = np.arctan2(across[1], across[0])
    long = max(half[0], half[1]) > LONG * min(half[0], half[1])
    period = np.pi if long else np.pi / 2
    return float((face - angle + period / 2) % period - period / 2)


def _lift_needed(desk_from_hand: SE3, closures: Array, *, side: str, scale: float) -> float:
    """How far to raise the hand so that no finger goes into the desk."""
    joints = posture(closures, side=side, scale=scale).joints
    heights = desk_from_hand.apply(joints.reshape(-1, 3))[:, 2]
    return max(0.0, CLEARANCE_M + 0.0105 * scale - float(heights.min()))


def finger_samples(closure: Array, finger: int, *, side: str, scale: float) -> tuple[Array, Array]:
    """Points (N, 18, 3) along one finger's bones, hand frame, and the radius (18,) at each."""
    full = np.zeros((len(closure), 5))
    full[:, finger] = closure
    first = 1 if finger == 0 else 5 * finger + 1
    joints = posture(full, side=side, scale=scale).joints[:, first : first + 4]
    radii = np.array(THUMB_RADII if finger == 0 else SHAPES[FINGERS[finger]].radii) * scale
    along = np.linspace(0.0, 1.0, 6)
    points, sizes = [], []
    for k in range(3):
        points.append(
            joints[:, None, k] + along[:, None] * (joints[:, None, k + 1] - joints[:, None, k])
        )
        sizes.append(radii[k] + along * (radii[k + 1] - radii[k]))
    return np.concatenate(points, 1), np.concatenate(sizes)


def close_on(
    thing: Thing, desk_from_thing: SE3, start: tuple[SE3, Array], *, side: str, scale: float
) -> tuple[Array, NDArray[np.bool_]]:
    """(closure (5,), contact (5,)): each finger closes until it touches the thing or the desk.

    start: desk_from_hand and the opening (5,) it closes from.
    """
    desk_from_hand, opening = start
    thing_from_desk = desk_from_thing.inverse()
    closure, contact = np.zeros(5), np.zeros(5, bool)
    reach = PRESHAPE_OPENING + MORE_CLOSING
    for finger in range(5):
        tries = np.clip(opening[finger] + np.linspace(0.0, reach[finger], 91), 0.0, 1.0)
        points, radii = finger_samples(tries, finger, side=side, scale=scale)
        in_desk = desk_from_hand.apply(points.reshape(-1, 3))
        clear = thing_distance(thing_from_desk.apply(in_desk), thing).reshape(points.shape[:2])
        clear = (clear - radii).min(1)
        height = (in_desk[:, 2].reshape(points.shape[:2]) - radii).min(1)
        stopped = np.flatnonzero((clear <= TOUCH_M) | (height < CLEARANCE_M))
        k = int(stopped[0]) if len(stopped) else len(tries) - 1
        closure[finger], contact[finger] = tries[k], clear[k] <= CONTACT_M
    return closure, contact


def press_lid(
    thing: Thing, desk_from_thing: SE3, *, side: str, scale: float, rng: np.random.Generator
) -> Grasp:
    """The hand laid on a hinged thing as if it were closed, then turned about its hinge with it.

    So the pads touch at every angle, and the palm that pushed a lid up comes down with it.
    """
    assert thing.hinge is not None
    shut = SE3(matrix_from_ypr(thing.yaw, 0.0, 0.0), desk_from_thing.translation)
    flat = np.full(5, PRESS_CLOSURE) + rng.uniform(-0.02, 0.02)
    yaw = SIGN[side] * float(rng.uniform(0.05, 0.25))
    rotation = hand_rotation(side, yaw, float(rng.uniform(0.06, 0.14)), roll=0.0)
    pad = posture(flat, side=side, scale=scale).joints[0, JOINTS.index("middle_dip")]
    above = np.array([0.0, rng.uniform(-0.01, 0.01), 0.03])
    spot = shut.apply(np.array(thing.hinge.press)) + above
    hand = SE3(rotation, spot - rotation @ pad)
    lowest = min(
        _clearance(thing, shut, (hand, flat[finger]), finger=finger, side=side, scale=scale)
        for finger in range(5)
    )
    hand = SE3(rotation, hand.translation - [0.0, 0.0, lowest - TOUCH_M])
    closure, contact = close_on(thing, shut, (hand, flat), side=side, scale=scale)
    hand_from_thing = hand.inverse() @ shut
    desk_from_hand = desk_from_thing @ hand_from_thing.inverse()
    return Grasp(desk_from_hand, closure, flat, contact, hand_from_thing)


def _clearance(
    thing: Thing,
    desk_from_thing: SE3,
    hold: tuple[SE3, float],
    *,
    finger: int,
    side: str,
    scale: float,
) -> float:
    """How far one finger of a hand, closed so far, is from a thing (negative: inside)."""
    desk_from_hand, closure = hold
    points, radii = finger_samples(np.array([closure]), finger, side=side, scale=scale)
    in_thing = (desk_from_thing.inverse() @ desk_from_hand).apply(points[0])
    return float((thing_distance(in_thing, thing) - radii).min())
