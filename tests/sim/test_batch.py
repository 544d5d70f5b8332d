"""Batches: a folder each, kept when finished, made again when not, and one failure is only one."""

from dataclasses import asdict

import pytest

from core.errors import BadInputError
from core.session.documents import write_document
from core.session.storage import SessionFolder
from sim.batch import RIG, SETTINGS, record_batch
from sim.variation import Variation

pytestmark = pytest.mark.usefixtures("can_draw")


def test_a_batch_makes_what_is_missing_and_keeps_what_is_finished(tmp_path):
    settings = {"seconds": 4.0, "rig": "head", "preset": "clean"}
    cut_off = {"seed": 2, **settings, "variation": asdict(Variation())}
    write_document(SessionFolder(str(tmp_path / "seed-0002")), SETTINGS, cut_off)
    (tmp_path / "seed-0002" / "left_over.mp4").write_bytes(b"")
    first = record_batch(tmp_path, [1, 2], workers=2, **settings)
    assert (sorted(first.made), first.kept, first.failed) == (["seed-0001", "seed-0002"], [], {})
    assert not (tmp_path / "seed-0002" / "left_over.mp4").exists()
    assert all((tmp_path / name / RIG).is_file() for name in first.made)
    again = record_batch(tmp_path, [1, 2], **settings)
    assert (again.made, again.kept) == ([], ["seed-0001", "seed-0002"])
    with pytest.raises(BadInputError, match="another variation"):
        record_batch(tmp_path, [1], variation=Variation(scene="kitchen"), **settings)


def test_a_failing_take_is_told_and_stops_no_other(tmp_path):
    report = record_batch(tmp_path, [3], seconds=4.0, rig="gopro")
    assert report.made == []
    assert "default" in report.failed["seed-0003"]  # the rigs there are
    assert (tmp_path / "seed-0003" / SETTINGS).is_file()


def test_a_folder_that_is_no_take_is_left_alone(tmp_path):
    (tmp_path / "seed-0001").mkdir()
    (tmp_path / "seed-0001" / "holiday.mp4").write_bytes(b"mine")
    with pytest.raises(BadInputError, match="not a take"):
        record_batch(tmp_path, [1], seconds=4.0)
    assert (tmp_path / "seed-0001" / "holiday.mp4").read_bytes() == b"mine"
