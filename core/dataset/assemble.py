"""Put staged episodes together as the LeRobot v3.0 tree: data, videos, indices, statistics.

Two passes over the episodes' tables (one to write, one column at a time for the statistics); memory
holds one episode and one column.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.dataset.chunk_settings import ChunkSettings
from core.dataset.embodiments import Embodiment
from core.dataset.episode import Episode
from core.dataset.features import (
    SUBTASK_COLUMNS,
    UNNAMED_TASK,
    Feature,
    camera_key,
    columns_of,
    features_of,
    table_of,
    validity_of,
)
from core.dataset.handoff_meta import HandoffStatistics
from core.dataset.meta_tables import write_indexed_texts, write_json
from core.dataset.staged_episode import StagedEpisode, episode_facts, read_staged
from core.dataset.statistics import StatisticsStore, histogram_summary
from core.dataset.subtasks import SubtaskTable
from core.dataset.video import KEY_EVERY
from core.errors import BadInputError

CHUNK_FILES = 1000
DATA_FILE_BYTES = 100 << 20
VIDEO_FILE_MB = 200
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What to build where. facts: the caller's part of `meta/handoff.json`."""

    tree: Path
    fps: int
    cameras: dict[str, tuple[int, int]]
    chunks: tuple[ChunkSettings, ...]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Numbering:
    """Rows given out so far."""

    tasks: list[str] = field(default_factory=list)
    subtasks: SubtaskTable = field(default_factory=SubtaskTable)
    embodiments: list[Embodiment] = field(default_factory=list)
    frames: int = 0
    features: dict[str, Feature] = field(default_factory=dict)

    def declare(self, episode: Episode, *, first: bool) -> None:
        """All episodes have the same columns: those of the first."""
        found = features_of(episode)
        if first:
            self.features = found
        elif found != self.features:
            odd = sorted(k for k in found | self.features if found.get(k) != self.features.get(k))
            raise BadInputError(
                f"episode of {episode.session!r}: column {odd[0]!r} differs from the first "
                "episode's; write one dataset per robot"
            )

    def task(self, text: str) -> int:
        stored = text or UNNAMED_TASK
        if stored not in self.tasks:
            self.tasks.append(stored)
        return self.tasks.index(stored)

    def embodiment(self, body: Embodiment) -> int:
        for index, known in enumerate(self.embodiments):
            if known == body:
                return index
            if known.name == body.name:
                raise BadInputError(
                    f"two different embodiments are called {body.name!r}: rename one"
                )
        self.embodiments.append(body)
        return len(self.embodiments) - 1


def assemble(assembly: Assembly, staged_folders: Sequence[Path]) -> None:
    """Build the tree from the folders of the staged episodes, in order."""
    tree = assembly.tree
    (tree / "meta").mkdir(parents=True)
    numbering = _Numbering()
    statistics = StatisticsStore(tree / "spill")
    ours = HandoffStatistics(assembly.chunks, StatisticsStore(tree / "spill_chunks"))
    histograms = {camera: np.zeros((3, 256), dtype=np.int64) for camera in assembly.cameras}
    rows: list[dict[str, Any]] = []
    with _DataFiles(tree) as data:
        for index, folder in enumerate(staged_folders):
            staged = read_staged(folder)
            numbering.declare(staged.episode, first=index == 0)
            columns = _number(staged.episode, index, numbering)
            for name, values in columns.items():
                statistics.add(name, values, validity_of(columns, name))
            ours.add(staged.episode)
            for camera, counts in staged.histograms.items():
                histograms[camera] += counts
            place = data.write(columns, numbering.features)
            rows.append(_episode_row(staged.episode, index, place=place, columns=columns))
            rows[-1] |= _place_videos(staged, index, assembly)
    _write_meta(assembly, numbering, rows=rows)
    stats = {
        name: _upstream(statistics.summary(name), numbering.frames) for name in numbering.features
    }
    stats |= {camera_key(c): histogram_summary(counts) for c, counts in histograms.items()}
    write_json(tree / "meta/stats.json", stats)
    handoff = ours.to_dict(numbering.embodiments) | assembly.facts
    write_json(tree / "meta/handoff.json", handoff)
    shutil.rmtree(tree / "spill")
    shutil.rmtree(tree / "spill_chunks")


def _number(episode: Episode, index: int, numbering: _Numbering) -> dict[str, NDArray[Any]]:
    """All columns of an episode, with the dataset's own numbers."""
    frames = len(episode)
    columns = columns_of(episode)
    rows = np.array([numbering.subtasks.row(text) for text in episode.subtask_texts])
    for name in SUBTASK_COLUMNS:
        columns[name] = rows[columns[name]]
    ticks = np.arange(frames)
    numbered = {
        "embodiment_index": np.full(frames, numbering.embodiment(episode.embodiment)),
        "timestamp": (ticks / episode.fps).astype(np.float32),
        "frame_index": ticks,
        "episode_index": np.full(frames, index),
        "index": ticks + numbering.frames,
        "task_index": np.full(frames, numbering.task(episode.task)),
    }
    numbering.frames += frames
    return columns | numbered


