"""The episodes of one session: cut, resampled and trimmed, pictures not yet read."""

from collections.abc import Iterator

import numpy as np

from core.dataset.embodiments import HUMAN
from core.dataset.episode import (
    CAMERAS,
    LEFT_POSE,
    RIGHT_POSE,
    BoolArray,
    Episode,
    IntArray,
)
from core.errors import BadInputError
from export.config import ExportConfig
from export.cut import Cut, cut_session, subtasks_at, used_stretches
from export.pictures import near_enough
from export.report import ExportReport
from export.resample import Sampled, grid_times, sample_session
from export.source import SessionSource


def episodes_of(
    source: SessionSource, config: ExportConfig, report: ExportReport
) -> Iterator[Episode]:
    """The episodes of a session, pictures not yet read; says in the report what was left out."""
    stamps = source.ticks.timestamp_ns
    if len(stamps) == 0:
        raise BadInputError(f"session {source.info.id}: has no head frames; ingest it again")
    if not source.metric_scale:
        report.warnings.append(
            f"session {source.info.id}: scale unknown: values that need "
            "metres along the head's path stay masked; its palms train under the per_tick reference"
        )
    if not source.gravity:
        report.warnings.append(
            f"session {source.info.id}: gravity unknown: the head's action stays masked"
        )
    half_period = int(np.median(np.diff(stamps))) // 2 if len(stamps) > 1 else 1
    cuts = cut_session(
        source.segments,
        start_ns=int(stamps[0]),
        end_ns=int(stamps[-1]) + half_period,
        task=source.info.task,
    )
    if not cuts[0].labelled:
        report.warnings.append(
            f"session {source.info.id}: no episode is labelled, so the whole session is one"
        )
    if not all(cut.task for cut in cuts):
        report.warnings.append(
            f"session {source.info.id}: no task is named, so a policy reads none; "
            "name it at ingest (--task) or in the labels"
        )
    for cut in cuts:
        yield from _parts_of_cut(source, cut, config=config, report=report)


def _parts_of_cut(
    source: SessionSource, cut: Cut, *, config: ExportConfig, report: ExportReport
) -> Iterator[Episode]:
    times = grid_times(source.ticks.timestamp_ns, cut.start_ns, cut.end_ns, fps=config.fps)
    sampled = sample_session(source, times, max_gap_s=config.max_gap_s)
    seen = sampled.valid[:-1, LEFT_POSE] | sampled.valid[:-1, RIGHT_POSE]
    max_empty = round(config.max_empty_s * config.fps)
    stretches = used_stretches(seen, max_empty=max_empty, trim=config.trim)
    kept = 0
    for start, stop in stretches:
        if stop - start < config.min_episode_s * config.fps:
            report.drop(f"part shorter than {config.min_episode_s:g} s")
            continue
        kept += stop - start
        yield _episode(source, cut, sampled, start=start, stop=stop, fps=config.fps)
    if not stretches:
        report.drop("episode in which neither hand is ever valid")
    if kept < len(seen):
        report.drop("frame trimmed", len(seen) - kept)


def _episode(
    source: SessionSource, cut: Cut, sampled: Sampled, *, start: int, stop: int, fps: int
) -> Episode:
    """Frames start ... stop of the sampled grid; the action is what is sampled one frame later."""
    now, then = slice(start, stop), slice(start + 1, stop + 1)
    times = sampled.times_ns[now]
    action_valid = sampled.valid[then].copy()
    action_valid[sampled.map_id[then] != sampled.map_id[now]] = False
    tracks = subtasks_at(source.segments, times)
    return Episode(
        fps=fps,
        task=cut.task,
        state=sampled.state[now].astype(np.float32),
        head_pose=sampled.head_pose[now].astype(np.float32),
        action=np.concatenate([sampled.state[then], sampled.head_pose[then]], axis=1),
        valid=sampled.valid[now],
        action_valid=action_valid,
        landmarks=sampled.landmarks[now].astype(np.float32),
        landmarks_valid=sampled.landmarks_valid[now],
        camera_valid=_camera_valid(source, times, fps=fps),
        subtask=tracks.subtask,
        subtask_left=tracks.left,
        subtask_right=tracks.right,
        map_id=sampled.map_id[now],
        timestamp_ns=times,
        subtask_texts=tracks.texts,
        embodiment=HUMAN,
        metric_scale=source.metric_scale,
        gravity=source.gravity,
        session=source.info.id,
        success=cut.success,
    )


def _camera_valid(source: SessionSource, times: IntArray, *, fps: int) -> BoolArray:
    valid = np.zeros((len(times), len(CAMERAS)), dtype=bool)
    for column, camera in enumerate(CAMERAS):
        mine = np.array([name == camera for name in source.frames.stream], dtype=bool)
        stamps = source.frames.timestamp_ns[mine & (source.frames.frame_index >= 0)]
        if len(stamps):
            valid[:, column] = near_enough(stamps, times, fps=fps)
    return valid
