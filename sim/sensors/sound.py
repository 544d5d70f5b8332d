"""What is heard: things set down, picked up and closed, by the microphone of every camera.

A knock is a few damped tones and a click, different for each thing. It reaches a camera after its
way through the air, and lies in the file where the camera's own clock puts it: so the tracks of
two files can be laid over each other, and their offset is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.motion.human import Human
from sim.scene.choreography import camera_pose
from sim.sensors.clocks import Timing

Array = NDArray[np.float64]

RATE_HZ = 48_000
SPEED_OF_SOUND_M_S = 343.0
KNOCK_S = 0.15
HISS = 0.0012  # one sigma, of full scale
LOUDNESS = {"set down": 0.35, "picked up": 0.06, "closed": 0.5}
NEAREST_M = 0.15


@dataclass(frozen=True, eq=False)
class Knock:
    """One sound. seconds: of the plan.  at_desk: (3,) where it comes from."""

    seconds: float
    kind: str
    thing: str
    at_desk: Array


def knocks(human: Human) -> list[Knock]:
    """Every sound of a take, in order."""
    found = []
    for name, holds in human.plan.holds.items():
        for before, hold in pairwise(holds):
            at, kind = hold.start_s, "picked up" if hold.arm else "set down"
            if hold.arc is not None:
                at, kind = hold.end_s, "closed"
            if (hold.arc is not None or hold.arm != before.arm) and 0 < at < human.plan.seconds:
                place = human.thing(name, np.array([at])).translation[0]
                found.append(Knock(at, kind, name, place))
    return sorted(found, key=lambda knock: (knock.seconds, knock.thing))


def arrivals(sounds: list[Knock], human: Human, stream: str) -> tuple[Array, Array]:
    """(true seconds at which a camera hears each sound, how loud it is there), (E,) each."""
    at = np.array([knock.seconds for knock in sounds])
    if len(at) == 0:
        return at, at
    ears = camera_pose(human, stream, at).translation
    way = np.linalg.norm(ears - np.stack([knock.at_desk for knock in sounds]), axis=1)
    loudness = np.array([LOUDNESS[knock.kind] for knock in sounds])
    return at + way / SPEED_OF_SOUND_M_S, loudness * 0.4 / np.maximum(way, NEAREST_M)


class Microphone:
    """The sound track of one file, from its first picture on by its own clock."""

    def __init__(self, sounds: list[Knock], human: Human, *, stream: str, timing: Timing) -> None:
        heard, gains = arrivals(sounds, human, stream)
        self._starts = RATE_HZ * (timing.clock.stamps(heard) - timing.stamps[0])
        self._gains, self._things = gains, [knock.thing for knock in sounds]
        self._shapes = {thing: knock_shape(thing) for thing in self._things}
        self._hiss = np.random.default_rng([*stream.encode()])

    def samples(self, start: int, count: int) -> NDArray[np.float32]:
        """(count,) of full scale, from sample ``start``; ask for them in order."""
        track = self._hiss.normal(0, HISS, count)
        first = np.ceil(self._starts).astype(np.int64) - start
        for k in np.flatnonzero((first < count) & (first > -int(KNOCK_S * RATE_HZ))):
            begin, shape = int(first[k]), self._shapes[self._things[k]]
            low, high = max(begin, 0), min(begin + len(shape), count)
            track[low:high] += self._gains[k] * shape[low - begin : high - begin]
        return np.clip(track, -1, 1).astype(np.float32)


def knock_shape(thing: str) -> Array:
    """(N,) damped tones and a click, of peak about 1; the same for the same thing."""
    rng = np.random.default_rng([*thing.encode()])
    seconds = np.arange(int(KNOCK_S * RATE_HZ)) / RATE_HZ
    shape = 0.5 * rng.normal(0, 1, len(seconds)) * np.exp(-seconds / 0.0015)
    for _ in range(4):
        pitch, decay = rng.uniform(350, 3200), rng.uniform(0.006, 0.03)
        shape += (
            rng.uniform(0.2, 0.5) * np.cos(2 * np.pi * pitch * seconds) * np.exp(-seconds / decay)
        )
    return np.asarray(shape / np.abs(shape).max())
