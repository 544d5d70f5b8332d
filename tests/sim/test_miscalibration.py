"""A wrong calibration is wrong by what was asked, in rig.toml alone, and the truth says so."""

import json
import tomllib

import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.rotations import angle_between
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.storage import SessionFolder
from sim.record import perform, take_of, write_truth
from sim.rig import find_preset, find_rig
from sim.rig_folder import write_rig_folder
from sim.sensors.miscalibration import AMOUNTS, Miscalibration, find_miscalibration


def test_rig_file_is_wrong_and_truth_is_right(tmp_path):
    rig, preset, wrong = find_rig("stereo-head"), find_preset("default"), AMOUNTS["large"]
    show = perform("blocks_to_tray", seconds=4.0, seed=0, rig=rig, preset=preset, wrong=wrong)
    folder = SessionFolder(str(tmp_path))
    write_truth(folder, show)
    write_rig_folder(folder, take_of(show), rig=rig, preset=preset, wrong=wrong)
    stated = tomllib.loads((tmp_path / "rig.toml").read_text())
    truth = Calibration.read(folder, "truth")
    document = json.loads((tmp_path / "truth/sim/calibration_error.json").read_text())
    for stream in rig.streams:
        given = np.array(stated["streams"][stream]["params"])
        true = np.array(truth.stream(stream).camera.params)
        assert given[0] / true[0] == pytest.approx(1.02)
        assert np.hypot(*(given - true)[2:4]) == pytest.approx(6.0)
        np.testing.assert_allclose(given - true, document["params"][stream], atol=1e-6)
    placed = SE3.from_pose7(stated["streams"]["head_right"]["head_from_camera"])
    right = truth.stream("head_right").head_from_camera
    assert np.degrees(angle_between(placed.rotation, right.rotation)) == pytest.approx(
        2.0, abs=1e-4
    )
    assert document["head_from_sensor"]["head_right"]["deg"] == pytest.approx(2.0, abs=1e-4)
    assert stated["imu"]["time_offset_ns"] == document["imu_time_ns"] == 10_000_000
    sync = json.loads((tmp_path / "truth/sim/sync.json").read_text())
    assert sync["streams"]["imu"]["rig_time_offset_ns"] == 10_000_000


def test_nothing_is_wrong_unless_asked():
    spec = find_rig("fisheye").head
    assert find_miscalibration("none").camera(spec) == spec
    assert find_miscalibration({"focal_percent": 1.0}) == Miscalibration(focal_percent=1.0)


@pytest.mark.parametrize("asked", ["huge", {"focus": 1.0}, {"centre_px": 1e9}])
def test_what_is_not_there_is_refused(asked):
    with pytest.raises(BadInputError, match=r"huge|focus|centre_px"):
        find_miscalibration(asked)
