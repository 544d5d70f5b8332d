"""Makes a map metric and level with its IMU, or says why that cannot be done."""

from dataclasses import replace

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.imu.imu_axes import axes_doubt
from slam.imu.imu_clock import fit_clock
from slam.imu.inertial import GRAVITY_M_S2, ImuData, Start, deltas, integrate, linear_start
from slam.map import growth, visual_inertial
from slam.map.bundle import covariances
from slam.map.mapping import SceneMap
from slam.map.sensor_axes import bent_by_axes
from slam.map.visual_inertial import Inertial

ROUNDS, MOST_ROUNDS = 3, 6  # more while a sensor's noise is still being found
GRAVITY = np.array([0.0, 0.0, -GRAVITY_M_S2])
# Accelerometer datasheets leave out vibration, scale and axis errors; gyros mostly keep theirs.
ACCEL_FACTOR = 10.0
LEAST_GYRO_NOISE, LEAST_ACCEL_NOISE = 1e-4, 1e-2  # where a calibration claims less
DOUBTFUL = 2.5  # a sensor this many times worse than believed is taken at what it shows
# Spans over which the gyro is compared: the camera's own noise counts little there, and beyond them
# its bias wanders.
LONG_S, LONGEST_TURN_S = 2.0, 5.0
# And the accelerometer: longer spans leave short recordings without an answer, or have a pause.
SPAN_S, LONGEST_SPAN_S = 0.45, 1.0
LEAST_TOLD = 3  # intervals between keyframes with inertial samples all along
# Beyond both the camera is suspected: noise shown over noise told, and rad/s/sqrt(Hz); the worst
# phone shows 1e-3.
FAR_WORSE, LEAST_WORSE = 10.0, 2e-3
SURE = 0.1  # relative sigma of a scale that says which way an accelerometer points
UNMEASURED, PRIOR_FREE = 1.5, 6.0  # of its noise before looking, as from so many residuals


def make_metric(scene_map: SceneMap, imu: ImuData, config: SlamConfig) -> None:
    """Joint visual-inertial refinement of a finished map, in place."""
    scene, posed = scene_map.scene, scene_map.posed
    times_ns = scene.views.timestamps_ns[posed]
    if imu.told(times_ns).sum() < LEAST_TOLD:
        scene_map.rejected = "imu_gap"
        return
    scene_map.clock = fit_clock(imu, times_ns, scene.rotation[posed])
    imu = scene_map.clock.applied(imu)
    scene_map.doubt = axes_doubt(imu, times_ns, scene.rotation[posed])
    start = linear_start(_guessed_noise(imu), times_ns, scene.world_from_camera[posed])
    if start is None:
        scene_map.rejected = "no_positive_scale"
        scene_map.doubt = scene_map.doubt or _reversed_doubt(scene_map, imu)
        return
    if contradiction(imu, times_ns, (scene.rotation[posed], start)) > 0.5:
        scene_map.rejected = "gyro_contradicts_camera"
        return
    levelled = visual_inertial.level(start)
    scene.moved(levelled, 1.0 if scene.ranged else start.scale)
    n = len(posed)
    states = Inertial(
        levelled.rotate(start.velocities),
        np.tile(start.gyro_bias, (n, 1)),
        np.tile(start.accel_bias, (n, 1)),
    )
    states, scene_map.imu, scene_map.covariance = _refined(scene_map, imu, config, states=states)
    scene_map.inertial, scene_map.levelled = states, True
    scene_map.doubt = scene_map.doubt or _noise_doubt(scene_map.imu.gyro_noise, imu.gyro_noise)
    if scene.ranged:
        scale_by_ranges(scene_map)
        return
    sigma = _scale_sigma(scene.position[posed], scene_map.covariance)
    if sigma > config.max_scale_sigma:
        scene_map.rejected = "scale_uncertain"
    else:
        scene_map.scale_sigma, scene_map.scale_source = sigma, "imu"


