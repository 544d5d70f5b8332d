"""session.json, calibration.json and marks: round trips; errors name file, key and value."""

import dataclasses
import json
from dataclasses import dataclass

import numpy as np
import pytest

from core.errors import BadInputError, StaleError
from core.geometry.cameras import camera_from_dict
from core.geometry.se3 import SE3
from core.session.calibration import Calibration, ImuCalibration, StreamCalibration
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.layout import CALIBRATION, SESSION_JSON, mark_path
from core.session.marks import (
    Mark,
    config_document,
    hashes_of,
    is_current,
    plain_counts,
    read_mark,
    remove_mark,
    require_output,
    why_stale,
    write_mark,
)
from core.session.storage import SessionFolder


@pytest.fixture
def folder(tmp_path):
    return SessionFolder(tmp_path / "anna-0001")


def info(**changes):
    known = {
        "id": "anna-0001",
        "operator": Operator("anna", 185.0),
        "task": "sort eggs",
        "scene": "kitchen",
        "device": "gopro",
        "consent": "research",
        "streams": (StreamInfo("head", "raw/head.mp4", "ab" * 32, "video"),),
        "clock_origin": 5,
    }
    return SessionInfo(**{**known, **changes})


def test_info_round_trip(folder):
    info().write(folder)
    assert SessionInfo.read(folder) == info()
    unmeasured = info(operator=Operator("ben"), streams=[])
    unmeasured.write(folder)
    assert SessionInfo.read(folder) == unmeasured
    assert info().stream("head").path == "raw/head.mp4"
    assert not info().has_stream("imu")
    with pytest.raises(BadInputError, match="no stream 'imu'; it has: head"):
        info().stream("imu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "Anna 1"}, "session id 'Anna 1': use 8 to 64"),
        ({"id": "../../x-x"}, "use 8 to 64"),
        ({"operator": Operator("anna", 18.5)}, "hand_length_mm is 18.5; give millimetres"),
        ({"streams": (StreamInfo("head", "a", "b", "film"),)}, "is of kind 'film'; known are"),
        ({"streams": (StreamInfo("h", "a", "b", "video"),) * 2}, "two streams are named 'h'"),
    ],
)
def test_wrong_info_is_refused(changes, message):
    with pytest.raises(BadInputError, match=message):
        info(**changes)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("task", 3, "'task' is 3; a text is needed"),
        ("clock_origin", 1.5, "'clock_origin' is 1.5; a whole number is needed"),
        ("clock_origin", True, "'clock_origin' is True; a whole number"),
        ("operator", [], r"'operator' is \[\]; an object is needed"),
        ("streams", [1], r"'streams' is \[1\]; a list of objects"),
        ("id", "x", "session id 'x': use 8"),
    ],
)
def test_wrong_values_in_the_file_are_named(folder, key, value, message):
    info().write(folder)
    document = json.loads(folder.read_bytes(SESSION_JSON))
    folder.write_bytes(SESSION_JSON, json.dumps({**document, key: value}).encode())
    with pytest.raises(BadInputError, match=rf"anna-0001/session\.json: {message}"):
        SessionInfo.read(folder)
    del document[key]
    folder.write_bytes(SESSION_JSON, json.dumps(document).encode())
    with pytest.raises(BadInputError, match=f"'{key}' is missing"):
        SessionInfo.read(folder)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[1]"])
def test_damaged_json_is_named(folder, data):
    folder.write_bytes(SESSION_JSON, data)
    with pytest.raises(BadInputError, match=r"session\.json: (not valid JSON|holds list)"):
        SessionInfo.read(folder)


def test_a_folder_without_session_json_is_no_session(folder):
    with pytest.raises(BadInputError, match=r"not a session folder.*handoff ingest"):
        SessionInfo.read(folder)


CAMERA = {
    "model": "pinhole_radtan",
    "params": [500.0, 501.0, 320.0, 240.0, 0.1, 0.01, 0.0, 0.0],
    "size_wh": [640, 480],
}
TURNED = np.array([0.1, 0.2, 0.3, np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])


def calibration():
    return Calibration(
        streams={
            "head": StreamCalibration(camera_from_dict(CAMERA), rotate_deg=90),
            "side": StreamCalibration(camera_from_dict(CAMERA), SE3.from_pose7(TURNED), 5_000_000),
        },
        imu=ImuCalibration(SE3.from_pose7(TURNED), 1e-4, 1e-5, 1e-3, 1e-4),
        source="rig.toml",
        date="2026-01-31",
    )


