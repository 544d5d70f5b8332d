"""Sessions of numbers for the toy stages."""

from pathlib import Path

import pytest

from core.session.info import Operator, SessionInfo
from core.session.storage import SessionFolder


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """A cache of its own, and toy stages that spawned workers can import."""
    monkeypatch.setenv("HANDOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def make_session(tmp_path):
    def make(name, numbers="1 2 3", url=None):
        folder = SessionFolder(url or tmp_path / "sessions" / name)
        SessionInfo(
            name, Operator("anna"), task="count", scene="", device="", consent="", streams=()
        ).write(folder)
        folder.write_bytes("raw/numbers.txt", numbers.encode())
        return folder

    return make
