"""Accuracy on the sample take stays within its limits; the ratchet itself can fail."""

import json
from importlib.util import find_spec

import pytest

from app.evaluate.figures import Figure
from benchmarks import ratchet

FIGURES = [
    Figure(stage, name, value, unit)
    for names, value in ((ratchet.LOWER_IS_BETTER, 10.0), (ratchet.HIGHER_IS_BETTER, 0.8))
    for stage, name in names
    for unit in ("mm" if value > 1 else "share",)
]


@pytest.fixture
def limits() -> dict:
    return ratchet.limits_of(FIGURES, ratchet.SAMPLE)


def with_value(name: str, value: float) -> list[Figure]:
    return [
        Figure(f.stage, f.name, value if f"{f.stage}: {f.name}" == name else f.value, f.unit)
        for f in FIGURES
    ]


def test_what_was_measured_is_not_worse(limits):
    assert ratchet.worse(FIGURES, limits) == []
    assert ratchet.better(FIGURES, limits) == []


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [("hands: MPJPE", 11.9, 12.1), ("slam: tracked", 0.78, 0.76), ("slam: ATE RMSE", 0.0, 13.0)],
)
def test_a_figure_beyond_its_limit_is_named(limits, name, inside, outside):
    assert ratchet.worse(with_value(name, inside), limits) == []
    (line,) = ratchet.worse(with_value(name, outside), limits)
    assert line.startswith(f"{name}: ")


def test_a_figure_that_is_gone_or_unmeasured_is_worse(limits):
    (line,) = ratchet.worse(FIGURES[1:], limits)
    assert "no longer measured" in line
    (line,) = ratchet.worse(with_value("hands: MPJPE", float("nan")), limits)
    assert line.startswith("hands: MPJPE: nan")


def test_a_clear_gain_asks_to_be_kept(limits):
    (line,) = ratchet.better(with_value("hands: MPJPE", 5.0), limits)
    assert line == "hands: MPJPE: 5 mm, was 10"


@pytest.mark.slow
def test_the_sample_is_as_accurate_as_it_was(tmp_path, missing):
    for name in ("ai_edge_litert", "gtsam"):
        if find_spec(name) is None:
            missing(f"needs {name}: pip install 'handoff-ego[demo]'")
    limits = json.loads(ratchet.LIMITS.read_text(encoding="utf-8"))
    assert limits["sample"] == ratchet.fingerprint(ratchet.SAMPLE), (
        f"the limits were set on another sample: {ratchet.COMMAND}"
    )
    lines = ratchet.worse(ratchet.measure(ratchet.SAMPLE, tmp_path), limits)
    assert not lines, "\n".join(lines)
