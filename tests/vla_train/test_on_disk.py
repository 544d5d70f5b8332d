"""A dataset on disk reaches the policy as the same frames as the one in memory."""

from dataclasses import replace

import numpy as np
import pytest

from core.dataset.lerobot_writer import DatasetWriter
from core.session.stage import NO_PROGRESS
from vla_train.loop import train
from vla_train.predict import predict
from vla_train.prepare import load_table, open_dataset

EPISODES = 5


@pytest.fixture
def folders(toy_datasets, tmp_path):
    """The first episodes of both toy datasets, written as LeRobot v3."""
    paths = {}
    for name, source in toy_datasets.items():
        writer = DatasetWriter(tmp_path / name, fps=5, cameras={"head": (64, 64)})
        for number, episode in enumerate(source.episodes[:EPISODES]):
            rows = range(number * len(episode), (number + 1) * len(episode))
            writer.add_episode(episode, {"head": iter(source.images("head", rows))})
        writer.finish()
        paths[name] = str(tmp_path / name)
    return paths


def test_frames_from_disk_equal_those_in_memory(folders, toy_config, opener):
    for name, path in folders.items():
        ours = load_table(path, toy_config, opener=open_dataset)
        theirs = load_table(name, toy_config, opener=opener)
        count = len(ours)
        assert count == EPISODES * 8
        assert np.array_equal(ours.tick, theirs.tick[:count])
        assert np.array_equal(ours.chunk_mask, theirs.chunk_mask[:count])
        assert ours.chunk == pytest.approx(theirs.chunk[:count], abs=1e-6)
        assert ours.state == pytest.approx(theirs.state[:count], abs=1e-6)
        assert [ours.texts[row] for row in ours.text] == [
            theirs.texts[row] for row in theirs.text[:count]
        ]
        lost = np.abs(ours.images.astype(int) - theirs.images[:count]).mean()
        assert lost < 6.0  # video is lossy


def test_train_and_predict_on_folders(folders, toy_config):
    config = replace(toy_config, datasets=tuple(folders.values()), steps=10)
    result = train(config, progress=NO_PROGRESS)
    assert result.steps == 10
    assert set(result.losses) == {"human", "robot"}
    predictions = predict(config.run, folders["robot"])
    assert predictions.report["embodiment"] == "robot"
    assert predictions.report["held_out"]["protocol"] == "whole episodes"
    assert np.isfinite(predictions.predicted).all()
