"""The policy learns what can be learned, and a control that cannot does not look as if it could."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.dataset.chunks import CurrentPoses, decode_chunk
from core.errors import BadInputError, StaleError
from core.geometry.se3 import SE3
from vla_train.loop import train
from vla_train.predict import beats, predict

STEPS = 500
GOALS, FRAMES = 120, 6  # many pictures, each seen for a moment
EMBODIMENTS = ("human", "robot")


@pytest.fixture(scope="module")
def toy_datasets(toy_datasets):
    return {n: replace(toy_datasets[n], count=GOALS, frames=FRAMES) for n in EMBODIMENTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def learn(config, opener, folder, **changes):
    config = replace(config, steps=STEPS, checkpoint_every=100, **changes)
    config = replace(config, run=str(folder))
    train(config, opener=opener)
    return {name: predict(config.run, name, opener=opener) for name in EMBODIMENTS}


@pytest.fixture(scope="module")
def learned(folder, toy_datasets, toy_settings):
    """Predictions of an honest run and of the control, made once."""
    opener = toy_datasets.__getitem__
    honest = learn(toy_settings, opener, folder / "honest")
    control = learn(toy_settings, opener, folder / "control", shuffle_labels=True)
    return honest, control


def arms(predictions, name, over="mean"):
    return predictions.report["errors"][name]["arms"]["position_mm"][over]


@pytest.mark.parametrize("name", EMBODIMENTS)
def test_training_beats_both_baselines_on_held_out_episodes(learned, name):
    predictions = learned[0][name]
    for over in ("mean", "final"):
        assert beats(predictions.report, "position_mm", over)
        assert beats(predictions.report, "rotation_deg", over)
    best = min(arms(predictions, "still"), arms(predictions, "neighbour"))
    assert arms(predictions, "policy") < 0.8 * best


@pytest.mark.parametrize("name", EMBODIMENTS)
def test_shuffled_labels_do_not_beat_the_baselines(learned, name):
    predictions = learned[1][name]
    best = min(arms(predictions, "still"), arms(predictions, "neighbour"))
    assert not beats(predictions.report)
    assert arms(predictions, "policy") > 0.95 * best
    assert arms(predictions, "policy") > 1.3 * arms(learned[0][name], "policy")


def test_baselines_are_what_they_say(learned, toy_datasets):
    predictions = learned[0]["robot"]
    assert np.abs(predictions.baselines["still"][:, :, :6]).max() == 0.0
    grippers = np.array([e.state[:, 7] for e in toy_datasets["robot"].episodes]).ravel()
    assert np.array_equal(predictions.baselines["still"][:, 0, 6], grippers[predictions.row])


def test_neighbour_of_a_training_frame_is_itself(learned, folder, toy_datasets):
    seen = predict(folder / "honest", "human", frames="train", opener=toy_datasets.__getitem__)
    whole = seen.mask[:, -1, 0]
    difference = np.abs(seen.baselines["neighbour"] - seen.true)[whole]
    assert difference.max() < 1e-6


def test_predictions_lie_in_the_head_frame(learned, toy_datasets, toy_settings):
    predictions = learned[0]["human"]
    number = 4
    row = int(predictions.row[number])
    episode = toy_datasets["human"].episodes[row // FRAMES]
    tick = row % FRAMES
    current = CurrentPoses(
        head_from_palm={"left": SE3.from_pose7(episode.state[tick, :7].astype(float))}
    )
    decoded = decode_chunk(
        predictions.predicted[number],
        predictions.mask[number],
        current=current,
        settings=toy_settings.chunk,
    )
    expected = decoded.head_from_palm["left"].translation
    assert predictions.predicted_in_head[number, 0, :, :3] == pytest.approx(expected, abs=1e-6)
    steps = predictions.arm_valid[number, 0].sum()
    future = episode.action[tick : tick + steps, :3]
    assert predictions.true_in_head[number, 0, :steps, :3] == pytest.approx(future, abs=1e-5)


def test_what_is_saved_is_what_was_returned(learned, folder):
    predictions = learned[0]["robot"]
    stem = folder / "honest" / "predictions" / "robot"
    with np.load(f"{stem}.npz") as arrays:
        assert np.array_equal(arrays["predicted"], predictions.predicted)
        assert np.array_equal(arrays["neighbour"], predictions.baselines["neighbour"])
    report = json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))
    assert report == predictions.report
    assert report["held_out"]["protocol"] == "whole episodes"
    assert report["count"] == len(predictions.row)


def test_predicting_again_gives_the_same(learned, folder, toy_datasets):
    again = predict(folder / "honest", "human", opener=toy_datasets.__getitem__)
    assert np.array_equal(again.predicted, learned[0]["human"].predicted)


def test_an_unseen_dataset_is_predicted_whole(learned, folder, toy_datasets):
    unseen = replace(toy_datasets["human"], seed=77, count=12)
    known = {**toy_datasets, "new": unseen}
    predictions = predict(folder / "honest", "new", opener=known.__getitem__)
    assert predictions.report["held_out"] is None
    assert len(predictions.row) == 12 * FRAMES
    assert beats(predictions.report)


def test_an_unknown_body_and_changed_scales_are_refused(learned, folder, toy_datasets):
    stranger = replace(
        toy_datasets["robot"], embodiment=replace(toy_datasets["robot"].embodiment, name="aloha")
    )
    known = {**toy_datasets, "new": stranger}
    with pytest.raises(BadInputError, match="aloha"):
        predict(folder / "honest", "new", opener=known.__getitem__)
    path = folder / "honest" / "normalisation.json"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace('"duration_s": 1.0', '"duration_s": 0.5'), encoding="utf-8")
    with pytest.raises(StaleError, match=r"normalisation\.json"):
        predict(folder / "honest", "human", opener=toy_datasets.__getitem__)
    path.write_text(before, encoding="utf-8")
