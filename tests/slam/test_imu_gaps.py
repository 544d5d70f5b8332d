"""Where the inertial sensor says nothing, pictures alone pose the frames, in the same metres."""

from dataclasses import replace

import numpy as np
import pytest

from core.geometry.metrics import ate_rmse
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.imu.inertial import ImuData
from slam.imu.rolling_shutter import unrolled
from slam.recording import frame_turns
from slam.sight.rolling import Shutter

SECONDS = 4.5
GAPS_S = {"late": (-1.0, 1.5), "hole": (2.5, 3.5)}


def without(imu, gap_s):
    """The samples that lie outside a stretch, in seconds since the first picture."""
    times_s = (imu.timestamps_ns - 5_000_000_000) * 1e-9
    keep = (times_s < gap_s[0]) | (times_s > gap_s[1])
    return replace(
        imu, timestamps_ns=imu.timestamps_ns[keep], gyro=imu.gyro[keep], accel=imu.accel[keep]
    )


@pytest.mark.parametrize("gap", ["late", "hole"])
def test_frames_without_inertial_samples_are_posed_in_metres(make_world, motion, gap):
    world = make_world(motion, seconds=SECONDS)
    result = estimate(world.tracks, SlamConfig(), imu=without(world.imu, GAPS_S[gap]))
    path = result.path
    assert path.tracked.all()
    assert result.scale_source == "imu"
    assert ate_rmse(path.position, world.truth.translation, align="yaw") < 0.003


def test_where_nothing_is_felt_the_path_is_less_sure(make_world, motion):
    world = make_world(motion, seconds=SECONDS)
    times_s = (world.tracks.timestamps_ns - 5_000_000_000) * 1e-9
    inside = (times_s > 2.8) & (times_s < 3.2)
    felt, unfelt = (
        estimate(world.tracks, SlamConfig(), imu=imu).path.sigma_m[inside].mean()
        for imu in (world.imu, without(world.imu, GAPS_S["hole"]))
    )
    assert unfelt > 1.2 * felt


def test_only_intervals_with_samples_all_along_are_told():
    times_ns = np.r_[0:11, 100:111].astype(np.int64) * 10_000_000
    nothing = np.zeros((len(times_ns), 3))
    imu = ImuData(times_ns, nothing, nothing, None)
    asked_ns = np.array([-200, -40, 0, 50, 140, 500, 1000, 1110, 1200]) * 1_000_000
    assert imu.told(asked_ns).tolist() == [
        False, True, True, False, False, False, True, False,
    ]  # fmt: skip


def test_after_more_than_five_seconds_an_imu_tells_nothing():
    times_ns = np.arange(0, 1200, 2) * 10_000_000
    nothing = np.zeros((len(times_ns), 3))
    imu = ImuData(times_ns, nothing, nothing, None)
    asked_ns = np.array([0, 5000, 10001]) * 1_000_000
    assert imu.told(asked_ns).tolist() == [True, False]
    assert imu.covers(asked_ns)


def test_the_gyro_predicts_and_unrolls_only_where_it_was_on(make_world, motion):
    world = make_world(motion, seconds=SECONDS)
    times_ns = world.tracks.timestamps_ns
    imu = without(world.imu, GAPS_S["hole"])
    turns = frame_turns(times_ns, imu)
    times_s = (times_ns - 5_000_000_000) * 1e-9
    assert [k for k, turn in enumerate(turns) if turn is None] == [0, *range(50, 72)]
    fixed = unrolled(world.tracks, Shutter(0.02, (640, 480)), imu)
    moved = np.linalg.norm(fixed.rays - world.tracks.rays, axis=1)
    inside = (times_s > 2.6) & (times_s < 3.4)
    assert not moved[inside[world.tracks.frame]].any()
    whole = unrolled(world.tracks, Shutter(0.02, (640, 480)), world.imu)
    rows = times_s[world.tracks.frame] < 2.0
    np.testing.assert_allclose(fixed.rays[rows], whole.rays[rows])
