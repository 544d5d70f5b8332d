"""Read a dataset of ours for training: lean random access, nothing loaded before it is asked for.

A frame of 640x480 costs about 2 ms of CPU; episodes' tables are kept for the last few used.
"""

import bisect
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.dataset.embodiments import Embodiment, embodiment_from_dict
from core.dataset.episode import Episode
from core.dataset.features import UNNAMED_TASK, camera_key, extra_features
from core.dataset.meta_tables import read_indexed_texts, read_json
from core.dataset.staged_episode import episode_of
from core.dataset.video import Image, VideoReader
from core.errors import BadInputError

KEPT_EPISODES = 64
KEPT_VIDEOS = 12


class Dataset:
    """A dataset on disk.

    info: `meta/info.json`.   handoff: `meta/handoff.json`.   cameras: names with frames.
    lengths: frames per episode.   Safe to send to other processes: they open their own files.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.info: dict[str, Any] = read_json(self.root / "meta/info.json")
        self.handoff: dict[str, Any] = read_json(self.root / "meta/handoff.json")
        if self.info.get("codebase_version") != "v3.0":
            found = self.info.get("codebase_version")
            raise BadInputError(f"{root}: codebase_version {found!r}, this reader knows v3.0")
        self.fps: int = int(self.info["fps"])
        self.tasks = read_indexed_texts(
            self.root / "meta/tasks.parquet", index="task", column="task_index"
        )
        self.subtasks = read_indexed_texts(
            self.root / "meta/subtasks.parquet", index="subtask", column="subtask_index"
        )
        self.embodiments: list[Embodiment] = [
            embodiment_from_dict(values, source=str(self.root / "meta/handoff.json"))
            for values in self.handoff["embodiments"]
        ]
        prefix = camera_key("")
        self.cameras = [
            key.removeprefix(prefix)
            for key, feature in self.info["features"].items()
            if feature["dtype"] == "video"
        ]
        self._rows = self._read_episode_rows()
        self._starts = [row["dataset_from_index"] for row in self._rows]
        self.lengths: list[int] = [row["length"] for row in self._rows]
        self._frames = sum(self.lengths)
        self._forget()

    def _read_episode_rows(self) -> list[dict[str, Any]]:
        files = sorted((self.root / "meta/episodes").glob("chunk-*/file-*.parquet"))
        rows = [row for file in files for row in pq.read_table(file).to_pylist()]
        if not rows:
            raise BadInputError(f"{self.root}: meta/episodes holds no episode")
        in_file: dict[tuple[int, int], int] = {}
        for row in rows:  # one row group per episode, in order
            place = (row["data/chunk_index"], row["data/file_index"])
            row["row_group"] = in_file.get(place, 0)
            in_file[place] = row["row_group"] + 1
        return rows

    def _forget(self) -> None:
        self._process = os.getpid()
        self._kept_episodes: OrderedDict[int, Episode] = OrderedDict()
        self._kept_videos: OrderedDict[Path, VideoReader] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_kept")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __len__(self) -> int:
        """Frames in all."""
        return self._frames

    @property
    def embodiment(self) -> Embodiment:
        """The one embodiment of this dataset; an error where there are several."""
        if len(self.embodiments) != 1:
            names = ", ".join(body.name for body in self.embodiments)
            raise BadInputError(f"{self.root}: several embodiments ({names}); ask each episode")
        return self.embodiments[0]

    @property
    def episodes(self) -> "Episodes":
        """All episodes, read when indexed."""
        return Episodes(self)

    def locate(self, index: int) -> tuple[int, int]:
        """Episode and frame of a dataset-wide frame index."""
        if not 0 <= index < len(self):
            raise BadInputError(f"{self.root}: no frame {index}; there are {len(self)}")
        episode = bisect.bisect_right(self._starts, index) - 1
        return episode, index - self._starts[episode]

    def episode(self, number: int) -> Episode:
        """One episode's columns; the last few are kept in memory."""
        if number in self._kept_episodes:
            self._kept_episodes.move_to_end(number)
            return self._kept_episodes[number]
        episode = self._read_episode(number)
        self._kept_episodes[number] = episode
        if len(self._kept_episodes) > KEPT_EPISODES:
            self._kept_episodes.popitem(last=False)
        return episode

    def _read_episode(self, number: int) -> Episode:
        row = self._rows[number]
        path = self.root / self.info["data_path"].format(
            chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
        )
        try:
            table = pq.ParquetFile(path).read_row_group(row["row_group"])
        except OSError as error:
            raise BadInputError(f"{path}: cannot be read: {error}") from error
        first = row["dataset_from_index"]
        if table.num_rows != row["length"] or table.column("index")[0].as_py() != first:
            raise BadInputError(f"{path}: row group {row['row_group']} is not episode {number}")
        task = row["tasks"][0]
        return episode_of(
            table,
            extra=extra_features(self.info),
            fps=self.fps,
            task="" if task == UNNAMED_TASK else task,
            session=row["handoff/session"],
            success=row["handoff/success"],
            metric_scale=row["handoff/metric_scale"],
            gravity=row["handoff/gravity"],
            embodiment=self.embodiments[row["handoff/embodiment_index"]],
            subtask_texts=tuple(self.subtasks),
        )

    def image(self, camera: str, index: int) -> Image:
        """RGB ``(H, W, 3)`` uint8 of a camera at a dataset-wide frame index."""
        number, frame = self.locate(index)
        video = self._video(self.video_path(camera, number))
        start_s: float = self._rows[number][f"videos/{camera_key(camera)}/from_timestamp"]
        return video.read(round(start_s * self.fps) + frame)

    def images(self, camera: str, indices: Sequence[int] | NDArray[np.integer[Any]]) -> Image:
        """``(N, H, W, 3)`` in the order asked; reads in file order, so windows decode once."""
        order = np.argsort(np.asarray(indices), kind="stable")
        found = {int(i): self.image(camera, int(indices[i])) for i in order}
        return np.stack([found[i] for i in range(len(indices))])

    def video_path(self, camera: str, number: int) -> Path:
        """The file that holds an episode's frames of a camera."""
        if camera not in self.cameras:
            raise BadInputError(f"{self.root}: no camera {camera!r}; it has {self.cameras}")
        row, key = self._rows[number], camera_key(camera)
        name: str = self.info["video_path"].format(
            video_key=key,
            chunk_index=row[f"videos/{key}/chunk_index"],
            file_index=row[f"videos/{key}/file_index"],
        )
        return self.root / name

    def _video(self, path: Path) -> VideoReader:
        if self._process != os.getpid():  # a forked child must not share decoders
            self._forget()
        if path not in self._kept_videos:
            self._kept_videos[path] = VideoReader(path, fps=self.fps)
            if len(self._kept_videos) > KEPT_VIDEOS:
                self._kept_videos.popitem(last=False)[1].close()
        self._kept_videos.move_to_end(path)
        return self._kept_videos[path]


class Episodes(Sequence[Episode]):
    """A dataset's episodes as a sequence."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset.lengths)

    @overload
    def __getitem__(self, index: int) -> Episode: ...
    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...
    def __getitem__(self, index: int | slice) -> Episode | list[Episode]:
        numbers = range(len(self))[index]
        if isinstance(numbers, int):
            return self._dataset.episode(numbers)
        return [self._dataset.episode(number) for number in numbers]

    def __iter__(self) -> Iterator[Episode]:
        return (self._dataset.episode(number) for number in range(len(self)))
