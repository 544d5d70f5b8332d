"""Joint refinement of keyframes, points, velocities and biases: metric, z up, with gtsam."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.imu.inertial import ACCEL_BIAS_SIGMA, GRAVITY_M_S2, GYRO_BIAS_SIGMA, ImuData, Start
from slam.map.bundle import (
    BIAS,
    MOST_LOOKS,
    POINT,
    POSE,
    VELOCITY,
    Projections,
    add_ranges,
    load_gtsam,
    optimise,
    pose3,
    read_points,
)
from slam.map.scene import Scene

# Where a corner slid in a quick turn, by half a pixel to one and a half, all ten or so keyframes
# that see it from then on share the error: together they say no more than if each had this sigma.
STAYING_ERROR = 2.0  # of pixel_sigma
SEEN_VELOCITY_SIGMA_M_S = 1.0  # of the mean between keyframes as that at either of them


@dataclass(frozen=True, eq=False)
class Inertial:
    """IMU states at keyframes (K). velocities ``(K,3)`` world; biases ``(K,3)`` IMU frame."""

    velocities: Floats
    gyro_bias: Floats
    accel_bias: Floats


def level(start: Start) -> SE3:
    """Rotation that takes the vision frame to one whose z points up."""
    up = -start.gravity / np.linalg.norm(start.gravity)
    helper = np.array([1.0, 0, 0]) if abs(up[0]) < 0.9 else np.array([0.0, 1, 0])
    x = np.cross(helper, up)
    x /= np.linalg.norm(x)
    return SE3(np.stack([x, np.cross(up, x), up]), np.zeros(3))


def preintegration_parameters(imu: ImuData) -> Any:
    """gtsam's noise settings for this IMU, z up."""
    gtsam = load_gtsam()
    parameters = gtsam.PreintegrationCombinedParams.MakeSharedU(GRAVITY_M_S2)
    eye = np.eye(3)
    parameters.setGyroscopeCovariance(imu.gyro_noise**2 * eye)
    parameters.setAccelerometerCovariance(imu.accel_noise**2 * eye)
    parameters.setBiasOmegaCovariance(imu.gyro_walk**2 * eye)
    parameters.setBiasAccCovariance(imu.accel_walk**2 * eye)
    parameters.setIntegrationCovariance(1e-8 * eye)
    return parameters


def preintegrate(imu: ImuData, span_ns: tuple[int, int], *, parameters: Any, bias: Any) -> Any:
    """gtsam preintegration over one interval, samples interpolated at its ends."""
    gtsam = load_gtsam()
    result = gtsam.PreintegratedCombinedMeasurements(parameters, bias)
    first, last = np.searchsorted(imu.timestamps_ns, span_ns)
    times = np.concatenate([[span_ns[0]], imu.timestamps_ns[first:last], [span_ns[1]]])
    low, high = max(first - 1, 0), last + 1
    base = imu.timestamps_ns[low:high]
    seconds, source = (times - span_ns[0]) * 1e-9, (base - span_ns[0]) * 1e-9
    signal = np.concatenate([imu.accel[low:high], imu.gyro[low:high]], axis=1)
    values = np.stack([np.interp(seconds, source, signal[:, k]) for k in range(6)], axis=1)
    middle = (values[1:] + values[:-1]) / 2
    for row, step in zip(middle, np.diff(seconds), strict=True):
        if step > 0:
            result.integrateMeasurement(row[:3], row[3:], float(step))
    return result


def refine(
    scene: Scene,
    imu: ImuData,
    frames: Ints,
    *,
    inertial: Inertial,
    config: SlamConfig,
    rounds: int = 15,
    staying: bool = False,
) -> tuple[Inertial, Any, Any]:
    """Joint optimisation of these posed keyframes in place; the scene is metric and z up already.

    staying: a corner's errors are taken to stay with it, as they do; else it is given the weight
    with which camera and IMU find out one another's mistakes.
    Returns the IMU states, and gtsam's graph and values, for marginals.
    """
    gtsam = load_gtsam()
    imu_from_camera = imu.camera_from_imu.inverse()
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    rows = scene.observations()
    inside = np.zeros(len(scene.posed), bool)
    inside[frames] = True
    rows = scene.thinned(rows[inside[scene.views.frame[rows]]], MOST_LOOKS)
    sigma_px = (STAYING_ERROR if staying else 1.0) * config.pixel_sigma
    Projections(scene, sigma_px=sigma_px, body_from_camera=imu_from_camera).add(graph, rows)
    if scene.ranged:
        add_ranges(graph, scene, rows, body_from_camera=imu_from_camera)
    world_from_imu = scene.world_from_camera[frames] @ imu.camera_from_imu
    add_states(
        graph,
        values,
        imu,
        times_ns=scene.views.timestamps_ns,
        frames=frames,
        world_from_imu=world_from_imu,
        inertial=inertial,
    )
    tracks = np.unique(scene.views.track[rows])
    for track in tracks:
        values.insert(gtsam.symbol(POINT, int(track)), scene.points[track])
    values = optimise(graph, values, rounds=rounds, tolerance=1e-5)
    read_points(scene, values, tracks)
    poses = [values.atPose3(gtsam.symbol(POSE, int(k))) for k in frames]
    for frame, pose in zip(frames, poses, strict=True):
        world_from_body = SE3(pose.rotation().matrix(), pose.translation())
        scene.set_pose(int(frame), world_from_body @ imu_from_camera)
    biases = [values.atConstantBias(gtsam.symbol(BIAS, int(k))) for k in frames]
    return (
        Inertial(
            np.array([values.atVector(gtsam.symbol(VELOCITY, int(k))) for k in frames]),
            np.array([b.gyroscope() for b in biases]),
            np.array([b.accelerometer() for b in biases]),
        ),
        graph,
        values,
    )


