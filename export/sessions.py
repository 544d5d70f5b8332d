"""Sessions in, one LeRobot v3.0 dataset out: cut, resample, select, write.

Memory holds one session's tables and one picture per camera. An interrupted export goes on at the
first episode that is not finished; the dataset appears in one step when all are.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.dataset.embodiments import HUMAN
from core.dataset.episode import CAMERAS, LEFT_POSE, RIGHT_POSE, Episode
from core.dataset.lerobot_writer import DatasetWriter
from core.dataset.video import Image
from core.errors import BadInputError
from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder
from export.card import CardFacts, card_text, redaction_sentence
from export.config import ExportConfig
from export.cut import Cut, cut_session, subtasks_at, used_stretches
from export.pictures import (
    fit_into,
    fitted_size,
    near_enough,
    open_pictures,
    picture_size,
    pictures_at,
)
from export.report import ExportReport
from export.resample import Sampled, grid_times, sample_session
from export.source import SessionSource, read_source


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """An episode and where its pictures come from."""

    source: SessionSource
    episode: Episode


def export_sessions(
    folders: Sequence[SessionFolder],
    out: Path | str,
    *,
    name: str,
    config: ExportConfig | None = None,
    replace: bool = False,
    progress: Progress = NO_PROGRESS,
) -> ExportReport:
    """Write ``out/name`` from finished sessions and report what is in it.

    Raises BadInputError when a session's stage is not done, when nothing is left to export, or when
    the dataset exists and ``replace`` is not given.
    """
    config = config or ExportConfig()
    if not folders:
        raise BadInputError("no session was given: name at least one session folder")
    _refuse_repeats(folders)
    root = Path(out) / name
    sizes, key = _survey(folders, config)
    writer = DatasetWriter(root, fps=config.fps, cameras=sizes, key=key, replace=replace)
    report = ExportReport(path=root, cameras=tuple(sizes))
    facts = []
    masks = []
    for folder in folders:
        source = read_source(folder)
        parts = list(_parts(source, config, report))
        progress.total(sum(len(part.episode) for part in parts), "frame")
        progress.note(f"exporting {source.info.id}")
        for part in parts:
            if not writer.is_staged(report.episodes):
                _write(writer, part, index=report.episodes)
            report.episodes += 1
            report.frames += len(part.episode)
            masks.append(_mask_row(part.episode))
            progress.advance(len(part.episode))
        report.sessions += 1
        facts.append({**source.facts(), "cameras": _cameras_of(source, sizes)})
    if not report.episodes:
        raise BadInputError(
            f"{root}: nothing to export: {report.reasons()}; check with: handoff report SESSION"
        )
    counts = np.sum(masks, axis=0)
    shares = [float(share) for share in counts / report.frames]
    report.left_valid, report.right_valid, report.head_valid, report.labelled = shares
    card = CardFacts(
        name=name,
        fps=config.fps,
        episodes=report.episodes,
        frames=report.frames,
        cameras=sizes,
        shares=dict(zip(("left hand", "right hand", "head", "subtask text"), shares, strict=True)),
        sessions=facts,
        dropped=report.dropped,
        warnings=report.warnings,
    )
    writer.finish(
        sessions=facts,
        redaction=redaction_sentence(facts),
        card=card_text(card),
        extra={"export": dataclasses.asdict(config), "dropped": report.dropped},
    )
    return report


def _refuse_repeats(folders: Sequence[SessionFolder]) -> None:
    urls = [folder.url for folder in folders]
    for url in urls:
        if urls.count(url) > 1:
            raise BadInputError(f"session {url} is given twice; give it once")


def _survey(
    folders: Sequence[SessionFolder], config: ExportConfig
) -> tuple[dict[str, tuple[int, int]], str]:
    """Check every session before any work; picture sizes (height, width) and the content's key."""
    largest: dict[str, tuple[int, int]] = {}
    hashes = [json.dumps(dataclasses.asdict(config), sort_keys=True)]
    for folder in folders:
        source = read_source(folder)
        hashes.append(source.fingerprint)
        for camera in config.cameras:
            if not source.has_camera(camera):
                continue
            size = fitted_size(picture_size(folder, camera), config.image_size)
            before = largest.get(camera, (0, 0))
            largest[camera] = (max(size[0], before[0]), max(size[1], before[1]))
    sizes = {c: (largest[c][1], largest[c][0]) for c in CAMERAS if c in largest}
    return sizes, hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _parts(source: SessionSource, config: ExportConfig, report: ExportReport) -> Iterator[Part]:
    """The episodes of a session, pictures not yet read; says in the report what was left out."""
    stamps = source.ticks.timestamp_ns
    if len(stamps) == 0:
        raise BadInputError(f"session {source.info.id}: has no head frames; ingest it again")
    if not source.metric_scale:
        report.warnings.append(
            f"session {source.info.id}: scale unknown ({source.scale_source}): values that need "
            "metres along the head's path stay masked; its palms train under the per_tick reference"
        )
    if not source.gravity:
        report.warnings.append(
            f"session {source.info.id}: gravity unknown ({source.gravity_source}): the head's "
            "action stays masked"
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
    for cut in cuts:
        yield from _parts_of_cut(source, cut, config=config, report=report)


def _parts_of_cut(
    source: SessionSource, cut: Cut, *, config: ExportConfig, report: ExportReport
) -> Iterator[Part]:
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
        yield Part(
            source=source,
            episode=_episode(source, cut, sampled, start=start, stop=stop, fps=config.fps),
        )
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


def _camera_valid(source: SessionSource, times: np.ndarray, *, fps: int) -> np.ndarray:
    valid = np.zeros((len(times), len(CAMERAS)), dtype=bool)
    for column, camera in enumerate(CAMERAS):
        mine = np.array([name == camera for name in source.frames.stream], dtype=bool)
        stamps = source.frames.timestamp_ns[mine & (source.frames.frame_index >= 0)]
        if len(stamps):
            valid[:, column] = near_enough(stamps, times, fps=fps)
    return valid


def _write(writer: DatasetWriter, part: Part, *, index: int) -> None:
    """Stage one episode; pictures are decoded while they are encoded."""
    source, times = part.source, part.episode.timestamp_ns
    with ExitStack() as stack:
        videos: dict[str, Iterable[Image]] = {}
        for camera, (height, width) in writer.cameras.items():
            if not source.has_camera(camera):
                continue
            reader = stack.enter_context(open_pictures(source.folder, camera))
            wide, high = picture_size(source.folder, camera)
            videos[camera] = pictures_at(reader, times, fit_into((wide, high), (width, height)))
        writer.add_episode(part.episode, videos, index=index)


def _mask_row(episode: Episode) -> np.ndarray:
    """Counts of frames with left hand, right hand, head, subtask text."""
    counted = [episode.valid[:, c] for c in (LEFT_POSE, RIGHT_POSE, 4)] + [episode.subtask > 0]
    return np.array([column.sum() for column in counted])


def _cameras_of(source: SessionSource, sizes: dict[str, tuple[int, int]]) -> dict[str, object]:
    """Camera models of the exported pictures, before padding, with the padding's offset."""
    found: dict[str, object] = {}
    for camera, (height, width) in sizes.items():
        known = source.calibration.streams.get(camera)
        if known is None or not source.has_camera(camera):
            continue
        wide, high = known.camera.size_wh
        fit = fit_into((int(wide), int(high)), (width, height))
        rigid = known.head_from_camera
        found[camera] = {
            **known.camera.scaled(fit.inner_wh).to_dict(),
            "offset_px": list(fit.offset_px),
            "head_from_camera": None if rigid is None else rigid.to_pose7().reshape(7).tolist(),
        }
    return found
