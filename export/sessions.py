"""Sessions in, one LeRobot v3.0 dataset out.

Memory holds one session's tables and one picture per camera. An interrupted export goes on at the
first episode that is not finished; the dataset appears in one step when all are. Exporting the same
sessions again changes nothing.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from core.dataset.episode import CAMERAS, Episode
from core.dataset.lerobot_writer import DatasetWriter
from core.dataset.video import Image
from core.errors import BadInputError
from core.session.stage import NO_PROGRESS, Progress
from core.session.storage import SessionFolder
from export.card import CardFacts, card_text, redaction_sentence
from export.config import ExportConfig
from export.episodes import episodes_of
from export.pictures import fit_into, fitted_size, open_pictures, pictures_at
from export.report import ExportReport, finished_before
from export.source import SessionSource, read_source

VERSION = 2  # raise it when the same sessions would give another dataset


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

    Nothing is done when that dataset was made from these very sessions and settings. Raises
    BadInputError when a session's stage is not done, when nothing is left to export, or when
    another
    dataset of this name exists and ``replace`` is not given.
    """
    config = config or ExportConfig()
    if not folders:
        raise BadInputError("no session was given: name at least one session folder")
    _refuse_repeats(folders)
    root = Path(out) / name
    sizes, key = _survey(folders, config)
    done = finished_before(root, key)
    if done is not None:
        return done
    writer = DatasetWriter(root, fps=config.fps, cameras=sizes, key=key, replace=replace)
    report = ExportReport(path=root, cameras=tuple(sizes))
    facts = []
    for folder in folders:
        source = read_source(folder)
        progress.note(f"exporting {source.info.id}")
        _stage_session(source, writer, config=config, report=report, progress=progress)
        facts.append({**source.facts(), "cameras": _cameras_of(source, sizes)})
    if not report.episodes:
        raise BadInputError(
            f"{root}: nothing to export: {report.reasons()}; check with: handoff report SESSION"
        )
    extra = {
        "export": dataclasses.asdict(config),
        "content_key": key,
        "report": report.to_dict(),
    }
    card = card_text(_card_facts(name, report, facts=facts, config=config, sizes=sizes))
    writer.finish(sessions=facts, redaction=redaction_sentence(facts), card=card, extra=extra)
    return report


def _stage_session(
    source: SessionSource,
    writer: DatasetWriter,
    *,
    config: ExportConfig,
    report: ExportReport,
    progress: Progress,
) -> None:
    """Stage what is not staged yet of one session, and count it."""
    episodes = list(episodes_of(source, config, report))
    progress.total(sum(len(episode) for episode in episodes), "frame")
    for episode in episodes:
        if not writer.is_staged(report.episodes):
            _write(writer, source, episode, index=report.episodes)
        report.count(episode)
        progress.advance(len(episode))
    report.sessions += 1


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
    hashes = [f"version {VERSION}", json.dumps(dataclasses.asdict(config), sort_keys=True)]
    for folder in folders:
        source = read_source(folder)
        hashes.append(source.fingerprint)
        for camera in config.cameras:
            if not source.has_camera(camera):
                continue
            size = fitted_size(source.picture_size(camera), config.image_size)
            before = largest.get(camera, (0, 0))
            largest[camera] = (max(size[0], before[0]), max(size[1], before[1]))
    sizes = {c: (largest[c][1], largest[c][0]) for c in CAMERAS if c in largest}
    return sizes, hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _write(writer: DatasetWriter, source: SessionSource, episode: Episode, *, index: int) -> None:
    """Stage one episode; pictures are decoded while they are encoded."""
    with ExitStack() as stack:
        videos: dict[str, Iterable[Image]] = {}
        for camera, (height, width) in writer.cameras.items():
            if not source.has_camera(camera):
                continue
            reader = stack.enter_context(open_pictures(source.folder, camera))
            fit = fit_into(source.picture_size(camera), (width, height))
            videos[camera] = pictures_at(reader, episode.timestamp_ns, fit)
        writer.add_episode(episode, videos, index=index)


def _card_facts(
    name: str,
    report: ExportReport,
    *,
    facts: list[dict[str, Any]],
    config: ExportConfig,
    sizes: dict[str, tuple[int, int]],
) -> CardFacts:
    return CardFacts(
        name=name,
        fps=config.fps,
        episodes=report.episodes,
        frames=report.frames,
        cameras=sizes,
        shares={
            "left hand": report.left_valid,
            "right hand": report.right_valid,
            "head": report.head_valid,
            "subtask text": report.labelled,
        },
        sessions=facts,
        dropped=report.dropped,
        warnings=report.warnings,
    )


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
