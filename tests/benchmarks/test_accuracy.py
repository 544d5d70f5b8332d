"""The accuracy benchmark's own sums, and when it records a take again."""

import pytest

from app.evaluate.figures import Figure
from benchmarks import accuracy
from benchmarks.accuracy import ALONE, Take, recorded, result_of, table, verdicts

DETECTOR = ("hands_detect", "found")


def result(preset: str, *, ate_mm: float, found: tuple[float, int], rig: str = "head") -> dict:
    figures = [
        Figure("slam", "ATE RMSE", ate_mm, "mm"),
        Figure("slam", "RPE over 1 s", float("nan"), "mm"),
        Figure(*DETECTOR, found[0], "share", f"of {found[1]} hands half visible and over 60 px"),
        Figure(*ALONE, 0.5, "share", f"of {found[1]} hands"),
    ]
    take = {"rig": rig, "preset": preset, "task": "blocks_to_tray", "seed": 1, "seconds": 5.0}
    return take | {"figures": [figure.to_dict() for figure in figures]}


def line_of(text: str, start: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith(start))
    return " ".join(line.split())


def test_the_table_has_median_and_mean_of_every_preset():
    results = [result("clean", ate_mm=value, found=(1.0, 9)) for value in (1.0, 2.0, 6.0)]
    results += [result("harsh", ate_mm=10.0, found=(1.0, 9))]
    results += [{"rig": "head", "preset": "harsh", "error": "slam: lost"}]
    text = table("head", results)
    assert line_of(text, "takes") == "takes 3 1"
    assert (
        line_of(text, "slam: ATE RMSE") == "slam: ATE RMSE 2.0 | 3.0 mm (1.0 to 6.0) 10.0 | 10.0 mm"
    )
    assert line_of(text, "slam: RPE over 1 s") == "slam: RPE over 1 s none | none none | none"
    assert "left wrist" not in text


def test_shares_of_hands_are_pooled_over_takes_and_rigs_stand_apart():
    results = [
        result("clean", ate_mm=1.0, found=(1.0, 300)),
        result("clean", ate_mm=1.0, found=(0.5, 100)),
        result("clean", ate_mm=1.0, found=(0.95, 20), rig="fisheye-head"),
        result("clean", ate_mm=1.0, found=(float("nan"), 0)),
    ]
    found = verdicts(results)
    assert found["head, clean"] == {
        "mediapipe_alone": 0.5, "detector": 0.875, "hands": 400, "reached_by": [],
    }  # fmt: skip
    assert found["fisheye-head, clean"]["reached_by"] == ["detector"]


def test_a_take_is_recorded_once_and_anew_when_the_simulator_changes(tmp_path, monkeypatch):
    made = []

    def record(folder, **settings) -> None:
        folder.mkdir()
        made.append(settings)

    monkeypatch.setattr(accuracy, "record", record)
    take = Take("head", "clean", "sort_eggs", 3, 4.5)
    assert take.name == "head-clean-sort-eggs-3-4-5"
    first = recorded(take, tmp_path)
    assert recorded(take, tmp_path) == first
    assert made == [
        {"rig": "head", "preset": "clean", "task": "sort_eggs", "seed": 3, "seconds": 4.5}
    ]
    monkeypatch.setattr(accuracy, "code_hash", lambda places=(): "other")
    assert recorded(take, tmp_path) != first
    assert len(made) == 2


def test_figures_are_kept_until_any_code_changes_and_failures_never(tmp_path, monkeypatch):
    given = [{"error": "slam: lost"}, {"figures": [], "cpu_s": 1.0}, {"figures": [], "cpu_s": 2.0}]
    monkeypatch.setattr(accuracy, "measured", lambda take, cache: given.pop(0))
    take = Take("head", "clean", "sort_eggs", 3, 4.5)
    assert "error" in result_of(take, tmp_path)
    assert [result_of(take, tmp_path)["cpu_s"] for _ in range(3)] == [1.0, 1.0, 1.0]
    monkeypatch.setattr(accuracy, "code_hash", lambda places=(): "other")
    assert result_of(take, tmp_path)["cpu_s"] == 2.0


def test_a_take_that_cannot_be_made_is_a_result(tmp_path):
    found = accuracy.measured(Take("head", "clean", "juggle", 1, 5.0), tmp_path)
    assert "juggle" in found["error"]
    assert accuracy.figures_of(found) == []


@pytest.mark.parametrize("words", [["--seeds", "4", "5", "--presets", "clean", "--workers", "1"]])
def test_the_command_line_is_read(words):
    given = accuracy.parse(words)
    assert (given.seeds, given.presets, given.rigs) == ([4, 5], ["clean"], ["head", "fisheye-head"])
