"""Refuses inertial data that cannot be right before it bends the path; messages hold the cure."""

import numpy as np

from core.errors import BadInputError
from core.geometry.arrays import Floats, Ints

MEAN_FORCE_M_S2 = (7.0, 13.0)  # |mean specific force| of anything that stays near the ground
MAX_TURN_RAD_S = 12.0  # a head turns at up to about 10 rad/s, and not for long
FROZEN_SAMPLES = 50
CHANNELS = ("gyro x", "gyro y", "gyro z", "accel x", "accel y", "accel z")
MOVES = (0.05, 0.2)  # standard deviation in rad/s and m/s^2 above which something moved
ALTERNATING, ALTERNATING_M_S2 = 4.0, 0.2  # between neighbours, against those two apart


def check_imu(
    timestamps_ns: Ints, gyro_rad_s: Floats, accel_m_s2: Floats, *, source: str
) -> tuple[bool, list[str]]:
    """Raises BadInputError for wrong units, clocks or values, which can be put right.

    Returns whether the samples tell anything, which no cure brings back, and warnings. ``source``
    names the file in messages. timestamps ``(M,)``; gyro, accel ``(M,3)``.
    """
    if len(timestamps_ns) < 2:
        raise BadInputError(f"{source}: {len(timestamps_ns)} IMU samples; record the IMU again")
    step_ns = np.diff(timestamps_ns)
    if step_ns.min() <= 0:
        row = int(np.argmin(step_ns > 0)) + 1
        back_ns = -int(step_ns[row - 1])
        what = f"goes back in time by {back_ns} ns" if back_ns else "repeats the time before it"
        raise BadInputError(
            f"{source}: IMU row {row} {what}; sort the rows, and keep one IMU per file"
        )
    for name, values in (("gyro", gyro_rad_s), ("accel", accel_m_s2)):
        if not np.isfinite(values).all():
            raise BadInputError(f"{source}: {name} holds NaN or infinity; remove those rows")
    _check_one_sensor(accel_m_s2, source)
    frozen = _frozen(timestamps_ns, gyro_rad_s, accel_m_s2, source=source)
    if frozen:
        return False, frozen
    _check_force(accel_m_s2, source)
    fast = float(np.quantile(np.linalg.norm(gyro_rad_s, axis=1), 0.95))
    if fast > MAX_TURN_RAD_S:
        raise BadInputError(
            f"{source}: the head would turn at {fast:.0f} rad/s; the gyro looks like deg/s: set "
            'gyro_unit = "deg/s" in rig.toml'
        )
    return True, _holes(step_ns, source)


def _frozen(
    timestamps_ns: Ints, gyro_rad_s: Floats, accel_m_s2: Floats, *, source: str
) -> list[str]:
    """One line about axes that stand still for a quarter of the recording while others move."""
    values = np.concatenate([gyro_rad_s, accel_m_s2], axis=1)
    moves = np.repeat(MOVES, 3)
    stuck = []
    for column, name in enumerate(CHANNELS):
        first, last = _longest_run(values[:, column])
        if last - first < max(FROZEN_SAMPLES, len(values) // 4):
            continue
        if np.any(np.std(values[first:last], axis=0) > moves):
            seconds = (timestamps_ns[last - 1] - timestamps_ns[first]) * 1e-9
            stuck.append(f"{name} is {values[first, column]:g} for {seconds:.1f} s")
    if not stuck:
        return []
    return [
        f"{source}: {', '.join(stuck)} while other axes move: a broken sensor, or a column "
        "that was not recorded; the IMU is left out, record it again for metres and up"
    ]


def _longest_run(values: Floats) -> tuple[int, int]:
    """First and one past the last of the longest stretch of equal values."""
    same = np.diff(values) == 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(int)))
    if not len(edges):
        return 0, 1
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest]) + 1


def _check_one_sensor(accel_m_s2: Floats, source: str) -> None:
    """Two sensors in turns: every sample is unlike the next and like the one after."""
    if len(accel_m_s2) < FROZEN_SAMPLES:
        return
    next_, after = (
        float(np.median(np.linalg.norm(accel_m_s2[k:] - accel_m_s2[:-k], axis=1))) for k in (1, 2)
    )
    if next_ > max(ALTERNATING * after, ALTERNATING_M_S2):
        raise BadInputError(
            f"{source}: every other IMU sample is {next_:.2g} m/s^2 off the one before: two "
            "sensors in one file; keep one IMU per file"
        )


def _check_force(accel_m_s2: Floats, source: str) -> None:
    force = float(np.median(np.linalg.norm(accel_m_s2, axis=1)))
    low, high = MEAN_FORCE_M_S2
    if low <= force <= high:
        return
    if 0.7 < force < 1.3:
        cure = 'the accelerometer looks like g: set accel_unit = "g" in rig.toml'
    elif force < 1.0:
        cure = "gravity seems to be taken out: record specific force, not linear acceleration"
    else:
        cure = "give the accelerometer in m/s^2"
    raise BadInputError(f"{source}: median |accel| is {force:.3g} m/s^2, not near 9.81; {cure}")


def _holes(step_ns: Ints, source: str) -> list[str]:
    usual = float(np.median(step_ns))
    holes = int(np.sum(step_ns > max(5 * usual, 50e6)))
    return [f"{source}: {holes} holes in the IMU samples"] if holes else []
