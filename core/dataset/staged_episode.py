"""One finished episode in a folder of its own: what a dataset is assembled from, and resumes at."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.dataset.embodiments import embodiment_from_dict
from core.dataset.episode import Episode, Extra
from core.dataset.features import (
    EPISODE_FIELDS,
    Feature,
    column_values,
    columns_of,
    features_of,
    table_of,
)
from core.dataset.meta_tables import read_json, write_json

TABLE, FACTS = "episode.parquet", "episode.json"


@dataclass(frozen=True, eq=False)
class StagedEpisode:
    """An episode on disk. histograms: pixel counts ``(3, 256)`` per camera that was seen."""

    folder: Path
    episode: Episode
    histograms: dict[str, NDArray[np.int64]]

    def video(self, camera: str) -> Path:
        """Where the camera's frames are."""
        return self.folder / f"{camera}.mp4"


def write_facts(folder: Path, episode: Episode, histograms: dict[str, NDArray[np.int64]]) -> None:
    """Write the table and the facts beside the videos that are already in ``folder``."""
    pq.write_table(table_of(columns_of(episode), features_of(episode)), folder / TABLE)
    facts = {
        **episode_facts(episode),
        "fps": episode.fps,
        "subtask_texts": list(episode.subtask_texts),
        "embodiment": episode.embodiment.to_dict(),
        "extra": {name: list(column.names) for name, column in episode.extra.items()},
        "histograms": {camera: counts.tolist() for camera, counts in histograms.items()},
    }
    write_json(folder / FACTS, facts)


def episode_facts(episode: Episode) -> dict[str, Any]:
    """What is known of a whole episode, as plain values."""
    return {
        "task": episode.task,
        "session": episode.session,
        "success": episode.success,
        "metric_scale": episode.metric_scale,
        "gravity": episode.gravity,
    }


def read_staged(folder: Path) -> StagedEpisode:
    """Read what `write_facts` wrote."""
    facts = read_json(folder / FACTS)
    histograms = {k: np.asarray(v, dtype=np.int64) for k, v in facts.pop("histograms").items()}
    embodiment = embodiment_from_dict(facts.pop("embodiment"), source=str(folder / FACTS))
    facts["subtask_texts"] = tuple(facts["subtask_texts"])
    extra = {name: Feature("float32", tuple(names)) for name, names in facts.pop("extra").items()}
    table = pq.read_table(folder / TABLE)
    episode = episode_of(table, extra=extra, embodiment=embodiment, **facts)
    return StagedEpisode(folder, episode, histograms)


def episode_of(table: pa.Table, *, extra: dict[str, Feature], **facts: Any) -> Episode:
    """An episode from its table and its facts. extra: its columns beyond the format's own."""
    columns: dict[str, Any] = {
        field: column_values(table, name) for name, field in EPISODE_FIELDS.items()
    }
    further = {
        name: Extra(feature.names, column_values(table, name, feature))
        for name, feature in extra.items()
    }
    return Episode(**columns, extra=further, **facts)


def commit(partial: Path, final: Path) -> None:
    """Make a finished folder visible in one step."""
    if final.exists():
        shutil.rmtree(final)
    os.replace(partial, final)
