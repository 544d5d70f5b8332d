"""When every picture is really taken, and what the clock of its stream says about it.

True times are seconds of the plan (0 is the first head frame). A stream's clock says

    stamp = true + offset + drift * true

and the rig file knows nothing of it. Pictures are lost, come late, and cameras slow down in the
dark; which and when is part of the truth (`sim/sync.json`, `capture/frames.parquet`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.rig import Preset

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

PHASE_S = {"left_wrist": 0.0061, "right_wrist": 0.0137}  # cameras that nobody triggers together
SIGN = {"left_wrist": 1.0, "right_wrist": -0.6}  # the wrists' clocks run off in opposite ways
JITTER_LIMIT = 0.3  # of a period
LATE_BY = (0.65, 0.9)  # of a period, after which the next picture is on time again
DIM_PERIOD_S = 9.0  # how often the light goes down where the rate varies


@dataclass(frozen=True)
class Clock:
    """A stream's clock against the truth. drift: seconds gained per second."""

    offset_s: float = 0.0
    drift: float = 0.0

    def stamps(self, seconds: Array) -> Array:
        """What the clock says at true times (T,)."""
        return np.asarray(seconds + self.offset_s + self.drift * seconds)


@dataclass(frozen=True, eq=False)
class Timing:
    """One stream's pictures. seconds: (N,) true mid-exposure.  late: (N,) longer than a jitter.
    lost: (L,) when the pictures that were dropped would have been taken.
    """

    seconds: Array
    late: Flags
    lost: Array
    clock: Clock

    @property
    def stamps(self) -> Array:
        """(N,) seconds as the stream's clock says."""
        return self.clock.stamps(self.seconds)


def clock_of(stream: str, preset: Preset) -> Clock:
    """The clock of a camera or of "imu": cameras on the head are triggered together."""
    if stream == "imu":
        return Clock(preset.imu_offset_ms / 1e3, preset.imu_drift_ppm * 1e-6)
    sign = SIGN.get(stream, 0.0)
    return Clock(sign * preset.wrist_offset_ms / 1e3, sign * preset.wrist_drift_ppm * 1e-6)


def take_pictures(
    stream: str, preset: Preset, *, fps: float, seconds: float, rng: np.random.Generator
) -> Timing:
    """When a camera takes its pictures during a take of ``seconds``."""
    nominal = _beat(fps, seconds, slow=preset.slow) + PHASE_S.get(stream, 0.0)
    count = len(nominal)
    limit = JITTER_LIMIT / fps
    delay = np.clip(rng.normal(0, preset.late_ms / 1e3, count), -limit, limit)
    late = rng.random(count) < preset.late
    late &= np.arange(count) < count - 1
    late[1:] &= ~late[:-1]
    kept = rng.random(count) >= preset.drop
    late[:1], delay[:1], kept[:1] = False, 0.0, True
    period = np.diff(nominal, append=nominal[-1] + 1 / fps)
    delay[late] = rng.uniform(*LATE_BY, int(late.sum())) * period[late]
    after = np.flatnonzero(late) + 1
    delay[after], kept[after] = np.maximum(delay[after], 0.0), True
    return Timing((nominal + delay)[kept], late[kept], nominal[~kept], clock_of(stream, preset))


def _beat(fps: float, seconds: float, *, slow: float) -> Array:
    """The instants a camera means to take pictures at; slow: how much longer the steps get."""
    if slow <= 0:
        return np.arange(int(seconds * fps)) / fps
    instants, now = [], 0.0
    while now < seconds:
        instants.append(now)
        dark = 0.5 - 0.5 * np.cos(2 * np.pi * now / DIM_PERIOD_S)
        now += (1 + slow * dark) / fps
    return np.array(instants)
