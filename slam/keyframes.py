"""Chooses the frames that the map is built from: far enough apart to triangulate, close enough to
share points."""

import numpy as np

from core.geometry.arrays import Bools, Ints
from slam.config import SlamConfig
from slam.rays import fit_rotation
from slam.tracks import Tracks, shared

MIN_SHARED = 12


def choose_keyframes(tracks: Tracks, config: SlamConfig) -> Ints:
    """Rising frame rows. A frame is a keyframe when the view has moved (rotation taken out), when
    too few corners of the last keyframe are left, or when ``keyframe_max_s`` has passed; and where
    depth pictures are rare, when it has one."""
    n_frames = len(tracks.timestamps_ns)
    if not n_frames:
        return np.zeros(0, np.int64)
    starts, chosen = tracks.starts, [0]
    deep, last_deep_ns = frames_with_depth(tracks), tracks.timestamps_ns[0]
    min_gap_ns = int(config.keyframe_min_s * 1e9)
    max_gap_ns = int(config.keyframe_max_s * 1e9)
    for frame in range(1, n_frames):
        gap_ns = tracks.timestamps_ns[frame] - tracks.timestamps_ns[chosen[-1]]
        if gap_ns < min_gap_ns:
            continue
        next_gap_ns = (
            gap_ns
            if frame + 1 == n_frames
            else (tracks.timestamps_ns[frame + 1] - tracks.timestamps_ns[chosen[-1]])
        )
        last = slice(starts[chosen[-1]], starts[chosen[-1] + 1])
        here = slice(starts[frame], starts[frame + 1])
        due = next_gap_ns > max_gap_ns
        due |= deep[frame] and tracks.timestamps_ns[frame] - last_deep_ns > max_gap_ns // 2
        if due or _moved(tracks, config, last=last, here=here):
            chosen.append(frame)
            last_deep_ns = tracks.timestamps_ns[frame] if deep[frame] else last_deep_ns
    if chosen[-1] != n_frames - 1:
        chosen.append(n_frames - 1)  # the path has no loose end
    return np.array(chosen)


def frames_with_depth(tracks: Tracks) -> Bools:
    """``(F,)``: frames of which a depth picture told at least `MIN_SHARED` ranges."""
    if tracks.range_m is None:
        return np.zeros(len(tracks.timestamps_ns), bool)
    told = tracks.frame[np.isfinite(tracks.range_m)]
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
