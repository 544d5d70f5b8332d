"""Frames, states, texts and scales as a policy receives them."""

from dataclasses import replace

import numpy as np
import pytest

from core.dataset.chunks import encode_chunk
from core.dataset.embodiments import TWO_ARM_ROBOT
from core.dataset.slots import slots_of
from core.errors import BadInputError, StaleError
from core.geometry.se3 import SE3
from vla_train.config import HoldoutConfig
from vla_train.frames import letterbox, load_frames
from vla_train.holdout import split_frames
from vla_train.normalise import check_settings, fit_normalisation, normalisation_from_dict
from vla_train.prepare import fingerprint, prepare
from vla_train.text import WordTokenizer, prompt


@pytest.fixture
def data(toy_config, opener):
    return prepare(toy_config, opener=opener)


def test_chunks_and_states_are_those_of_the_episode(data, toy_datasets, toy_config):
    table = data.ready[0].table
    episode = toy_datasets["human"].episodes[3]
    row = 3 * 8 + 2
    chunk = encode_chunk(episode, 2, toy_config.chunk)
    assert np.array_equal(table.chunk[row], chunk.values)
    assert np.array_equal(table.chunk_mask[row], chunk.mask)
    assert table.state[row, :3] == pytest.approx(episode.state[2, :3])
    yaw = 2 * episode.state[2, 0]
    assert table.state[row, 3:9] == pytest.approx(
        [np.cos(yaw), np.sin(yaw), 0, -np.sin(yaw), np.cos(yaw), 0], abs=1e-6
    )


def test_every_body_owns_its_slots(data):
    human, robot = data.ready
    assert np.array_equal(human.action_mask.any(axis=(0, 1)), slots_of("human"))
    assert np.array_equal(robot.action_mask.any(axis=(0, 1)), slots_of("robot"))
    assert not human.table.state_valid[:, [9, 19]].any()
    assert robot.table.state_valid.all()


def test_scales_come_from_training_labels_alone(data):
    ready, split = data.ready[1], data.splits[1]
    kept = ready.table.chunk_mask[split.train, :, 0]
    values = ready.table.chunk[split.train, :, 0][kept]
    assert ready.scale.action.low[0] == pytest.approx(np.quantile(values, 0.01), abs=1e-6)
    assert ready.scale.action.high[0] == pytest.approx(np.quantile(values, 0.99), abs=1e-6)
    inside = np.abs(ready.actions[split.train, :, 0][kept]) <= 1.0
    assert 0.97 < inside.mean() < 0.99


def test_a_still_slot_is_not_blown_up(data):
    head_up = data.ready[0].scale.action
    assert head_up.high[17] - head_up.low[17] == pytest.approx(0.02)
    assert np.abs(data.ready[0].actions[..., 17]).max() < 1e-3


def test_normalised_chunks_come_back(data):
    for ready in data.ready:
        back = ready.scale.actions_out(ready.actions)
        near = ready.action_mask & (np.abs(ready.actions) < 3.0)
        assert back[near] == pytest.approx(ready.table.chunk[near], abs=1e-5)


def test_normalisation_survives_its_file(data):
    again = normalisation_from_dict(data.normalisation.to_dict())
    assert again.to_dict() == data.normalisation.to_dict()
    with pytest.raises(BadInputError, match="aloha"):
        again.of("aloha")


def test_other_chunk_settings_are_refused(data, toy_config):
    check_settings(data.normalisation, toy_config.chunk, where="run")
    for change in ({"duration_s": 0.5}, {"reference": "per_tick"}, {"base_alignment": "separate"}):
        with pytest.raises(StaleError, match=next(iter(change))):
            check_settings(data.normalisation, replace(toy_config.chunk, **change), where="run")


def test_fingerprint_sees_a_changed_pixel(toy_config, toy_datasets):
    tables = [
        load_frames(toy_datasets["human"], name="h", settings=toy_config.chunk, image_px=32)
        for _ in range(2)
    ]
    assert fingerprint(tables[0]) == fingerprint(tables[1])
    tables[1].images[5, 0, 3, 3, 0] += 1
    assert fingerprint(tables[0]) != fingerprint(tables[1])


def test_mixed_bodies_in_one_dataset_are_refused(toy_datasets, toy_config):
    source = type(toy_datasets["human"])(count=4)
    other = type(source)(embodiment=TWO_ARM_ROBOT, count=4)
    source.episodes[2] = other.episodes[2]
    with pytest.raises(BadInputError, match="episode 2 is of 'robot'"):
        load_frames(source, name="mixed", settings=toy_config.chunk, image_px=32)


def test_a_dataset_of_two_robots_pools_its_scale(toy_datasets, toy_config):
    tables = [
        load_frames(toy_datasets[name], name=name, settings=toy_config.chunk, image_px=32)
        for name in ("robot", "robot", "human")
    ]
    splits = [split_frames(table, HoldoutConfig()) for table in tables]
    pooled = fit_normalisation(tables, splits, toy_config.chunk)
    assert [scale.name for scale in pooled.scales] == ["robot", "human"]


def test_letterbox_keeps_the_aspect():
    wide = np.full((48, 64, 3), 200, dtype=np.uint8)
    square = letterbox(wide, 32)
    assert square.shape == (32, 32, 3)
    assert (square[:4] == 0).all()
    assert (square[4:28] == 200).all()


def test_words_are_stable_and_cut_ones_counted():
    tokenizer = WordTokenizer(rows=1024, max_tokens=6)
    tokens, cut = tokenizer.encode((prompt("Sort eggs", ""), prompt("Sort eggs", "left: wait")))
    assert tokens.tolist()[0] == [*tokenizer.words("task: sort eggs."), 0]
    assert cut == 1
    assert tokenizer.words("Egg") == tokenizer.words("egg") == [957]


def test_history_is_the_chunk_run_backwards(toy_datasets, toy_config):
    """The pose a tick ago relative to now undoes the chunk that led from there to here."""
    table = load_frames(
        toy_datasets["human"],
        name="h",
        settings=toy_config.chunk,
        image_px=32,
        history_s=(0.2, 0.6),
    )
    assert table.state.shape == (480, 2 * (10 + 6 + 6))
    then, now = 8 * 5 + 1, 8 * 5 + 4
    led_here = SE3.from_vec6(table.chunk[then, 2, 7:13].astype(float))  # right arm, three ticks on
    ago = SE3.from_vec6(table.state[now, 22 + 16 : 22 + 22].astype(float))
    assert (led_here @ ago).to_vec6() == pytest.approx(np.zeros(6), abs=1e-5)
    assert table.state_valid[now].sum() == 44 - 2  # a person has no grippers
    assert not table.state_valid[8 * 5, 10:22].any()  # an episode begins without a past
    assert not table.state_valid[8 * 5 + 2, 16:22].any()
