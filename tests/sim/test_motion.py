"""What happens in a take: grasps that hold, a head that moves like one, an IMU that agrees."""

import numpy as np
import pytest

from core.geometry.rotations import angle_between, matrix_from_rotvec
from sim.hand.grasp import finger_samples
from sim.record import perform
from sim.rig import ImuSpec, find_preset, find_rig, head_from_imu
from sim.sensors.imu import GRAVITY_M_S2, PART, InertialSensor
from sim.tasks.things import thing_distance
from sim.truth.visibility import hand_clearance


def test_imu_integrates_to_the_true_path(show):
    imu, head = next(show.imu.parts()), show.human.head
    step = 1.0 / show.rig.imu.rate_hz
    begin = int(np.searchsorted(imu.seconds, 0.0))
    count = int(6.0 / step)
    sensor = head.pose(imu.seconds) @ head_from_imu()
    rotation, position = sensor.rotation[begin], sensor.translation[begin]
    ahead = (head.pose(imu.seconds[begin : begin + 1] + 1e-5) @ head_from_imu()).translation[0]
    behind = (head.pose(imu.seconds[begin : begin + 1] - 1e-5) @ head_from_imu()).translation[0]
    velocity = (ahead - behind) / 2e-5
    for k in range(begin, begin + count):
        rate = 0.5 * (imu.gyro_rad_s[k] + imu.gyro_rad_s[k + 1])
        turned = rotation @ matrix_from_rotvec(rate * step)
        felt = 0.5 * (rotation @ imu.accel_m_s2[k] + turned @ imu.accel_m_s2[k + 1])
        accel = felt - [0, 0, GRAVITY_M_S2]
        position = position + velocity * step + 0.5 * accel * step**2
        velocity, rotation = velocity + accel * step, turned
    end = begin + count
    assert np.linalg.norm(position - sensor.translation[end]) < 0.02
    assert np.degrees(angle_between(rotation, sensor.rotation[end])) < 0.05
    assert np.linalg.norm(sensor.translation[end] - sensor.translation[begin]) > 0.02


def sensor(show, *, quality: float, until_s: float = 7.5) -> InertialSensor:
    return InertialSensor(
        show.human.head, head_from_imu(), span_s=(0.0, until_s), spec=ImuSpec(), quality=quality,
        rng=np.random.default_rng(0),
    )  # fmt: skip


def test_imu_read_in_parts_is_one_reading(show, monkeypatch):
    """The same numbers in parts of any length, and again when asked again."""
    imu = sensor(show, quality=1.0)
    (whole,) = imu.parts()
    assert len(whole.seconds) == imu.count == 1500 < PART
    monkeypatch.setattr("sim.sensors.imu.PART", 400)
    cut = sensor(show, quality=1.0)
    for parts in (list(cut.parts()), list(cut.parts())):
        assert [len(part.seconds) for part in parts] == [400, 400, 400, 300]
        for name in ("seconds", "gyro_rad_s", "accel_m_s2", "gyro_bias", "accel_bias"):
            joined = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(joined, getattr(whole, name))


def test_imu_errors_have_the_size_the_datasheet_says(show):
    spec = ImuSpec()
    reading, clean = (next(sensor(show, quality=q).parts()) for q in (1.0, 0.0))
    jitter = np.diff(reading.gyro_rad_s - clean.gyro_rad_s, axis=0).std() / np.sqrt(2)
    step = 2 * spec.gyro_range / 65536
    expected = np.hypot(spec.gyro_noise * np.sqrt(spec.rate_hz), step * np.sqrt(2 / 12))
    assert 0.7 * expected < jitter < 1.4 * expected


def test_a_held_thing_is_rigid_in_the_hand(show):
    human = show.human
    times = np.arange(0, 8.0, 1 / 120)
    carried = 0
    for name in human.plan.holds:
        by = human.held_by(name, times)
        for side in ("left", "right"):
            during = np.flatnonzero(by == side)
            for run in np.split(during, np.flatnonzero(np.diff(during) > 1) + 1):
                if len(run) == 0:
                    continue
                at = times[run]
                local = human.hand(side, at).desk_from_palm.inverse() @ human.thing(name, at)
                assert np.ptp(local.translation, axis=0).max() < 1e-9
                assert angle_between(local.rotation, local.rotation[:1]).max() < 1e-6
                carried += len(run)
    assert carried > 200


def test_fingers_touch_what_they_hold_and_do_not_pass_through(show):
    human = show.human
    for side, steps in human.plan.steps.items():
        for step in (s for s in steps if s.kind == "move"):
            middle = np.array([0.5 * (step.start_s + step.end_s)])
            hand = human.hand(side, middle)
            assert hand.contact[0, 0], "the thumb holds"
            assert hand.contact[0, 1:3].any(), "and a finger against it"
            thing = show.task.thing(step.thing)
            local = human.thing(step.thing, middle).inverse() @ hand.desk_from_hand
            for finger in range(5):
                points, radii = finger_samples(
                    hand.closure[:, finger], finger, side=side, scale=human.scale
                )
                clear = thing_distance(local.apply(points)[0], thing) - radii
                assert clear.min() > -0.004
                assert not hand.contact[0, finger] or clear.min() < 0.004


def test_things_and_hands_stay_above_the_desk(show):
    times = np.arange(0, 8.0, 1 / 30)
    for name in show.human.plan.holds:
        low = show.human.thing(name, times).translation[:, 2] - show.task.thing(name).half[2]
        assert low.min() > -0.006
    for side in ("left", "right"):
        assert show.human.hand(side, times).joints_in_desk[..., 2].min() > -0.004


@pytest.mark.parametrize("task", ["blocks_to_tray", "sort_eggs", "free_play"])
def test_head_turns_as_fast_as_a_head_does_over_a_desk(task):
    middle, fast = [], []
    for seed in range(4):
        rig, preset = find_rig("head"), find_preset("clean")
        take = perform(task, seconds=30.0, seed=seed, rig=rig, preset=preset)
        rate = take.human.head.angular_velocity(np.arange(0, 30.0, 1 / 100))
        speed = np.degrees(np.linalg.norm(rate, axis=1))
        middle.append(np.percentile(speed, 50))
        fast.append(np.percentile(speed, 95))
    assert 10 < np.mean(middle) < 27  # glasses worn while walking: 27 and 63
    assert 35 < np.mean(fast) < 80


def test_head_looks_ahead_of_the_hand(show):
    looks = [at for at, _ in show.human.plan.gaze]
    for label in show.human.plan.labels:
        assert any(label.start_s - 0.4 < at < label.start_s for at in looks)


def test_clearance_is_negative_inside_a_finger_only(show):
    hand = show.human.hand("left", np.array([1.0]))
    inside = hand_clearance(hand.joints_in_desk[:, 6:7], hand.joints_in_desk, show.human.scale)
    outside = hand.joints_in_desk[:, 6:7] + [0.0, 0.0, 0.1]
    assert inside.item() < -0.005
    assert hand_clearance(outside, hand.joints_in_desk, show.human.scale).item() > 0.05
