"""How a head moves over a desk: the gaze goes ahead of the hand, the body sways and steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from sim.motion.tracks import PoseSpline, SmoothNoise, minimum_jerk

Array = NDArray[np.float64]

KNOT_HZ = 100.0
MARGIN_S = 1.0  # the motion is defined this long before and after the take
STAND = np.array([0.05, 0.0, 0.43])  # eyes over the near edge of the desk, bent over the work
CENTRE = np.array([0.27, 0.0, 0.02])
NEAREST_AIM_M = 0.20  # nearer things are looked at with the eyes alone
HEAD_SHARE = 0.70  # how much of a gaze shift the head does; the eyes do the rest
MOST_LEAN_M = 0.07
TURN_RAD_S = 4.6  # natural frequency of the neck


def head_motion(
    gaze: list[tuple[float, Array]], *, seconds: float, rng: np.random.Generator
) -> PoseSpline:
    """desk_from_head (camera axes: x right, y down, z forward) over a take of ``seconds``."""
    times = np.arange(-MARGIN_S, seconds + MARGIN_S, 1.0 / KNOT_HZ)
    aim = _aim(gaze, times)
    lean = np.clip(0.20 * (aim - CENTRE), -MOST_LEAN_M, MOST_LEAN_M) * [1.0, 1.0, 0.0]
    position = STAND + _body(times, seconds, rng) + lean
    position += SmoothNoise.draw(rng, (0.15, 0.6), 0.008).at(times)
    position += SmoothNoise.draw(rng, (1.0, 3.0), 0.0010).at(times)
    rotation = look_at(position, aim)
    nod = SmoothNoise.draw(rng, (0.2, 1.0), 0.030).at(times)
    nod += SmoothNoise.draw(rng, (5.0, 9.0), 0.0006).at(times)
    return PoseSpline(times, SE3(rotation @ matrix_from_rotvec(nod), position))


def look_at(eye: Array, target: Array) -> Array:
    """Rotations (T, 3, 3) of upright cameras at ``eye`` (T, 3) that look at ``target`` (T, 3)."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], -1)


def _aim(gaze: list[tuple[float, Array]], times: Array) -> Array:
    """Where the head points (T, 3): gaze targets, shrunk to the centre, through a damped neck."""
    begin = np.array([at for at, _ in gaze])
    points = np.stack([CENTRE + HEAD_SHARE * (point - CENTRE) for _, point in gaze])
    points[:, 0] = np.maximum(points[:, 0], NEAREST_AIM_M)
    wanted = points[np.clip(np.searchsorted(begin, times, "right") - 1, 0, None)]
    step = 1.0 / KNOT_HZ
    aim, speed = wanted[0].copy(), np.zeros(3)
    path = np.empty_like(wanted)
    for i, goal in enumerate(wanted):
        speed = speed + step * (TURN_RAD_S**2 * (goal - aim) - 2 * TURN_RAD_S * speed)
        aim = aim + step * speed
        path[i] = aim
    return path


def _body(times: Array, seconds: float, rng: np.random.Generator) -> Array:
    """Steps (T, 3): leaning in at the start, then small steps every few seconds, with a bob."""
    side = float(rng.choice([-1.0, 1.0]))
    start = np.array([-0.07, 0.06 * side, 0.04])
    offset = start - minimum_jerk((times - 0.1) / 1.6)[:, None] * start
    now, at = np.zeros(3), 2.5 + float(rng.uniform(0, 1.5))
    while at < seconds:
        goal = np.clip(rng.normal(0, (0.03, 0.07, 0.008)), -0.12, 0.12)
        duration = float(rng.uniform(0.6, 0.9))
        s = minimum_jerk((times - at) / duration)
        offset += s[:, None] * (goal - now)
        offset[:, 2] += 0.007 * np.sin(np.pi * s) ** 2
        now, at = goal, at + duration + float(rng.uniform(1.5, 4.0))
    return offset
