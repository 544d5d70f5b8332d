"""The training loop: one for every policy. `train` starts a run or carries on where it stopped.

Batch, noise, dropout, augmentation and learning rate of a step follow from the seed and the step
number, so the checkpoint holds only weights, optimiser and step, and a run resumed after a kill
ends in the same bits as one that was never interrupted (same machine, same number of threads).
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import BadInputError, StaleError
from core.session.stage import NO_PROGRESS, Progress
from vla_train.batches import Augment, for_training, join, spread
from vla_train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
    steps_saved,
)
from vla_train.config import TrainConfig
from vla_train.mixture import Mixture, mixture_shares
from vla_train.normalise import check_settings
from vla_train.optimise import copy_weights, learning_rate, make_optimizer, update_average
from vla_train.policies import make_policy
from vla_train.policy import Batch
from vla_train.prepare import OpenDataset, RunData, open_dataset, prepare
from vla_train.recall import save_recall
from vla_train.run_folder import RunFolder, config_to_dict

TIMED_STEPS = 20  # of a run given in minutes, before its number of steps is planned
HELD_OUT_ROWS = 64  # per dataset, for the held-out loss in the log
SEED_STRIDE = 1_000_003


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a training run ended with. losses: last logged loss per embodiment."""

    run: str
    steps: int
    seconds: float
    resumed_from: int
    losses: dict[str, float]
    held_out_losses: dict[str, float]
    warnings: list[str] = field(default_factory=list)


def train(
    config: TrainConfig,
    *,
    progress: Progress = NO_PROGRESS,
    opener: OpenDataset = open_dataset,
) -> RunResult:
    """Train until the run's steps or minutes are used up; a finished run returns at once."""
    use_cores(config.threads)
    torch.use_deterministic_algorithms(True)
    data = prepare(config, opener=opener, progress=progress)
    run = RunFolder(Path(config.run))
    _open_run(run, config, data)
    trainer = Trainer(run, config, data=data)
    trainer.run_until_done(progress)
    return trainer.result()


def use_cores(threads: int) -> None:
    """Let torch use as many threads as asked, or every core this process may use."""
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))


def _open_run(run: RunFolder, config: TrainConfig, data: RunData) -> None:
    """Write the run's description, or refuse to continue a run that was something else."""
    wanted = config_to_dict(config)
    if run.has("config.json"):
        check_settings_of(run, wanted)
        if run.read_json("data.json") != data.record:
            raise StaleError(
                f"{run.root}: the datasets changed since this run began; train under a new name"
            )
        return
    run.write_json("data.json", data.record)
    run.write_json("normalisation.json", data.normalisation.to_dict())
    for number, name in enumerate(data.embodiments):
        save_recall(data.recalls[name], run.recall(number))
    run.write_json("tokenizer.json", vars(data.tokenizer).copy())
    run.write_json("config.json", wanted)


def check_settings_of(run: RunFolder, wanted: dict[str, Any]) -> None:
    """Refuse to continue a run under other settings."""
    known = run.read_json("config.json")
    differing = [key for key in wanted if known.get(key) != wanted[key] and key != "run"]
    if differing:
        key = differing[0]
        raise StaleError(
            f"{run.root}: this run was started with {key} = {known.get(key)!r}, asked for "
            f"{wanted[key]!r}; train under a new name"
        )


