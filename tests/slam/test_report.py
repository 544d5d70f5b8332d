"""Figures of the report on made worlds whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from slam.config import SlamConfig
from slam.estimate import estimate
from slam.map.loops import Drift
from slam.output.report import make_report

CONFIG = SlamConfig()


def test_a_metric_map_says_how_sure_it_is(make_world, motion):
    world = make_world(motion, seconds=5.0)
    result = estimate(world.tracks, CONFIG, imu=world.imu)
    report = make_report(result, world.tracks.timestamps_ns)
    figures = report["maps"][0]
    truth = world.truth.translation[[*range(0, 100, 4), 99]]
    way = np.linalg.norm(np.diff(truth, axis=0), axis=1).sum()
    assert report["path_length"] == pytest.approx(way, rel=0.02)
    assert 0 < figures["scale_sigma"] < 0.05
    assert 0 <= figures["gravity_residual_deg"] < 0.5
    assert figures["drift_source"] == "covariance"
    assert 0 < figures["drift_share"] < 0.05


def test_loops_measure_the_drift(make_world, motion):
    world = make_world(motion)
    result = estimate(world.tracks, CONFIG)
    result.maps[0].drifts = [Drift(0.1, 0.02, 5.0, 0.0), Drift(0.2, 0.01, 10.0, 0.0)]
    figures = make_report(result, world.tracks.timestamps_ns)["maps"][0]
    assert figures["drift_source"] == "loops"
    assert figures["drift_share"] == pytest.approx(0.02)
    assert figures["drift_deg"] == pytest.approx(np.rad2deg(0.015), rel=1e-5)
    assert figures["loops"] == 2


def test_what_nobody_measured_is_none(make_world, motion):
    result = estimate(make_world(replace(motion)).tracks, CONFIG)
    figures = make_report(result, np.arange(80, dtype=np.int64) * 50_000_000)["maps"][0]
    assert (figures["scale_sigma"], figures["drift_share"], figures["end_sigma_m"]) == (None,) * 3
    assert "gravity_residual_deg" not in figures
