"""What every test may ask for: the recordings beside the checkout, and an honest skip."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("busy machines", deadline=None)  # an example may be slow, not wrong
settings.load_profile("busy machines")


def skip_or_fail(reason: str) -> None:
    """Skip with the reason; fail with it under HANDOFF_REQUIRE_ALL=1, where nothing may miss."""
    if os.environ.get("HANDOFF_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def missing() -> Callable[[str], None]:
    """Call with the reason when something this test needs is not on the machine."""
    return skip_or_fail


@pytest.fixture
def recordings() -> Path:
    """Folder of real recordings: HANDOFF_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("HANDOFF_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        skip_or_fail(f"{folder}: no recordings here; set HANDOFF_DATA to a folder that has them")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never touch the user's settings; downloads that are dear to repeat stay shared."""
    os.environ.setdefault("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
    os.environ.setdefault("HANDOFF_CACHE", str(tmp_path_factory.mktemp("handoff-cache")))
