"""The figures of the truth rig: right for a path whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.slam_truth import LONG, TAKES, Parts, errors_since_start, path_errors
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from core.session.tables import Trajectory
from sim.rig import find_preset, find_rig

N = 400


def table(poses, sigma):
    yes = np.ones(N, bool)
    return Trajectory(
        tick=np.arange(N),
        timestamp_ns=np.arange(N) * 33_333_333,
        world_from_head=poses.to_pose7(),
        world_from_head_valid=yes,
        tracked=yes,
        map_id=np.zeros(N, np.int32),
        sigma_m=np.full((N, 3), sigma, np.float32),
        sigma_rad=np.full((N, 3), sigma, np.float32),
        reason=np.full(N, None, object),
    )


def test_errors_and_sigmas_of_a_noisy_path():
    rng = np.random.default_rng(0)
    truth = SE3(
        matrix_from_rotvec(rng.normal(0, 0.5, (N, 3))), np.cumsum(rng.normal(0, 0.01, (N, 3)), 0)
    )
    noise = SE3(matrix_from_rotvec(rng.normal(0, 0.01, (N, 3))), np.zeros((N, 3)))
    shaken = SE3((truth @ noise).rotation, truth.translation + rng.normal(0, 0.01, (N, 3)))
    figures = path_errors(table(shaken, 0.005), table(truth, 0.0))
    assert figures["tracked"] == 1.0
    assert figures["ate_yaw_m"] == pytest.approx(0.01 * np.sqrt(3), rel=0.1)
    assert figures["turn_error_deg"] == pytest.approx(np.rad2deg(0.01 * np.sqrt(3)), rel=0.1)
    assert figures["error_over_sigma_m"] == pytest.approx(2.0, rel=0.1)
    assert figures["error_over_sigma_rad"] == pytest.approx(2.0, rel=0.1)


def test_a_turned_world_is_no_error_but_shows_in_the_sigmas():
    truth = SE3(np.tile(np.eye(3), (N, 1, 1)), np.random.default_rng(1).normal(0, 1, (N, 3)))
    turned = SE3(matrix_from_rotvec([0.0, 0.0, 0.1]), np.zeros(3)) @ truth
    figures = path_errors(table(turned, 0.05), table(truth, 0.0))
    assert figures["ate_yaw_m"] == 0
    assert figures["turn_error_deg"] == 0
    assert figures["error_over_sigma_rad"] == pytest.approx(0.1 / 0.05 / np.sqrt(3), abs=0.01)


def test_the_takes_name_rigs_and_presets_there_are():
    for take in (*TAKES, LONG):
        assert find_rig(take.rig).name == take.rig
        assert find_preset(take.preset).name == take.preset


def test_drift_shows_at_the_end_and_minute_by_minute():
    still = table(SE3(np.tile(np.eye(3), (N, 1, 1)), np.zeros((N, 3))), 0.01)
    drifting = np.zeros((N, 3))
    drifting[:, 0] = np.linspace(0, 0.04, N)
    path = table(SE3(np.tile(np.eye(3), (N, 1, 1)), drifting), 0.01)
    slow = np.arange(N) * 450_000_000  # three minutes
    figures = errors_since_start(replace(path, timestamp_ns=slow), still)
    assert figures["end_error_m"] == 0.04
    assert figures["worst_by_minute_m"] == pytest.approx([0.0133, 0.0267, 0.04], abs=2e-4)


def test_every_part_of_a_stage_is_told_with_what_it_took(capsys):
    clock = iter([10.0, 11.0, 11.0, 13.0, 16.0, 16.0]).__next__
    parts = Parts(clock)
    parts.note("following")
    parts.total(2500, "frame")
    for _ in range(1200):
        parts.advance()
    parts.note("done")
    assert {name: part["cpu_s"] for name, part in parts.parts.items()} == {
        "reading": 1.0,
        "following": 5.0,
    }
    assert "following: 1000 of 2500 frames, {'cpu_s': 2.0" in capsys.readouterr().err
