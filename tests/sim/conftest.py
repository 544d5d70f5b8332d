"""A short take that every test may look at, and whether this machine can draw."""

from collections.abc import Callable

import pytest

from core.errors import HandoffError
from sim.record import Performance, perform
from sim.rig import find_preset, find_rig
from sim.scene.model import SceneLook, SceneModel
from sim.scene.render import Renderer


@pytest.fixture(scope="session")
def show() -> Performance:
    """Ten seconds, perfect sensors, head camera only."""
    return perform(
        "blocks_to_tray", seconds=10.0, seed=5, rig=find_rig("head"), preset=find_preset("clean")
    )


@pytest.fixture
def can_draw(missing: Callable[[str], None]) -> None:
    """Skip where nothing can be drawn."""
    look = SceneLook(0, 0, 0.74, (0.0, 0.0, -1.0), 1.0)
    try:
        with Renderer(SceneModel(look, things=()), (32, 24)):
            pass
    except HandoffError as error:
        missing(str(error))
