"""Checkpoints: weights, their moving average and the optimiser, as safetensors; nothing is
unpickled.

A checkpoint is a folder that appears under its final name in one rename, so whatever kills the
process leaves either a whole checkpoint or none.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import BadInputError
from core.session.storage import storage_errors
from vla_train.normalise import Normalisation, normalisation_from_dict
from vla_train.run_folder import RunFolder

PREFIX = "step-"
MODEL, EMA, OPTIMIZER, STATE = (
    "model.safetensors",
    "ema.safetensors",
    "optimizer.safetensors",
    "state.json",
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """step: how many steps are done.   planned_steps: what the learning rate's schedule ends at.

    ema is empty when the run keeps no moving average. normalisation travels with the weights.
    """

    step: int
    planned_steps: int
    seconds: float
    model: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    normalisation: Normalisation

    @property
    def best_weights(self) -> dict[str, Tensor]:
        """What to predict with: the moving average where there is one."""
        return self.ema or self.model


def save_checkpoint(run: RunFolder, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint and drop all but the newest ``keep``."""
    final = run.checkpoints / f"{PREFIX}{checkpoint.step:08d}"
    partial = run.checkpoints / f".partial-{final.name}"
    with storage_errors("write", str(final)):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _save(checkpoint.model, partial / MODEL)
        _save(checkpoint.optimizer, partial / OPTIMIZER)
        if checkpoint.ema:
            _save(checkpoint.ema, partial / EMA)
        (partial / STATE).write_text(json.dumps(_state(checkpoint)), encoding="utf-8")
        for path in partial.iterdir():
            _flush(path)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        _flush(run.checkpoints)
    for old in steps_saved(run)[:-keep]:
        shutil.rmtree(run.checkpoints / f"{PREFIX}{old:08d}")
    return final


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    """safetensors' writer; what the disk refuses comes as an OSError, as from any other writer."""
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), str(error)) from error


def steps_saved(run: RunFolder) -> list[int]:
    """Steps of the whole checkpoints, rising."""
    return sorted(
        int(path.name.removeprefix(PREFIX)) for path in run.checkpoints.glob(f"{PREFIX}*")
    )


def load_checkpoint(run: RunFolder, step: int | None = None) -> Checkpoint:
    """The newest checkpoint, or that of one step."""
    saved = steps_saved(run)
    if not saved or (step is not None and step not in saved):
        raise BadInputError(
            f"{run.checkpoints}: no checkpoint of step {step or 'any'}; has {saved}"
        )
    folder = run.checkpoints / f"{PREFIX}{saved[-1] if step is None else step:08d}"
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        ema = folder / EMA
        return Checkpoint(
            step=state["step"],
            planned_steps=state["planned_steps"],
            seconds=state["seconds"],
            model=load_file(folder / MODEL),
            ema=load_file(ema) if ema.is_file() else {},
            optimizer=load_file(folder / OPTIMIZER),
            normalisation=normalisation_from_dict(state["normalisation"]),
        )
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise BadInputError(f"{folder}: not a whole checkpoint: {error}") from error


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """The optimiser's state as named tensors: ``<weight>|<quantity>``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{names[row]}|{key}": value.detach().clone()
        for row, quantities in state.items()
        for key, value in quantities.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], names: list[str]
) -> None:
    """Inverse of `optimizer_tensors`; the settings stay those of ``optimizer``."""
    rows = {name: row for row, name in enumerate(names)}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, quantity = key.rsplit("|", 1)
        state.setdefault(rows[name], {})[quantity] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _state(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "step": checkpoint.step,
        "planned_steps": checkpoint.planned_steps,
        "seconds": checkpoint.seconds,
        "normalisation": checkpoint.normalisation.to_dict(),
    }


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