class Trainer:
    """The state of a run between steps."""

    def __init__(self, run: RunFolder, config: TrainConfig, *, data: RunData) -> None:
        self.run, self.config, self.data = run, config, data
        seed = config.seed if config.shuffle_labels else None
        pairs = list(zip(data.ready, data.splits, strict=True))
        self.train_frames = [for_training(r, s, shuffle_seed=seed) for r, s in pairs]
        self.train_rows = [np.flatnonzero(split.train) for split in data.splits]
        sizes = [len(rows) for rows in self.train_rows]
        kinds = [ready.table.embodiment.kind for ready in data.ready]
        self.mixture = Mixture(
            shares=mixture_shares(kinds, sizes, config.human_fraction),
            sizes=tuple(sizes),
            batch=config.batch,
            seed=config.seed,
        )
        self.augment = Augment(config=config.augment)
        torch.manual_seed(config.seed)
        self.policy = make_policy(config)
        self.optimizer, self.names = make_optimizer(self.policy, config)
        self.average = copy_weights(self.policy) if config.ema_decay else {}
        self.step = self.resumed_from = 0
        self.planned_steps = config.steps
        self.seconds_before = 0.0
        self.meter = LossMeter(data.embodiments)
        if steps_saved(run):
            self._resume(load_checkpoint(run))
        run.cut_log(self.step)

    def _resume(self, checkpoint: Checkpoint) -> None:
        check_settings(checkpoint.normalisation, self.config.chunk, where=str(self.run.root))
        if checkpoint.normalisation.to_dict() != self.data.normalisation.to_dict():
            raise StaleError(f"{self.run.root}: the checkpoint's scales are not those of its data")
        self.policy.load_state_dict(checkpoint.model)
        restore_optimizer(self.optimizer, checkpoint.optimizer, self.names)
        self.average = checkpoint.ema
        self.step = self.resumed_from = checkpoint.step
        self.planned_steps = checkpoint.planned_steps
        self.seconds_before = checkpoint.seconds

    def run_until_done(self, progress: Progress) -> None:
        """Steps, log and checkpoints."""
        self.started = time.monotonic()
        progress.total(self.planned_steps or TIMED_STEPS, "step")
        progress.advance(self.step)
        while self.planned_steps is None or self.step < self.planned_steps:
            self.one_step()
            self._plan(progress)
            done = self.step == self.planned_steps
            keep = done or self.step % self.config.checkpoint_every == 0
            if keep or self.step % self.config.log_every == 0:
                line = self._log(held_out=keep)
                progress.note(" ".join(f"{k} {v:.3f}" for k, v in line["loss"].items()))
            if keep:
                self._save()
            progress.advance()

    def one_step(self) -> None:
        """One optimiser step on the batch of this step number."""
        config = self.config
        torch.manual_seed(config.seed * SEED_STRIDE + self.step)
        batch = self.augment(self.batch_of(self.step))
        rate = learning_rate(self.step, self.planned_steps, config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.policy.train()
        self.optimizer.zero_grad(set_to_none=True)
        per_sample = self.policy.loss(batch)["per_sample"]
        per_sample.mean().backward()
        norm = nn.utils.clip_grad_norm_(self.policy.parameters(), config.clip_norm, foreach=False)
        self.optimizer.step()
        self.step += 1
        if config.ema_decay:
            update_average(self.average, self.policy, step=self.step, decay=config.ema_decay)
        self.meter.add(per_sample.detach(), batch.embodiment)
        self.last = {"learning_rate": rate, "grad_norm": float(norm)}

    def batch_of(self, step: int) -> Batch:
        """The training batch of a step, before augmentation."""
        return join([
            self.train_frames[dataset].batch(self.train_rows[dataset][positions])
            for dataset, positions in self.mixture.draw(step)
        ])

    def _plan(self, progress: Progress) -> None:
        """Under a time budget: how many steps fit; planned early, corrected at every checkpoint."""
        minutes, step = self.config.minutes, self.step
        if minutes is None or not (
            step == TIMED_STEPS or (step > TIMED_STEPS and step % self.config.checkpoint_every == 0)
        ):
            return
        here = step - self.resumed_from
        left = minutes * 60.0 - self.seconds()
        each = (time.monotonic() - self.started) / max(here, 1)
        self.planned_steps = step + max(0, int(left / each))
        progress.total(self.planned_steps, "step")
        progress.advance(step)

    def seconds(self) -> float:
        """Time spent training so far, over all resumptions."""
        return self.seconds_before + time.monotonic() - self.started

    def _log(self, *, held_out: bool) -> dict[str, Any]:
        line: dict[str, Any] = {"step": self.step, "loss": self.meter.take(), **self.last}
        line["seconds"] = round(self.seconds(), 3)
        if held_out:
            line["held_out_loss"] = self.held_out_loss()
        self.run.append_log(line)
        return line

    @torch.no_grad()
    def held_out_loss(self) -> dict[str, float]:
        """Loss on evenly spread held-out frames per embodiment, with the same noise every time."""
        weights = copy_weights(self.policy)
        self.policy.load_state_dict(self.average or weights)
        self.policy.eval()
        meter = LossMeter(self.data.embodiments)
        for ready, split in zip(self.data.ready, self.data.splits, strict=True):
            torch.manual_seed(self.config.seed)
            rows = spread(np.flatnonzero(split.held_out), HELD_OUT_ROWS)
            batch = ready.batch(rows)
            meter.add(self.policy.loss(batch)["per_sample"], batch.embodiment)
        self.policy.load_state_dict(weights)
        return meter.take()

    def _save(self) -> None:
        save_checkpoint(
            self.run,
            Checkpoint(
                step=self.step,
                planned_steps=self.planned_steps or self.step,
                seconds=self.seconds(),
                model=copy_weights(self.policy),
                ema=self.average,
                optimizer=optimizer_tensors(self.optimizer, self.names),
                normalisation=self.data.normalisation,
            ),
            keep=self.config.keep_checkpoints,
        )

    def result(self) -> RunResult:
        """The end of the run, from its log."""
        lines = self.run.read_log()
        if not lines:
            raise BadInputError(f"{self.run.root}: nothing was trained")
        held_out = [line["held_out_loss"] for line in lines if "held_out_loss" in line]
        return RunResult(
            run=str(self.run.root),
            steps=self.step,
            seconds=self.seconds(),
            resumed_from=self.resumed_from,
            losses=lines[-1]["loss"],
            held_out_losses=held_out[-1] if held_out else {},
            warnings=self._warnings(),
        )

    def _warnings(self) -> list[str]:
        cut = sum(d["texts_cut"] for d in self.data.record["datasets"])
        words = f"{cut} texts are longer than {self.config.max_tokens} words and were cut"
        return [words] if cut else []


class LossMeter:
    """Mean loss per embodiment since it was last read."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.sums = np.zeros(len(names))
        self.counts = np.zeros(len(names), dtype=np.int64)

    def add(self, per_sample: Tensor, embodiment: Tensor) -> None:
        """Count every sample under its embodiment."""
        rows = embodiment.numpy()
        self.sums += np.bincount(rows, per_sample.numpy(), minlength=len(self.names))
        self.counts += np.bincount(rows, minlength=len(self.names))

    def take(self) -> dict[str, float]:
        """Means of the embodiments seen, and start again."""
        means = {
            name: float(total / count)
            for name, total, count in zip(self.names, self.sums, self.counts, strict=True)
            if count
        }
        self.sums[:], self.counts[:] = 0.0, 0
        return means
