"""A training run on disk: what it was asked for, what it learned, and its log.

runs/<name>/config.json            every setting
           data.json               datasets with fingerprints, and the held-out protocol
           normalisation.json      chunk settings and per-embodiment scales
           tokenizer.json
           recall/0.npz            what is remembered of every embodiment, in the scales' order
           log.jsonl               one line per logged step
           checkpoints/step-00000200/{model,ema,optimizer}.safetensors, state.json
           predictions/<dataset>.npz and .json
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.dataset.chunks import settings_from_dict
from core.errors import BadInputError
from core.session.storage import storage_errors
from vla_train.config import AugmentConfig, HoldoutConfig, SmallConfig, TrainConfig


@dataclass(frozen=True)
class RunFolder:
    """Paths and small files of one run."""

    root: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.root / "checkpoints"

    def recall(self, number: int) -> Path:
        """The memory of an embodiment, by its place among the run's scales."""
        return self.root / "recall" / f"{number}.npz"

    @property
    def predictions(self) -> Path:
        """Folder of the predictions."""
        return self.root / "predictions"

    @property
    def log(self) -> Path:
        """One JSON object per line."""
        return self.root / "log.jsonl"

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write one small file atomically."""
        write_atomically(self.root / name, (json.dumps(values, indent=1) + "\n").encode())

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one small file."""
        path = self.root / name
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BadInputError(f"{path}: not there; is {self.root} a training run?") from error
        except json.JSONDecodeError as error:
            raise BadInputError(f"{path}: not valid JSON: {error}") from error
        return values

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.root / name).is_file()

    def config(self) -> TrainConfig:
        """The settings the run was started with."""
        return config_from_dict(self.read_json("config.json"))

    def append_log(self, line: dict[str, Any]) -> None:
        """Add one line to the log."""
        with storage_errors("write", str(self.log)), self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Every whole line of the log; a line torn by a crash is left out."""
        if not self.log.is_file():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def cut_log(self, last_step: int) -> None:
        """Forget what was logged after a checkpoint that training goes back to."""
        kept = [line for line in self.read_log() if line["step"] <= last_step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        write_atomically(self.log, text.encode())


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the target, flush to disk, rename."""
    partial = path.with_name(path.name + ".partial")
    with storage_errors("write", str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def config_to_dict(config: TrainConfig) -> dict[str, Any]:
    """As plain JSON values."""
    values = asdict(config)
    return {**values, "datasets": list(config.datasets), "history_s": list(config.history_s)}


def config_from_dict(values: dict[str, Any]) -> TrainConfig:
    """Back from `config_to_dict`."""
    parts = {
        "datasets": tuple(values["datasets"]),
        "history_s": tuple(values["history_s"]),
        "model": SmallConfig(**values["model"]),
        "chunk": settings_from_dict(values["chunk"]),
        "holdout": HoldoutConfig(**values["holdout"]),
        "augment": AugmentConfig(**values["augment"]),
    }
    return TrainConfig(**{**values, **parts})
