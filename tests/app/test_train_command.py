"""What `handoff train` makes of its options."""

import pytest

from app.cli import build_parser
from app.commands.train import config_of
from core.errors import BadInputError


def config(*words):
    return config_of(build_parser().parse_args(["train", "data", "--run", "run", *words]))


def test_a_preset_is_a_start_and_options_win():
    preset = config("--minutes", "2", "--preset", "demo")
    assert (preset.minutes, preset.steps, preset.image_px) == (2.0, None, 64)
    assert preset.chunk.duration_s == 0.5
    changed = config("--steps", "7", "--preset", "demo", "--image-px", "96", "--chunk-seconds", "1")
    assert (changed.minutes, changed.steps, changed.image_px) == (None, 7, 96)
    assert (changed.chunk.duration_s, changed.chunk.steps) == (1.0, preset.chunk.steps)
    assert changed.model == preset.model


def test_without_a_preset_the_rooms_defaults_hold():
    plain = config("--steps", "7")
    assert plain.chunk.duration_s == 1.0
    assert config("--steps", "7", "--preset", "debug").model.width < plain.model.width


def test_values_that_cannot_be_are_one_line():
    with pytest.raises(BadInputError, match="image_px 50"):
        config("--steps", "7", "--image-px", "50")
