"""Chooses the frames that the map is built from: far enough apart to triangulate, close enough to
share points."""

import numpy as np

from core.geometry.arrays import Bools, Ints
from slam.config import SlamConfig
from slam.sight.rays import fit_rotation
from slam.sight.tracks import Tracks, shared

MIN_SHARED = 12
REST_PX, REST_S = 2.0, 0.9  # a picture that moved less is at rest; its keyframes are this far apart
ROUNDING_S = 1e-7  # stamps are whole nanoseconds


def choose_keyframes(tracks: Tracks, config: SlamConfig) -> Ints:
    """Rising frame rows. A frame is a keyframe when the view has moved (rotation taken out), when
    too few corners of the last keyframe are left, or when ``keyframe_max_s`` has passed (`REST_S`
    where the picture stands still); and where depth pictures are rare, when it has one."""
    n_frames = len(tracks.timestamps_ns)
    if not n_frames:
        return np.zeros(0, np.int64)
    times_s = (tracks.timestamps_ns - tracks.timestamps_ns[0]) * 1e-9
    next_s = np.append(times_s[1:], times_s[-1])
    starts, chosen = tracks.starts, [0]
    deep, last_deep_s = frames_with_depth(tracks), 0.0
    for frame in range(1, n_frames):
        since_s = times_s[chosen[-1]]
        if times_s[frame] - since_s < config.keyframe_min_s - ROUNDING_S:
            continue
        last = slice(starts[chosen[-1]], starts[chosen[-1] + 1])
        here = slice(starts[frame], starts[frame + 1])
        wanted = deep[frame] and times_s[frame] - last_deep_s > config.keyframe_max_s / 2
        due = next_s[frame] - since_s > config.keyframe_max_s + ROUNDING_S
        if due and next_s[frame] - since_s <= REST_S + ROUNDING_S:
            due = not _rests(tracks, last=last, here=here)
        if wanted or due or _moved(tracks, config, last=last, here=here):
            chosen.append(frame)
            last_deep_s = times_s[frame] if deep[frame] else last_deep_s
    if chosen[-1] != n_frames - 1:
        chosen.append(n_frames - 1)  # the path has no loose end
    return np.array(chosen)


def _rests(tracks: Tracks, *, last: slice, here: slice) -> bool:
    """Whether hardly any corner is elsewhere in the picture than it was, turns included."""
    before, after = shared(tracks.track[last], tracks.track[here])
    if len(before) < MIN_SHARED:
        return False
    moved = tracks.rays[last.start + before] - tracks.rays[here.start + after]
    pixels = np.linalg.norm(moved, axis=1) / tracks.rad_per_px[here.start + after]
    return bool(np.quantile(pixels, 0.67) < REST_PX)


def frames_with_depth(tracks: Tracks) -> Bools:
    """``(F,)``: frames of which another camera told at least `MIN_SHARED` ranges."""
    if tracks.ranges is None:
        return np.zeros(len(tracks.timestamps_ns), bool)
    told = tracks.frame[np.isfinite(tracks.ranges.range_m)]
    return np.bincount(told, minlength=len(tracks.timestamps_ns)) >= MIN_SHARED


def _moved(tracks: Tracks, config: SlamConfig, *, last: slice, here: slice) -> bool:
    before, after = shared(tracks.track[last], tracks.track[here])
    n_last = last.stop - last.start
    if len(before) < max(MIN_SHARED, (1 - config.keyframe_share) * n_last):
        return True
    return (
        parallax_px(tracks, last.start + before, here.start + after) > config.keyframe_parallax_px
    )


def parallax_px(tracks: Tracks, first: Ints, second: Ints) -> float:
    """Movement between two observations of the same points, the best rotation taken out.

    The upper third counts: before a wall a sideways step looks like a turn to most of the corners.
    """
    source, target = tracks.rays[first], tracks.rays[second]
    turn = fit_rotation(source, target)
    moved = np.linalg.norm(target - source @ turn.T, axis=1)
    return float(np.quantile(moved / tracks.rad_per_px[second], 0.67))