def _reversed_doubt(scene_map: SceneMap, imu: ImuData) -> str | None:
    """One line about an accelerometer that fits the path, but the other way round."""
    times_ns = scene_map.scene.views.timestamps_ns[scene_map.posed]
    path = scene_map.scene.world_from_camera[scene_map.posed]
    start = linear_start(_guessed_noise(replace(imu, accel=-imu.accel)), times_ns, path)
    if start is None or start.scale_sigma > SURE:
        return None
    return (
        "the accelerometer's signs are reversed: at rest it reads the specific force, 9.8 upwards; "
        "turn all three in its file"
    )


def _noise_doubt(shown: float, told: float) -> str | None:
    """One line about a gyro that fits the camera far worse than any such sensor would."""
    if shown < max(FAR_WORSE * told, LEAST_WORSE):
        return None
    apart_deg = np.rad2deg(shown * np.sqrt(LONG_S))
    return (
        f"camera and gyro turn {apart_deg:.1f} degrees apart in {LONG_S:.0f} s, {shown / told:.0f} "
        "times the gyro's noise: are focal length, distortion and readout_ms those of this video? "
        "slam.refine=focal tells a focal length that is a few per cent off"
    )


def _refined(
    scene_map: SceneMap, imu: ImuData, config: SlamConfig, *, states: Inertial
) -> tuple[Inertial, ImuData, Floats]:
    """The joint optimisation, again with what does not fit left out and the sensors' noise as seen.

    Returns the IMU states, the IMU with that noise, and the keyframes' covariance ``(k,6,6)`` with
    what the sensors' axes leave in it.
    """
    scene, posed, noisy = scene_map.scene, scene_map.posed, _guessed_noise(imu)
    times_ns = scene.views.timestamps_ns[posed]
    for round_ in range(MOST_ROUNDS):
        used = noisy
        states, graph, values = visual_inertial.refine(
            scene, used, posed, inertial=states, config=config
        )
        turns = gyro_noise(
            used, times_ns, scene.rotation[posed], bias=states.gyro_bias.mean(axis=0)
        )
        pushes = accel_noise(used, times_ns, scene.world_from_camera[posed], states=states)
        if turns > DOUBTFUL * used.gyro_noise:
            noisy = replace(noisy, gyro_noise=turns)
        if pushes > DOUBTFUL * used.accel_noise:
            noisy = replace(noisy, accel_noise=pushes)
        scene.drop_outliers(config.outlier_px)
        growth.replace_points(scene, config, posed)
        if noisy is used and round_ >= ROUNDS - 1:
            break
    states, graph, values = visual_inertial.refine(
        scene, noisy, posed, inertial=states, config=config, staying=True
    )
    off = pushes / used.accel_noise  # more or less than weighed with: so do the sigmas
    calm = noisy.without_bias(states.gyro_bias.mean(axis=0), np.zeros(3))
    world_from_imu = scene.world_from_camera[posed] @ imu.camera_from_imu
    bent, sigma = bent_by_axes(
        graph, values, calm, times_ns=times_ns, world_from_imu=world_from_imu
    )
    by_axes = sigma**2 * bent @ bent.swapaxes(1, 2)
    return states, noisy, off**2 * covariances(graph, values, posed) + by_axes


def scale_by_ranges(scene_map: SceneMap) -> None:
    """How sure a map is whose lengths come from ranges: what they share moves all of it."""
    scene, posed = scene_map.scene, scene_map.posed
    told = scene.views.ranges
    assert told is not None
    used = told.subset(scene.observations())
    weight = float(np.nansum((used.range_m / used.sigma_m) ** 2))
    sigma = float(np.sqrt(told.bias_share**2 + 1 / max(weight, 1.0)))
    away = scene.position[posed] - scene.position[posed[0]]
    scene_map.covariance[:, 3:, 3:] += sigma**2 * away[:, :, None] * away[:, None, :]
    scene_map.scale_sigma, scene_map.scale_source = sigma, told.source


def _guessed_noise(imu: ImuData) -> ImuData:
    return replace(
        imu,
        gyro_noise=max(imu.gyro_noise, LEAST_GYRO_NOISE),
        accel_noise=max(ACCEL_FACTOR * imu.accel_noise, LEAST_ACCEL_NOISE),
    )


