"""When pictures are taken, what the clocks say, and what the truth says about both."""

import json

import numpy as np
import pytest

from core.errors import BadInputError
from core.session.storage import SessionFolder
from core.session.tables import Frames
from sim.record import perform, write_truth
from sim.rig import find_preset, find_rig
from sim.sensors.clocks import clock_of, take_pictures


def _take(seed: int = 0, stream: str = "head", **sensor: float):
    preset = find_preset("clean").with_values(sensor)
    rng = np.random.default_rng(seed)
    return take_pictures(stream, preset, fps=30.0, seconds=20.0, rng=rng)


def test_a_perfect_camera_keeps_the_beat():
    timing = _take()
    np.testing.assert_allclose(timing.seconds, np.arange(600) / 30, atol=1e-12)
    np.testing.assert_array_equal(timing.stamps, timing.seconds)
    assert len(timing.lost) == timing.late.sum() == 0


def test_lost_pictures_leave_holes_where_the_truth_says():
    timing = _take(drop=0.1)
    assert 30 < len(timing.lost) < 100
    together = np.sort(np.concatenate([timing.seconds, timing.lost]))
    np.testing.assert_allclose(together, np.arange(600) / 30, atol=1e-12)


def test_a_late_picture_is_late_and_the_next_is_on_time():
    timing = _take(late=0.05)
    at = np.flatnonzero(timing.late)
    assert len(at) > 10
    delay = timing.seconds - np.arange(600) / 30
    assert (delay[at] > 0.6 / 30).all()
    np.testing.assert_allclose(np.delete(delay, at), 0, atol=1e-12)
    assert (np.diff(timing.seconds) > 0).all()


def test_the_rate_goes_down_in_the_dark_and_comes_back():
    steps = np.diff(_take(slow=0.5).seconds) * 30
    assert steps[0] == pytest.approx(1.0, abs=1e-6)
    assert steps.max() == pytest.approx(1.5, abs=0.01)
    assert np.abs(np.diff(steps)).max() < 0.03


def test_clocks_run_off_as_asked():
    preset = find_preset("clean").with_values({
        "wrist_offset_ms": 20.0, "wrist_drift_ppm": 100.0, "imu_offset_ms": -7.0,
    })  # fmt: skip
    at = np.array([0.0, 100.0])
    np.testing.assert_allclose(clock_of("head", preset).stamps(at), at)
    np.testing.assert_allclose(clock_of("left_wrist", preset).stamps(at), [0.020, 100.030])
    np.testing.assert_allclose(clock_of("right_wrist", preset).stamps(at), [-0.012, 99.982])
    np.testing.assert_allclose(clock_of("imu", preset).stamps(at), [-0.007, 99.993])


def test_truth_states_what_happened(tmp_path):
    preset = find_preset("harsh").with_values({"imu_offset_ms": 12.0, "late": 0.1})
    show = perform("blocks_to_tray", seconds=4.5, seed=3, rig=find_rig("small"), preset=preset)
    folder = SessionFolder(str(tmp_path))
    write_truth(folder, show)
    sync = json.loads((tmp_path / "truth/sim/sync.json").read_text())
    frames = Frames.read(folder, "truth")
    assert sync["streams"]["imu"]["offset_ns"] == 12_000_000
    for stream in show.rig.streams:
        mine = frames.take(frames.stream == stream)
        stated, reasons = sync["streams"][stream], mine.reason.tolist()
        assert reasons.count("dropped") == stated["dropped"] == (mine.frame_index < 0).sum()
        assert reasons.count("late") == stated["late"]
        true = mine.timestamp_ns[mine.frame_index >= 0]
        drift = stated["drift_ppm"] / 1e6 * (true - sync["origin_ns"])
        stamps = show.clock.ns(show.timing[stream].stamps)
        assert np.abs(true + stated["offset_ns"] + drift - stamps).max() < 2
    assert sync["streams"]["left_wrist"]["offset_ns"] == 35_000_000
    assert any(r == "late" for r in frames.reason)


@pytest.mark.parametrize(("name", "value"), [("dorp", 0.1), ("drop", 2.0)])
def test_a_wrong_figure_is_refused_with_its_name(name, value):
    with pytest.raises(BadInputError, match=name):
        find_preset("clean").with_values({name: value})