def test_calibration_round_trip(folder):
    given = calibration()
    given.write(folder)
    again = Calibration.read(folder)
    assert again.streams["head"].camera.to_dict() == given.streams["head"].camera.to_dict()
    assert again.stream("head").head_from_camera is None
    assert (again.streams["head"].rotate_deg, again.streams["side"].readout_ns) == (90, 5_000_000)
    rigid = again.streams["side"].head_from_camera
    np.testing.assert_allclose(rigid.to_pose7(), TURNED, atol=1e-15)
    np.testing.assert_allclose(again.imu.head_from_imu.to_pose7(), TURNED, atol=1e-15)
    assert again.imu.accel_walk_m_s3_sqrthz == 1e-4
    assert (again.source, again.date) == ("rig.toml", "2026-01-31")
    dataclasses.replace(given, imu=None).write(folder)
    assert Calibration.read(folder).imu is None
    with pytest.raises(BadInputError, match="no calibration for stream 'left'; there is one for"):
        again.stream("left")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("imu", "head_from_imu"), [0, 0, 0, 2, 0, 0, 0], "imu: 'head_from_imu' is .* length 1"),
        (("imu", "head_from_imu"), [0, 0, 0], "imu: 'head_from_imu' is .*a list of 7 numbers"),
        (("imu", "gyro_noise_rad_s_sqrthz"), 0, "imu: gyro_noise_rad_s_sqrthz is 0.0; it must be"),
        (("streams", "side", "rotate_deg"), 45, "streams: side: rotate_deg is 45; use one of 0"),
        (("streams", "side", "readout_ns"), -1, "streams: side: readout_ns is -1"),
        (("streams", "side", "camera"), 7, "streams: side: 'camera' is 7; an object with model"),
    ],
)
def test_wrong_calibrations_are_named(folder, path, value, message):
    calibration().write(folder)
    document = json.loads(folder.read_bytes(CALIBRATION))
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    folder.write_bytes(CALIBRATION, json.dumps(document).encode())
    with pytest.raises(BadInputError, match=rf"capture/calibration\.json: {message}"):
        Calibration.read(folder)


@dataclass(frozen=True)
class ToyConfig:
    rate_hz: float = 10.0
    sides: tuple[str, ...] = ("left", "right")


def finished(folder):
    folder.write_bytes("raw/head.mp4", b"video")
    folder.write_bytes("slam/trajectory.parquet", b"poses")
    mark = Mark(
        stage="slam",
        version=2,
        config=config_document(ToyConfig()),
        inputs=hashes_of(folder, ["raw/head.mp4"]),
        outputs=hashes_of(folder, ["slam/trajectory.parquet"]),
        counts={"poses": 5},
        warnings=["short"],
        seconds=1.5,
    )
    write_mark(folder, "slam", mark)
    return mark


def test_mark_round_trip(folder):
    assert read_mark(folder, "slam", "slam") is None
    mark = finished(folder)
    assert read_mark(folder, "slam", "slam") == mark
    assert mark.config == {"rate_hz": 10.0, "sides": ["left", "right"]}
    remove_mark(folder, "slam", "slam")
    assert read_mark(folder, "slam", "slam") is None


def test_what_makes_a_mark_stale(folder):
    mark = finished(folder)
    now = {"version": 2, "config": config_document(ToyConfig()), "inputs": mark.inputs}
    assert why_stale(folder, mark, **now) is None
    assert is_current(folder, mark, **now)
    assert not is_current(folder, None, **now)
    assert why_stale(folder, mark, **{**now, "version": 3}) == "stage version 2 is now 3"
    slower = config_document(ToyConfig(rate_hz=5.0))
    assert why_stale(folder, mark, **{**now, "config": slower}) == "config changed: rate_hz"
    other = {"raw/head.mp4": "0" * 64}
    assert why_stale(folder, mark, **{**now, "inputs": other}) == "input changed: raw/head.mp4"
    folder.write_bytes("slam/trajectory.parquet", b"edited")
    assert why_stale(folder, mark, **now) == "output was changed: slam/trajectory.parquet"
    folder.remove("slam/trajectory.parquet")
    assert why_stale(folder, mark, **now) == "output is gone: slam/trajectory.parquet"


def test_only_marked_outputs_are_trusted(folder):
    path = "slam/trajectory.parquet"
    with pytest.raises(StaleError, match="no finished stage made this file; run: handoff run"):
        require_output(folder, path)
    mark = finished(folder)
    assert require_output(folder, path) == path
    folder.write_bytes("slam/stray.parquet", b"x")
    with pytest.raises(StaleError, match=r"stray\.parquet: no finished stage"):
        require_output(folder, "slam/stray.parquet")
    folder.write_bytes(path, b"edited")
    with pytest.raises(StaleError, match="changed since slam made it"):
        require_output(folder, path)
    folder.remove(path)
    with pytest.raises(StaleError, match="listed as done by slam, but gone"):
        require_output(folder, path)
    assert mark.outputs.keys() == {path}


def test_a_damaged_mark_is_named(folder):
    folder.write_bytes(mark_path("slam", "slam"), b'{"stage": "slam"')
    with pytest.raises(BadInputError, match=r"_done\.slam\.json: not valid JSON"):
        read_mark(folder, "slam", "slam")


def test_configs_hold_plain_values_only():
    with pytest.raises(TypeError, match="a config holds"):
        config_document({"array": np.zeros(3)})


def test_counts_of_any_number_type_fit_in_a_mark():
    counts = {"n": np.int64(3), "share": np.float32(0.5), "none": float("nan"), "by": {"a": (1,)}}
    plain = plain_counts(counts)
    assert plain == {"n": 3, "share": 0.5, "none": None, "by": {"a": [1]}}
    assert [type(value) for value in plain.values()] == [int, float, type(None), dict]


def test_the_fingerprint_follows_what_decides_the_outputs(folder):
    mark = finished(folder)
    same = dataclasses.replace(mark, seconds=9.0, counts={}, warnings=[], outputs={})
    assert same.fingerprint == mark.fingerprint
    for change in ({"version": 3}, {"config": {}}, {"inputs": {}}, {"stage": "hands"}):
        assert dataclasses.replace(mark, **change).fingerprint != mark.fingerprint