class _DataFiles:
    """Data files of at most 100 MB; one row group per episode."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._number = -1
        self._writer: Any = None
        self._file: Path = tree

    def __enter__(self) -> "_DataFiles":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(
        self, columns: dict[str, NDArray[Any]], features: dict[str, Feature]
    ) -> tuple[int, int]:
        """Append an episode; returns its chunk and file number."""
        table = table_of(columns, features)
        if self._writer is None or self._file.stat().st_size + table.nbytes > DATA_FILE_BYTES:
            self._open_next(table.schema, features)
        self._writer.write_table(table, row_group_size=table.num_rows)
        return divmod(self._number, CHUNK_FILES)

    def _open_next(self, schema: Any, features: dict[str, Feature]) -> None:
        if self._writer is not None:
            self._writer.close()
        self._number += 1
        chunk, file = divmod(self._number, CHUNK_FILES)
        self._file = self._tree / DATA_PATH.format(chunk_index=chunk, file_index=file)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        floats = [
            f"{name}.list.element" if feature.names else name
            for name, feature in features.items()
            if feature.dtype == "float32"
        ]
        self._writer = pq.ParquetWriter(
            self._file,
            schema,
            compression="zstd",
            use_dictionary=False,
            use_byte_stream_split=floats,
            write_page_index=True,
        )


def _episode_row(
    episode: Episode, index: int, *, place: tuple[int, int], columns: dict[str, NDArray[Any]]
) -> dict[str, Any]:
    facts = {
        f"handoff/{key}": value for key, value in episode_facts(episode).items() if key != "task"
    }
    return {
        "episode_index": index,
        "tasks": [episode.task or UNNAMED_TASK],
        "length": len(episode),
        "data/chunk_index": place[0],
        "data/file_index": place[1],
        "dataset_from_index": int(columns["index"][0]),
        "dataset_to_index": int(columns["index"][-1]) + 1,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "handoff/embodiment_index": int(columns["embodiment_index"][0]),
        **facts,
    }


def _place_videos(staged: StagedEpisode, index: int, assembly: Assembly) -> dict[str, Any]:
    """Link each camera's file into the tree, one file per episode; returns the episode's
    columns.
    """
    chunk, file = divmod(index, CHUNK_FILES)
    row: dict[str, Any] = {}
    for camera in assembly.cameras:
        key = camera_key(camera)
        target = assembly.tree / VIDEO_PATH.format(
            video_key=key, chunk_index=chunk, file_index=file
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(staged.video(camera), target)
        except OSError:  # a file system without hard links
            shutil.copyfile(staged.video(camera), target)
        row |= {
            f"videos/{key}/chunk_index": chunk,
            f"videos/{key}/file_index": file,
            f"videos/{key}/from_timestamp": 0.0,
            f"videos/{key}/to_timestamp": len(staged.episode) / assembly.fps,
        }
    return row


def _write_meta(assembly: Assembly, numbering: _Numbering, *, rows: list[dict[str, Any]]) -> None:
    tree = assembly.tree
    write_indexed_texts(
        tree / "meta/tasks.parquet", numbering.tasks, index="task", column="task_index"
    )
    write_indexed_texts(
        tree / "meta/subtasks.parquet",
        numbering.subtasks.texts,
        index="subtask",
        column="subtask_index",
    )
    path = tree / EPISODES_PATH
    path.parent.mkdir(parents=True)
    nullable = pa.array([row["handoff/success"] for row in rows], pa.bool_())
    table = pa.Table.from_pylist(rows)
    where = table.column_names.index("handoff/success")
    pq.write_table(table.set_column(where, "handoff/success", nullable), path)
    write_json(tree / "meta/info.json", _info(assembly, numbering, episodes=len(rows)))


def _info(assembly: Assembly, numbering: _Numbering, *, episodes: int) -> dict[str, Any]:
    features = {name: feature.to_info() for name, feature in numbering.features.items()}
    features |= {
        camera_key(camera): _video_feature(size, fps=assembly.fps)
        for camera, size in assembly.cameras.items()
    }
    return {
        "codebase_version": "v3.0",
        "robot_type": "+".join(body.name for body in numbering.embodiments),
        "total_episodes": episodes,
        "total_frames": numbering.frames,
        "total_tasks": len(numbering.tasks),
        "chunks_size": CHUNK_FILES,
        "data_files_size_in_mb": DATA_FILE_BYTES >> 20,
        "video_files_size_in_mb": VIDEO_FILE_MB,
        "fps": assembly.fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH if assembly.cameras else None,
        "features": features,
    }


def _video_feature(size_hw: tuple[int, int], *, fps: int) -> dict[str, Any]:
    height, width = size_hw
    return {
        "dtype": "video",
        "shape": [height, width, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": height,
            "video.width": width,
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": fps,
            "video.channels": 3,
            "video.g": KEY_EVERY,
            "has_audio": False,
        },
    }


def _upstream(summary: dict[str, list[float]], frames: int) -> dict[str, list[float]]:
    """Upstream keeps one count per feature."""
    return {**summary, "count": [frames]}