def add_states(
    graph: Any,
    values: Any,
    imu: ImuData,
    *,
    times_ns: Ints,
    frames: Ints,
    world_from_imu: SE3,
    inertial: Inertial,
) -> None:
    """Poses, velocities and biases of keyframes with what the IMU says between them; the first
    one is held, but for its tilt."""
    gtsam = load_gtsam()
    parameters = preintegration_parameters(imu)
    told = imu.told(times_ns[frames])
    key = gtsam.symbol
    biases = [
        gtsam.imuBias.ConstantBias(a, g)
        for a, g in zip(inertial.accel_bias, inertial.gyro_bias, strict=True)
    ]
    for k, frame in enumerate(frames):
        values.insert(key(POSE, int(frame)), pose3(world_from_imu[k]))
        values.insert(key(VELOCITY, int(frame)), inertial.velocities[k])
        values.insert(key(BIAS, int(frame)), biases[k])
    for k in range(len(frames) - 1):
        i, j = int(frames[k]), int(frames[k + 1])
        if not told[k]:
            seconds = (times_ns[j] - times_ns[i]) * 1e-9
            step = world_from_imu.translation[k + 1] - world_from_imu.translation[k]
            _add_unfelt(graph, imu, (i, j), seconds=seconds, velocity=step / seconds)
            continue
        measured = preintegrate(
            imu, (times_ns[i], times_ns[j]), parameters=parameters, bias=biases[k]
        )
        graph.push_back(
            gtsam.CombinedImuFactor(
                key(POSE, i),
                key(VELOCITY, i),
                key(POSE, j),
                key(VELOCITY, j),
                key(BIAS, i),
                key(BIAS, j),
                measured,
            )
        )
    first = int(frames[0])
    graph.push_back(
        gtsam.PriorFactorPose3(
            key(POSE, first), pose3(world_from_imu[0]), _gauge(world_from_imu[0])
        )
    )
    sigmas = np.repeat([ACCEL_BIAS_SIGMA, GYRO_BIAS_SIGMA], 3)
    graph.push_back(
        gtsam.PriorFactorConstantBias(
            key(BIAS, first), gtsam.imuBias.ConstantBias(), gtsam.noiseModel.Diagonal.Sigmas(sigmas)
        )
    )


def _add_unfelt(
    graph: Any, imu: ImuData, ends: tuple[int, int], *, seconds: float, velocity: Floats
) -> None:
    """Between two keyframes without inertial samples: biases wander, velocities are about as seen;
    the points alone tell the poses."""
    gtsam = load_gtsam()
    before, after = ends
    diagonal = gtsam.noiseModel.Diagonal
    walk = np.repeat([imu.accel_walk, imu.gyro_walk], 3) * np.sqrt(seconds)
    graph.push_back(
        gtsam.BetweenFactorConstantBias(
            gtsam.symbol(BIAS, before),
            gtsam.symbol(BIAS, after),
            gtsam.imuBias.ConstantBias(),
            diagonal.Sigmas(walk),
        )
    )
    loose = diagonal.Sigmas(np.full(3, SEEN_VELOCITY_SIGMA_M_S))
    for end in ends:
        graph.push_back(gtsam.PriorFactorVector(gtsam.symbol(VELOCITY, end), velocity, loose))


def _gauge(world_from_imu: SE3) -> Any:
    """Holds position and the turn about the vertical, leaves the tilt to the accelerometer."""
    gtsam = load_gtsam()
    loose = world_from_imu.rotation.T @ np.diag([1.0, 1.0, 1e-8]) @ world_from_imu.rotation
    covariance = np.zeros((6, 6))
    covariance[:3, :3], covariance[3:, 3:] = loose, 1e-8 * np.eye(3)
    return gtsam.noiseModel.Gaussian.Covariance(covariance)
