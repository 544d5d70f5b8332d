"""The IMU between keyframes whose poses are known: velocities, biases and a smoother path.

No points are adjusted, so it costs the same for every keyframe, however long the recording.
"""

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.se3 import SE3
from slam.imu.inertial import ImuData
from slam.map.bundle import BIAS, POSE, VELOCITY, load_gtsam, optimise, pose3
from slam.map.scene import Scene
from slam.map.visual_inertial import Inertial, add_states

HELD_RAD, HELD_M = 1e-5, 1e-5


def smooth(
    scene: Scene,
    imu: ImuData,
    frames: Ints,
    *,
    known: tuple[Ints, Inertial],
    seen: dict[int, Floats],
) -> Inertial:
    """Move the keyframes ``seen`` to where points and IMU together put them, in place; the others
    among the rising ``frames`` are held.

    known: keyframes whose IMU states are known, and those.   seen: covariance ``(6,6)``, rotation
    and translation in the camera's axes, by keyframe.   Returns the states of all ``frames``.
    """
    gtsam = load_gtsam()
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    world_from_imu = scene.world_from_camera[frames] @ imu.camera_from_imu
    times_ns = scene.views.timestamps_ns
    start = _interpolated(times_ns, frames, known, position=world_from_imu.translation)
    add_states(
        graph,
        values,
        imu,
        times_ns=times_ns,
        frames=frames,
        world_from_imu=world_from_imu,
        inertial=start,
    )
    imu_from_camera = imu.camera_from_imu.inverse()
    carried = pose3(imu_from_camera).AdjointMap()
    held = gtsam.noiseModel.Diagonal.Sigmas(np.repeat([HELD_RAD, HELD_M], 3))
    for k, frame in enumerate(frames.tolist()):
        noise = held
        if frame in seen:
            noise = gtsam.noiseModel.Gaussian.Covariance(carried @ seen[frame] @ carried.T)
        key = gtsam.symbol(POSE, frame)
        graph.push_back(gtsam.PriorFactorPose3(key, pose3(world_from_imu[k]), noise))
    values = optimise(graph, values, rounds=10)
    for frame in seen:
        pose = values.atPose3(gtsam.symbol(POSE, frame))
        body = SE3(pose.rotation().matrix(), pose.translation())
        scene.set_pose(frame, body @ imu_from_camera)
    biases = [values.atConstantBias(gtsam.symbol(BIAS, int(k))) for k in frames]
    return Inertial(
        np.array([values.atVector(gtsam.symbol(VELOCITY, int(k))) for k in frames]),
        np.array([b.gyroscope() for b in biases]),
        np.array([b.accelerometer() for b in biases]),
    )


def _interpolated(
    times_ns: Ints, frames: Ints, known: tuple[Ints, Inertial], *, position: Floats
) -> Inertial:
    """Where the search begins: biases between those known, velocities as the path says."""
    seconds = (times_ns - times_ns[0]) * 1e-9
    rows, states = known

    def between(values: Floats) -> Floats:
        columns = [np.interp(seconds[frames], seconds[rows], values[:, k]) for k in range(3)]
        return np.stack(columns, axis=1)

    velocities = np.gradient(position, seconds[frames], axis=0)
    velocities[np.searchsorted(frames, rows)] = states.velocities
    return Inertial(velocities, between(states.gyro_bias), between(states.accel_bias))
