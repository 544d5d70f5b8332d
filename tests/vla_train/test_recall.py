"""What a policy starts from: what followed similar moments of training."""

from dataclasses import replace

import numpy as np
import pytest

from vla_train.batches import for_training
from vla_train.loop import train
from vla_train.predict import predict
from vla_train.prepare import prepare
from vla_train.recall import fit_recall, load_recall, own_moments, save_recall, with_recall
from vla_train.run_folder import RunFolder


@pytest.fixture
def data(toy_config, opener):
    return prepare(toy_config, opener=opener)


def error_of(data, number, rows, prior):
    ready = data.ready[number]
    mask = ready.action_mask[rows]
    return np.square((prior[rows] - ready.actions[rows])[mask]).mean()


@pytest.mark.parametrize("number", [0, 1])
def test_it_is_nearer_on_frames_training_never_saw(data, number):
    rows = np.flatnonzero(data.splits[number].held_out)
    ready = data.ready[number]
    without = ready.scale.actions_in(np.zeros_like(ready.actions), ready.action_mask)
    assert error_of(data, number, rows, ready.prior) < 0.8 * error_of(data, number, rows, without)


def test_no_training_frame_recalls_its_own_chunk(data):
    ready, split = data.ready[0], data.splits[0]
    rows = np.flatnonzero(split.train)
    memory = replace(data.recalls[ready.scale.name], width=1e-3, trust=np.ones(32, np.float32))
    bare = replace(ready, prior=np.zeros_like(ready.prior))
    known = with_recall(bare, memory).prior[rows]
    apart = with_recall(bare, memory, own_moments(ready, split, 0)).prior[rows]
    own = memory.change[: len(rows)] * memory.mask
    assert np.allclose(known * memory.mask, own, atol=1e-4)
    assert not np.allclose(apart * memory.mask, own, atol=0.05)


def test_labels_that_follow_from_nothing_are_not_trusted(data):
    trust = []
    for seed in (None, 3):
        lesson = for_training(data.ready[1], data.splits[1], shuffle_seed=seed)
        lesson = replace(lesson, prior=np.zeros_like(lesson.prior))
        lesson = replace(
            lesson, actions=lesson.actions - lesson.actions.mean(0) * lesson.action_mask
        )
        trust.append(fit_recall([(1, lesson, data.splits[1])]).trust[:3].mean())
    assert trust[1] < 0.5 * trust[0]


def test_it_survives_its_file_and_serves_unseen_data(toy_config, opener, toy_datasets, tmp_path):
    config = replace(toy_config, steps=10, run=str(tmp_path / "run"))
    train(config, opener=opener)
    memory = load_recall(RunFolder(tmp_path / "run").recall(0))
    known = prepare(config, opener=opener).recalls["human"]
    save_recall(known, tmp_path / "again.npz")
    for one in (memory, load_recall(tmp_path / "again.npz")):
        assert one.likeness == known.likeness
        assert one.width == known.width
        for name in ("features", "change", "mask", "moment", "trust"):
            assert np.array_equal(getattr(one, name), getattr(known, name))
    unseen = {**toy_datasets, "new": replace(toy_datasets["human"], seed=5, count=6)}
    assert len(predict(config.run, "new", opener=unseen.__getitem__).row) == 48
