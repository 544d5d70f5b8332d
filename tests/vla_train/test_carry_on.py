"""A body that goes on as it was going."""

from dataclasses import replace

import numpy as np
import pytest

from core.dataset.chunks import ChunkSettings
from core.dataset.slots import arm_slots
from vla_train.carry_on import Lesson, carry_on, fit_momentum
from vla_train.frames import load_frames
from vla_train.still import stay_still

AGO_S = (0.2, 0.4)
STEPS = 5  # of 0.2 s each
RIGHT = arm_slots("right")


@pytest.fixture
def steady(toy_datasets):
    """Frames of arms that keep their velocity, a random one in every frame."""
    settings = ChunkSettings(steps=STEPS, duration_s=1.0)
    table = load_frames(
        toy_datasets["human"], name="h", settings=settings, image_px=32, history_s=AGO_S
    )
    velocity = np.random.default_rng(0).normal(0.0, 0.3, (len(table), 2, 6))
    state, chunk = table.state.copy(), np.zeros_like(table.chunk)
    past = state.reshape(len(table), 2, -1)[:, :, 10:]
    past[:] = np.concatenate([-velocity * ago for ago in AGO_S], axis=2)
    ahead = velocity[:, :, None] * 0.2 * np.arange(1, STEPS + 1)[:, None]
    for arm, side in enumerate(("left", "right")):
        chunk[:, :, arm_slots(side)] = ahead[:, arm]
    return replace(table, state=state, state_valid=np.ones_like(table.state_valid), chunk=chunk)


def everything(table):
    return Lesson(table, table.chunk, np.ones(table.chunk.shape, bool))


def test_steady_motion_is_continued(steady):
    chunk = carry_on(steady, fit_momentum([everything(steady)]))
    assert chunk == pytest.approx(steady.chunk, abs=0.02 * float(np.abs(steady.chunk).max()))


def test_a_body_whose_past_is_not_known_stays_still(steady):
    momentum = fit_momentum([everything(steady)])
    known = steady.state_valid.copy()
    known.reshape(len(steady), 2, -1)[:, 1, -1] = False  # the right arm's last number
    chunk = carry_on(replace(steady, state_valid=known), momentum)
    assert np.abs(chunk[:, :, RIGHT]).max() == 0.0
    assert np.abs(chunk[:, :, arm_slots("left")]).max() > 0.1


def test_frames_without_labels_teach_nothing(steady):
    wrong = steady.chunk.copy()
    mask = np.ones(wrong.shape, bool)
    wrong[::2] *= -5.0
    mask[::2, -1] = False
    taught = fit_momentum([Lesson(steady, wrong, mask)])
    assert taught == pytest.approx(fit_momentum([everything(steady)]), abs=0.05)


def test_exchanged_labels_leave_no_momentum(steady):
    other = np.random.default_rng(1).permutation(len(steady))
    lesson = Lesson(steady, steady.chunk[other], np.ones(steady.chunk.shape, bool))
    chunk = carry_on(steady, fit_momentum([lesson]))
    assert np.abs(chunk).mean() < 0.15 * np.abs(steady.chunk).mean()


def test_without_history_it_stays_still(toy_datasets):
    table = load_frames(
        toy_datasets["robot"], name="r", settings=ChunkSettings(steps=STEPS), image_px=32
    )
    chunk = carry_on(table, fit_momentum([everything(table)]))
    assert np.array_equal(chunk, np.repeat(stay_still(table)[:, None], STEPS, axis=1))
