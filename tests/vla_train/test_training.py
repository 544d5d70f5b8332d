"""A run stops, dies, resumes and refuses as it should; the same bits come out."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

import vla_train.checkpoint
from core.errors import BadInputError, StaleError, StorageError
from core.session.stage import NoProgress
from vla_train.checkpoint import load_checkpoint, steps_saved
from vla_train.loop import Trainer, train
from vla_train.optimise import learning_rate
from vla_train.policies import make_policy
from vla_train.prepare import prepare
from vla_train.run_folder import RunFolder, config_from_dict, config_to_dict

HERE = Path(__file__).parent


class Killed(BaseException):
    """Stands for a process that ends where it is."""


class KillAt(NoProgress):
    """Progress that kills the run after some steps."""

    def __init__(self, steps):
        self.left = steps

    def total(self, n, unit):
        self.counting = unit == "step"

    def advance(self, k=1):
        self.left -= k if self.counting else 0
        if self.left <= 0:
            raise Killed


def weights(config):
    checkpoint = load_checkpoint(RunFolder(Path(config.run)))
    return {**checkpoint.model, **{f"ema.{k}": v for k, v in checkpoint.ema.items()}}


def log(config, *, without=("seconds",)):
    lines = RunFolder(Path(config.run)).read_log()
    return [{k: v for k, v in line.items() if k not in without} for line in lines]


def assert_same(config, other):
    ours, theirs = weights(config), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert log(config) == log(other)


@pytest.fixture
def whole(toy_config, opener):
    """The 20 steps done in one go."""
    config = replace(toy_config, run=toy_config.run + "_whole", log_every=5)
    train(config, opener=opener)
    return config


@pytest.mark.parametrize("steps", [3, 10, 13])
def test_a_killed_run_ends_in_the_same_bits(toy_config, whole, opener, steps):
    config = replace(whole, run=toy_config.run)
    with pytest.raises(Killed):
        train(config, opener=opener, progress=KillAt(steps))
    result = train(config, opener=opener)
    assert result.resumed_from == (0 if steps <= 10 and not steps >= 10 else 10)
    assert result.steps == 20
    assert_same(config, whole)


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors", "ema.safetensors"])
def test_killed_while_saving(toy_config, whole, opener, file, monkeypatch):
    config = replace(whole, run=toy_config.run)
    real = vla_train.checkpoint.save_file
    saves = itertools.count()

    def torn(tensors, path):
        if path.name == file and next(saves) == 1:
            path.write_bytes(b"half a")
            raise Killed
        real(tensors, path)

    monkeypatch.setattr(vla_train.checkpoint, "save_file", torn)
    with pytest.raises(Killed):
        train(config, opener=opener)
    assert steps_saved(RunFolder(Path(config.run))) == [10]
    assert train(config, opener=opener).resumed_from == 10
    assert_same(config, whole)


def test_a_full_disk_is_one_line_and_costs_one_checkpoint(toy_config, whole, opener, monkeypatch):
    real = vla_train.checkpoint.save_file
    saved = itertools.count()

    def full(tensors, path):
        if next(saved) >= 3:  # in the second checkpoint
            reason = f'I/O error: No space left on device (os error 28) at path "{path}"'
            raise SafetensorError(f"Error while serializing: {reason}")
        real(tensors, path)

    config = replace(whole, run=toy_config.run)
    monkeypatch.setattr(vla_train.checkpoint, "save_file", full)
    with pytest.raises(StorageError, match=r"step-\d+: cannot write: .*disk") as error:
        train(config, opener=opener)
    assert "\n" not in str(error.value)
    assert len(steps_saved(RunFolder(Path(config.run)))) == 1
    monkeypatch.undo()
    train(config, opener=opener)
    assert_same(config, whole)


def test_sigkill(toy_config, whole, tmp_path):
    config = replace(whole, run=str(tmp_path / "killed"))
    (tmp_path / "config.json").write_text(json.dumps(config_to_dict(config)), encoding="utf-8")
    command = [sys.executable, str(HERE / "toy_run.py"), str(tmp_path / "config.json")]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    process = subprocess.Popen(command, env=environment)
    run = RunFolder(Path(config.run))
    while not steps_saved(run) and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert steps_saved(run) == [10]
    subprocess.run(command, env=environment, check=True)
    assert_same(config, whole)


def test_a_finished_run_returns_at_once(whole, opener):
    before = weights(whole)
    result = train(whole, opener=opener)
    assert result.resumed_from == result.steps == 20
    assert set(result.losses) == set(result.held_out_losses) == {"human", "robot"}
    assert all(torch.equal(before[name], weights(whole)[name]) for name in before)


def test_other_settings_or_data_are_refused(whole, opener, toy_datasets):
    with pytest.raises(StaleError, match="learning_rate"):
        train(replace(whole, learning_rate=0.5), opener=opener)
    with pytest.raises(StaleError, match="chunk"):
        train(replace(whole, chunk=replace(whole.chunk, duration_s=0.6)), opener=opener)
    fewer = {**toy_datasets, "robot": replace(toy_datasets["robot"], count=20)}
    with pytest.raises(StaleError, match="datasets changed"):
        train(whole, opener=fewer.__getitem__)


def test_batches_are_half_human_and_labels_are_shuffled_only_on_request(toy_config, opener):
    data = prepare(toy_config, opener=opener)
    run = RunFolder(Path(toy_config.run))
    plain = Trainer(run, toy_config, data=data).batch_of(3)
    assert plain.embodiment.bincount().tolist() == [8, 8]
    shuffled = Trainer(run, replace(toy_config, shuffle_labels=True), data=data)
    other = shuffled.batch_of(3)
    assert torch.equal(plain.state, other.state)
    assert not torch.equal(plain.actions, other.actions)
    for ready, mixed, split in zip(data.ready, shuffled.train_frames, data.splits, strict=True):
        kept = np.sort(mixed.actions[split.train].sum(axis=(1, 2)))
        assert kept == pytest.approx(np.sort(ready.actions[split.train].sum(axis=(1, 2))), abs=1e-4)


def test_minutes_plan_the_steps(toy_config, opener):
    config = replace(toy_config, steps=None, minutes=0.05, warmup_steps=4)
    result = train(config, opener=opener)
    assert result.steps > 20
    assert result.seconds < 0.05 * 60 * 3
    assert log(config)[-1]["learning_rate"] < 0.2 * config.learning_rate


def test_learning_rate_rises_then_falls(toy_config):
    config = replace(toy_config, warmup_steps=10, learning_rate=1.0, final_learning_rate=0.1)
    rates = [learning_rate(step, 100, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.1)
    assert learning_rate(55, None, config) == 1.0


def test_config_survives_its_file(toy_config):
    assert config_from_dict(json.loads(json.dumps(config_to_dict(toy_config)))) == toy_config


def test_settings_are_checked(toy_config):
    with pytest.raises(BadInputError, match="steps or minutes"):
        replace(toy_config, minutes=1.0)
    with pytest.raises(BadInputError, match="image_px 90"):
        replace(toy_config, image_px=90)
    with pytest.raises(BadInputError, match="multiple of steps_per_token"):
        replace(toy_config, chunk=replace(toy_config.chunk, steps=7))
    with pytest.raises(BadInputError, match="pi05"):
        make_policy(replace(toy_config, policy="pi05"))
