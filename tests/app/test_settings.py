"""--set: typed by the stage's own configuration."""

from dataclasses import dataclass
from typing import Literal

import pytest

from app.settings import configs_from
from core.errors import BadInputError


@dataclass(frozen=True)
class Slam:
    max_lost_s: float = 0.5
    rounds: int = 3
    loops: bool = False
    mode: Literal["fast", "exact"] = "fast"
    size: tuple[int, int] = (1, 2)
    model: str | None = "x"


def one(pair):
    return configs_from([pair], {"slam": Slam})["slam"]


@pytest.mark.parametrize(
    ("pair", "field", "value"),
    [
        ("slam.max_lost_s=2", "max_lost_s", 2.0),
        ("slam.rounds=7", "rounds", 7),
        ("slam.loops=on", "loops", True),
        ("slam.loops=false", "loops", False),
        ("slam.mode=exact", "mode", "exact"),
        ("slam.size=(4, 5)", "size", (4, 5)),
        ("slam.model=none", "model", None),
        ("slam.model=a=b", "model", "a=b"),
    ],
)
def test_values_take_the_type_of_their_field(pair, field, value):
    found = getattr(one(pair), field)
    assert found == value
    assert type(found) is type(value)


def test_several_settings_make_one_config():
    config = configs_from(["slam.rounds=7", "slam.loops=yes"], {"slam": Slam})["slam"]
    assert (config.rounds, config.loops, config.max_lost_s) == (7, True, 0.5)


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("slam.max_lost_s", "write stage.key=value"),
        ("rounds=3", "write stage.key=value"),
        ("slum.rounds=3", "no stage 'slum'; use slam"),
        ("slam.rund=3", "slam has no field 'rund'; it has max_lost_s, rounds, loops"),
        ("slam.rounds=1.5", "'1.5' is not int"),
        ("slam.loops=maybe", "'maybe' is not bool"),
        ("slam.mode=best", "'best' is not one of fast, exact"),
        ("slam.size=1", "'1' is not"),
    ],
)
def test_wrong_settings_say_what_could_have_been_meant(pair, says):
    with pytest.raises(BadInputError) as error:
        one(pair)
    assert says in str(error.value)
    assert pair in str(error.value)
