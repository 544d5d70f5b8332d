"""How much palms jitter while they are truly at rest in the world."""

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, median, rmse
from app.evaluate.palms import PalmComparison, heads_at
from app.matching import NS
from core.geometry.clock import nearest_index
from core.geometry.landmarks import SIDES
from core.geometry.metrics import rotation_error_deg
from core.geometry.se3 import SE3
from core.session.tables import EndEffectors, Trajectory

REST_M_S, REST_DEG_S = 0.02, 10.0  # slower than this counts as rest
WINDOW_NS = 100_000_000  # speeds are taken over this long to either side
NEXT_FRAME = 1.5  # rows further apart than so many usual steps are no neighbours


def jitter_figures(
    palms: PalmComparison, truth: EndEffectors, trajectory: Trajectory
) -> list[Figure]:
    """From one frame to the next, how far the error of a resting palm jumps.

    truth, trajectory: the exact palms and the exact head, which places both palms in the world, so
    that the head's own errors stay out. White noise of s per axis has root mean square s times the
    root of 6; single leaps weigh heavily there and not in the median.
    """
    jumps, turns = [], []
    for side in SIDES:
        rows = np.flatnonzero(palms.side == side)
        if len(rows) < 2:
            continue
        calm = np.isin(palms.truth_tick[rows], _resting_ticks(truth, trajectory, side))
        steps = np.diff(palms.seconds[rows])
        near = calm[1:] & calm[:-1] & (steps < NEXT_FRAME * np.median(steps))
        head, _ = heads_at(trajectory, palms.truth_tick[rows])
        found, exact = head @ palms.estimate[rows], head @ palms.truth[rows]
        off = found.translation - exact.translation
        jumps.append(np.linalg.norm(np.diff(off, axis=0), axis=-1)[near])
        off_turn = found.rotation @ np.swapaxes(exact.rotation, -1, -2)
        turns.append(rotation_error_deg(off_turn[1:], off_turn[:-1])[near])
    metres, degrees = (np.concatenate([np.zeros(0), *parts]) for parts in (jumps, turns))
    note = f"frame to frame, {len(metres)} pairs at rest"
    return [
        Figure("hands", "jitter at rest", 1e3 * median(metres), "mm", f"median, {note}"),
        Figure("hands", "jitter at rest, RMS", 1e3 * rmse(metres), "mm", "with leaps"),
        Figure("hands", "jitter at rest, turn", median(degrees), "deg", "median"),
        Figure("hands", "jitter at rest, turn RMS", rmse(degrees), "deg", "with leaps"),
    ]


def _resting_ticks(truth: EndEffectors, trajectory: Trajectory, side: str) -> NDArray[np.int64]:
    """Ticks at which the true palm hardly moves in the world."""
    rows = np.flatnonzero((truth.side == side) & truth.head_from_palm_valid)
    if len(rows) < 3:
        return np.zeros(0, dtype=np.int64)
    head, _ = heads_at(trajectory, truth.tick[rows])
    palm = head @ SE3.from_pose7(truth.head_from_palm[rows])
    times = truth.timestamp_ns[rows]
    before = nearest_index(times, times - WINDOW_NS)
    after = nearest_index(times, times + WINDOW_NS)
    lasting = np.flatnonzero(after > before)
    rows, before, after = rows[lasting], before[lasting], after[lasting]
    seconds = (times[after] - times[before]) / NS
    speed = np.linalg.norm(palm.translation[after] - palm.translation[before], axis=-1) / seconds
    turning = rotation_error_deg(palm.rotation[after], palm.rotation[before]) / seconds
    calm = (speed < REST_M_S) & (turning < REST_DEG_S)
    return np.asarray(truth.tick[rows[calm]])
