"""The product's own stages, in their order, as far as the rooms promise it."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from core.session.layout import STAGES
from core.session.marks import config_document
from pipeline.stages import after, all_stages, in_order, readers

ROOT = Path(__file__).resolve().parents[2]


def test_the_order_is_the_layouts():
    assert tuple(stage.name for stage in all_stages()) == STAGES
    assert in_order(all_stages()) == all_stages()
    for name, expected in [("hands_detect", STAGES[2:]), ("slam", STAGES[3:])]:
        assert tuple(stage.name for stage in readers(all_stages(), name)) == expected
    assert [stage.name for stage in after(all_stages(), "slam")] == []


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_can_be_told_apart_and_configured(name):
    stage = next(stage for stage in all_stages() if stage.name == name)
    assert stage.version >= 1
    assert dataclasses.is_dataclass(stage.config_type)
    config = stage.config_type()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, None)
    assert config_document(config) == config_document(stage.config_type())


def test_naming_the_stages_loads_no_heavy_library():
    heavy = {
        *("torch", "ai_edge_litert", "gtsam", "mujoco", "rerun", "matplotlib", "sqlalchemy", "rich")
    }
    code = (
        "import sys; from pipeline.run import run_sessions; from pipeline.stages import all_stages;"
        f"all_stages(); print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
