"""What sensors with tilted axes do to the world, and what the covariance says of it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from core.geometry.rotations import rotvec_from_matrix
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.imu.inertial import deltas, integrate
from slam.map.scene import Scene
from slam.map.sensor_axes import MOUNTING_SIGMA_RAD, bent_by_axes, felt_by_axes, spread
from slam.map.visual_inertial import Inertial, refine

BIASES = np.array([0.01, -0.02, 0.015]), np.array([0.08, -0.05, 0.1])
SHAPE = np.array([[0.3, -1.0, 0.6], [0.8, -0.5, 0.2], [-0.4, 0.9, 0.7]])


def _with_axes(imu, gyro, accel=0 * SHAPE):
    return replace(imu, gyro=imu.gyro + imu.gyro @ gyro.T, accel=imu.accel + imu.accel @ accel.T)


def test_what_is_felt_changes_as_integrating_it_anew_says(make_world, motion):
    imu = make_world(motion, seconds=2.0).imu
    times_ns = imu.timestamps_ns[10:300:40]
    shape = 1e-4 * SHAPE
    before = deltas(integrate(imu, times_ns))
    felt = [felt_by_axes(imu, span) for span in pairwise(times_ns)]
    for gyro, accel in ((shape, 0 * shape), (0 * shape, shape)):
        after = deltas(integrate(_with_axes(imu, gyro, accel), times_ns))
        turned = rotvec_from_matrix(before.rotation.transpose(0, 2, 1) @ after.rotation)
        figures = np.concatenate([gyro.ravel(), accel.ravel()])
        for told, seen in (
            ([one.turned for one in felt], turned),
            ([one.sped for one in felt], after.velocity - before.velocity),
            ([one.shifted for one in felt], after.position - before.position),
        ):
            np.testing.assert_allclose(
                np.array(told) @ figures, seen, atol=0.02 * np.abs(seen).max()
            )


@pytest.mark.parametrize("sensor", ["gyro", "accelerometer"])
def test_a_map_bends_with_a_sensors_axes_as_making_it_anew_says(make_world, motion, sensor):
    world = make_world(motion, seconds=3.0, noise_px=0.02)
    imu, rows = world.imu, np.arange(0, 60, 5)
    scene = Scene(world.tracks.of_frames(rows))
    for row, frame in enumerate(rows.tolist()):
        scene.set_pose(row, world.truth[frame])
    scene.triangulate(np.arange(scene.n_tracks), max_px=2.0)
    times_ns = scene.views.timestamps_ns
    velocities = np.gradient(scene.position, times_ns * 1e-9, axis=0)
    states = Inertial(velocities, *(np.tile(b, (len(rows), 1)) for b in BIASES))

    def made(imu):
        nonlocal states
        states, graph, values = refine(
            scene, imu, np.arange(len(rows)), inertial=states, config=SlamConfig(), rounds=40
        )
        return graph, values, scene.world_from_camera @ imu.camera_from_imu

    graph, values, before = made(imu)
    calm = imu.without_bias(states.gyro_bias.mean(axis=0), np.zeros(3))
    bent, _ = bent_by_axes(graph, values, calm, times_ns=times_ns, world_from_imu=before)
    shape = 2e-3 * SHAPE
    both = [shape, 0 * shape] if sensor == "gyro" else [0 * shape, shape]
    _, _, after = made(_with_axes(imu, *both))
    told = bent @ np.concatenate([one.ravel() for one in both])
    turned = rotvec_from_matrix(after.rotation @ before.rotation.transpose(0, 2, 1))
    moved = after.translation - before.translation
    np.testing.assert_allclose(told[:, :3], turned, atol=0.1 * np.abs(turned).max())
    np.testing.assert_allclose(told[:, 3:], moved, atol=0.1 * np.abs(moved).max())


def test_a_sigma_is_found_from_figures_that_are_told_well():
    rng = np.random.default_rng(0)
    found = []
    for true in (5e-4, 8e-3):
        figures = rng.normal(0, true, (200, 9))
        information = np.eye(9) / 1e-4**2
        found.append(np.mean([spread(information, information @ row) for row in figures]))
    held = np.sqrt((3 * MOUNTING_SIGMA_RAD**2 + 9 * np.array([5e-4, 8e-3]) ** 2) / 12)
    np.testing.assert_allclose(found, held, rtol=0.06)
    nothing = spread(np.zeros((9, 9)), np.zeros(9))
    assert nothing == MOUNTING_SIGMA_RAD


def test_a_gyro_that_contradicts_the_camera_makes_turns_less_sure(make_world, motion):
    world = make_world(motion, seconds=4.0)
    right, bent = (
        estimate(world.tracks, SlamConfig(), imu=imu).path.sigma_rad.mean()
        for imu in (world.imu, _with_axes(world.imu, 2e-2 * SHAPE))
    )
    assert bent > 1.5 * right
