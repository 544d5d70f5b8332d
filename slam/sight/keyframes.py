"""Chooses the frames that the map is built from: far enough apart to triangulate, close enough to
share points."""

import numpy as np

from core.geometry.arrays import Ints
from slam.config import SlamConfig
from slam.sight.rays import fit_rotation
from slam.sight.tracks import Observed, Tracks, shared

MIN_SHARED = 12
REST_PX, REST_S = 2.0, 0.9  # a picture that moved less is at rest; its keyframes are this far apart
ROUNDING_S = 1e-7  # stamps are whole nanoseconds


def choose_keyframes(tracks: Observed, config: SlamConfig) -> Ints:
    """Rising frame rows. A frame is a keyframe when the view has moved (rotation taken out), when
    too few corners of the last keyframe are left, or when ``keyframe_max_s`` has passed (`REST_S`
    where the picture stands still); and where depth pictures are rare, when it has one."""
    n_frames = len(tracks.timestamps_ns)
    if not n_frames:
        return np.zeros(0, np.int64)
    times_s = (tracks.timestamps_ns - tracks.timestamps_ns[0]) * 1e-9
    next_s = np.append(times_s[1:], times_s[-1])
    chosen, last, last_deep_s = [0], tracks.of_frames([0]), 0.0
    for frame in range(1, n_frames):
        since_s = times_s[chosen[-1]]
        if times_s[frame] - since_s < config.keyframe_min_s - ROUNDING_S:
            continue
        here = tracks.of_frames([frame])
        deep = _has_depth(here)
        wanted = deep and times_s[frame] - last_deep_s > config.keyframe_max_s / 2
        due = next_s[frame] - since_s > config.keyframe_max_s + ROUNDING_S
        if due and next_s[frame] - since_s <= REST_S + ROUNDING_S:
            due = not _rests(last, here)
        if wanted or due or _moved(last, here, config):
            chosen.append(frame)
            last = here
            last_deep_s = times_s[frame] if deep else last_deep_s
    if chosen[-1] != n_frames - 1:
        chosen.append(n_frames - 1)  # the path has no loose end
    return np.array(chosen)


def _rests(last: Tracks, here: Tracks) -> bool:
    """Whether hardly any corner is elsewhere in the picture than it was, turns included."""
    before, after = shared(last.track, here.track)
    if len(before) < MIN_SHARED:
        return False
    moved = last.rays[before] - here.rays[after]
    pixels = np.linalg.norm(moved, axis=1) / here.rad_per_px[after]
    return bool(np.quantile(pixels, 0.67) < REST_PX)


def _has_depth(here: Tracks) -> bool:
    """Whether another camera told at least `MIN_SHARED` ranges of a frame."""
    told = here.ranges
    return told is not None and int(np.isfinite(told.range_m).sum()) >= MIN_SHARED


def _moved(last: Tracks, here: Tracks, config: SlamConfig) -> bool:
    before, after = shared(last.track, here.track)
    if len(before) < max(MIN_SHARED, (1 - config.keyframe_share) * len(last.track)):
        return True
    return parallax_px(last.subset(before), here.subset(after)) > config.keyframe_parallax_px


def parallax_px(first: Tracks, second: Tracks) -> float:
    """Movement between two observations each of the same points in the same order, the best
    rotation taken out.

    The upper third counts: before a wall a sideways step looks like a turn to most of the corners.
    """
    turn = fit_rotation(first.rays, second.rays)
    moved = np.linalg.norm(second.rays - first.rays @ turn.T, axis=1)
    return float(np.quantile(moved / second.rad_per_px, 0.67))
