"""The doctor, on machines that lack things."""

import importlib.metadata

import pytest

from app import doctor


def test_absent_extras_are_optional_and_absent_core_is_missing(monkeypatch):
    lines = ["numpy>=2", "rerun-sdk==0.33.0; extra == 'view'", "handoff-ego[view]; extra == 'all'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: lines)
    known = {"handoff-ego": "0.1.0"}

    def version(name):
        if name not in known:
            raise importlib.metadata.PackageNotFoundError(name)
        return known[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    checks = {check.name: check for check in doctor._packages()}
    assert checks["handoff-ego"].state == "ok"
    assert checks["numpy"].state == "missing"
    assert checks["numpy"].cure == "pip install 'handoff-ego'"
    assert checks["rerun-sdk"].state == "optional"
    assert checks["rerun-sdk"].cure == "pip install 'handoff-ego[view]'"


def test_a_wrong_version_is_missing_and_says_which_is_needed(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: ["numpy<1"])
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.4.6")
    found = [check for check in doctor._packages() if check.name == "numpy"]
    assert [(check.state, check.found) for check in found] == [("missing", "2.4.6, needs <1")]


def test_a_build_tag_does_not_make_a_version_wrong(monkeypatch):
    lines = ["torch==2.13.0; extra == 'train'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: lines)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.13.0+cpu")
    assert {check.state for check in doctor._packages()} == {"ok"}


def test_a_full_disk_is_said(monkeypatch, tmp_path):
    usage = doctor.shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    check = doctor._disk(tmp_path)
    assert check.state == "missing"
    assert "free 5 GB" in check.cure


@pytest.mark.parametrize("exists", [True, False])
def test_a_hand_model_of_ones_own_is_looked_up(monkeypatch, tmp_path, exists):
    path = tmp_path / "own.task"
    if exists:
        path.write_bytes(b"PK")
    monkeypatch.setenv("HANDOFF_HAND_MODEL", str(path))
    check = doctor._hand_model()
    assert check.state == ("ok" if exists else "missing")
    assert str(path) in check.found
