"""A wrist camera placed in a child process: its answer and its refusal come back."""

import numpy as np
import pytest

from core.errors import HandoffError, StorageError
from core.geometry.cameras import pinhole
from core.geometry.se3 import SE3
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from slam.config import SlamConfig
from slam.path import CameraPath
from slam.recording import Recording
from slam.result import Estimate
from slam.wrist.cameras import started_helper


@pytest.fixture
def lost(tmp_path):
    """A recording without files and without a map."""
    camera, folder = pinhole(320.0, (640, 480)), SessionFolder(tmp_path)
    recording = Recording(
        folder, Ticks.empty(), SlamConfig(), camera, SE3.identity(), None, NO_PROGRESS
    )
    return recording, Estimate(CameraPath(0), [], np.zeros(0, np.int64))


def test_what_a_child_refuses_is_refused_here(lost):
    with started_helper() as helper:
        helper.begin(*lost, "left_wrist")
        with pytest.raises(StorageError, match="cannot read"):
            helper.path()


def test_a_child_that_dies_says_what_it_was_doing(lost, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with started_helper() as helper:
        helper.begin(*lost, "left_wrist")
        with pytest.raises(HandoffError, match="placing left_wrist failed"):
            helper.path()


def test_a_child_without_work_ends_quietly(capfd):
    with started_helper() as helper:
        pass
    assert helper.process.returncode == 0
    assert capfd.readouterr().err == ""
