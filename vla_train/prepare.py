"""Everything a run needs before its first step: frames, held-out split, scales, tokens, mixture."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.session.stage import NO_PROGRESS, Progress
from vla_train.batches import ReadyFrames, for_training, make_ready
from vla_train.config import TrainConfig
from vla_train.frames import FrameSource, FrameTable, describe, load_frames
from vla_train.holdout import Split, split_frames
from vla_train.normalise import Normalisation, fit_normalisation
from vla_train.recall import Recall, fit_recall, own_moments, with_recall
from vla_train.text import WordTokenizer

OpenDataset = Callable[[str], FrameSource]


@dataclass(frozen=True, eq=False, kw_only=True)
class RunData:
    """The data of a run; one entry per dataset in ``ready`` and ``splits``.

    recalls: the memory of every embodiment, by name.
    record: what `data.json` keeps: datasets, fingerprints, the held-out protocol.
    """

    ready: list[ReadyFrames]
    splits: list[Split]
    normalisation: Normalisation
    tokenizer: WordTokenizer
    recalls: dict[str, Recall]
    record: dict[str, Any]

    @property
    def embodiments(self) -> list[str]:
        """Names, in the order of `Batch.embodiment`."""
        return [scale.name for scale in self.normalisation.scales]


def open_dataset(path: str) -> FrameSource:
    """The reader of a dataset folder."""
    from core.dataset.lerobot_reader import Dataset

    return Dataset(Path(path))


def prepare(
    config: TrainConfig, *, opener: OpenDataset = open_dataset, progress: Progress = NO_PROGRESS
) -> RunData:
    """Read every dataset of a run and measure its scales on the training part."""
    progress.total(len(config.datasets), "dataset")
    tables = []
    for path in config.datasets:
        progress.note(f"reading {path}")
        tables.append(load_table(path, config, opener=opener))
        progress.advance()
    splits = [split_frames(table, config.holdout) for table in tables]
    seed = config.seed if config.shuffle_labels else None
    normalisation = fit_normalisation(tables, splits, config.chunk, shuffle_seed=seed)
    tokenizer = WordTokenizer(rows=config.text_rows, max_tokens=config.max_tokens)
    ready, cuts = [], []
    for table in tables:
        one, cut = make_ready(table, normalisation, tokenizer=tokenizer)
        ready.append(one)
        cuts.append(cut)
    datasets = [
        {
            **describe(table),
            "fingerprint": fingerprint(table),
            "texts_cut": cut,
            "held_out": split.description,
        }
        for table, split, cut in zip(tables, splits, cuts, strict=True)
    ]
    recalls = _recalls(ready, splits, shuffle_seed=seed)
    return RunData(
        ready=[
            with_recall(one, recalls[one.scale.name], own_moments(one, split, number))
            for number, (one, split) in enumerate(zip(ready, splits, strict=True))
        ],
        splits=splits,
        normalisation=normalisation,
        tokenizer=tokenizer,
        recalls=recalls,
        record={"chunk": config.chunk.to_dict(), "datasets": datasets},
    )


def _recalls(
    ready: list[ReadyFrames], splits: list[Split], *, shuffle_seed: int | None
) -> dict[str, Recall]:
    """One memory per embodiment."""
    lessons: dict[str, list[tuple[int, ReadyFrames, Split]]] = {}
    for number, (one, split) in enumerate(zip(ready, splits, strict=True)):
        learnt = for_training(one, split, shuffle_seed=shuffle_seed)
        lessons.setdefault(one.scale.name, []).append((number, learnt, split))
    return {name: fit_recall(own) for name, own in lessons.items()}


def load_table(path: str, config: TrainConfig, *, opener: OpenDataset) -> FrameTable:
    """One dataset's frames under a run's settings."""
    return load_frames(
        opener(path),
        name=path,
        settings=config.chunk,
        image_px=config.image_px,
        history_s=config.history_s,
    )


def fingerprint(table: FrameTable) -> str:
    """SHA-256 over what a policy would be shown: any changed frame, label or text changes it."""
    digest = hashlib.sha256(json.dumps([table.texts, table.embodiment.to_dict()]).encode())
    for array in (
        table.images,
        table.camera_valid,
        table.state,
        table.state_valid,
        table.chunk,
        table.chunk_mask,
        table.text,
        table.episode,
        table.tick,
    ):
        digest.update(array.data)
    return digest.hexdigest()