def gyro_noise(imu: ImuData, times_ns: Ints, rotation: Floats, *, bias: Floats) -> float:
    """Noise density by which gyro and camera rotations ``(K,3,3)`` differ over `LONG_S`; 0 where
    no keyframes are so far apart and no farther."""
    off = []
    start = 0
    turned = integrate(imu.without_bias(bias, np.zeros(3)), times_ns).rotation
    unfelt = np.concatenate([[0], np.cumsum(~imu.told(times_ns))])
    in_imu = rotation @ imu.camera_from_imu.rotation
    for end in range(len(times_ns)):
        seconds = (times_ns[end] - times_ns[start]) * 1e-9
        if seconds >= LONG_S:
            gyro, camera = (r[start].T @ r[end] for r in (turned, in_imu))
            if seconds < LONGEST_TURN_S and unfelt[start] == unfelt[end]:
                off.append(rotvec_from_matrix(gyro.T @ camera) / np.sqrt(seconds))
            start = end
    return float(np.sqrt(np.mean(np.square(off)))) if off else 0.0


def accel_noise(imu: ImuData, times_ns: Ints, world_from_camera: SE3, *, states: Inertial) -> float:
    """Noise density by which accelerometer and path ``(K,)`` disagree over `SPAN_S`.

    The speed between two spans is told twice, by what was felt before and after it. A recording too
    short to show much is taken for `UNMEASURED` times as noisy as the IMU says.
    """
    at = [0]
    for row in range(len(times_ns)):
        if times_ns[row] - times_ns[at[-1]] >= SPAN_S * 1e9:
            at.append(row)
    calm = imu.without_bias(states.gyro_bias.mean(axis=0), states.accel_bias.mean(axis=0))
    world_from_imu = world_from_camera[at] @ imu.camera_from_imu
    moved = deltas(integrate(calm, times_ns[at]))
    seconds = moved.seconds[:, None]
    gained, shift = (
        world_from_imu[:-1].rotate(felt) + GRAVITY * seconds**k / k
        for felt, k in ((moved.velocity, 1), (moved.position, 2))
    )
    start = (np.diff(world_from_imu.translation, axis=0) - shift) / seconds
    off = (start[:-1] + gained[:-1] - start[1:]) / np.sqrt((seconds[:-1] + seconds[1:]) / 3)
    usable = (seconds[:, 0] < LONGEST_SPAN_S) & imu.told(times_ns[at])
    off = off[usable[:-1] & usable[1:]]
    free = max(off.size - 6, 0)  # gravity's tilt, the scale and three biases were fitted to them
    believed = UNMEASURED * imu.accel_noise
    return float(np.sqrt((PRIOR_FREE * believed**2 + np.sum(off**2)) / (PRIOR_FREE + free)))


def _scale_sigma(position: Floats, covariance: Floats) -> float:
    """Relative uncertainty of the distance from the held first keyframe to the farthest one."""
    away = position - position[0]
    far = int(np.argmax(np.linalg.norm(away, axis=1)))
    distance = float(np.linalg.norm(away[far]))
    if distance == 0:
        return float("inf")
    along = away[far] / distance
    return float(np.sqrt(along @ covariance[far, 3:, 3:] @ along)) / distance


def contradiction(imu: ImuData, times_ns: Ints, seen: tuple[Floats, Start]) -> float:
    """Share of the camera's turning that the gyro does not tell the same way, 0 … 1 and more.

    Near 0 for a good rig; near 1 and above for wrong axes, units or clocks. 0 where nothing turned.
    """
    rotation, start = seen
    turned = deltas(integrate(imu.without_bias(start.gyro_bias, np.zeros(3)), times_ns))
    in_imu = rotation @ imu.camera_from_imu.rotation
    told = imu.told(times_ns)
    seen_turn = rotvec_from_matrix(in_imu[:-1].transpose(0, 2, 1) @ in_imu[1:])[told]
    gyro_turn = rotvec_from_matrix(turned.rotation)[told]
    total = float(np.sqrt(np.mean(seen_turn**2))) if told.any() else 0.0
    if total < 5e-3:
        return 0.0
    return float(np.sqrt(np.mean((seen_turn - gyro_turn) ** 2))) / total
