"""A pose for every frame between the keyframes of a map: from its points, aided by the IMU."""

from dataclasses import replace

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.imu.inertial import GRAVITY_M_S2, Integrated, integrate
from slam.map.mapping import SceneMap
from slam.map.visual_inertial import Inertial
from slam.path import CameraPath
from slam.sight.localise import Localised, PosePrior, View, errors_px, refine_pose
from slam.sight.tracks import Observed, Tracks

GRAVITY = np.array([0.0, 0.0, -GRAVITY_M_S2])
STRETCH_S = 1.0  # keyframes further apart than this were not seen from one another
INERTIAL_SIGMA_RAD, INERTIAL_SIGMA_M = 1.5e-3, 5e-3  # of a path between two keyframes
FREE_SIGMA_RAD, FREE_SIGMA_SHARE = 0.05, 0.5  # without an IMU; share of the keyframe distance


def pose_frames(
    tracks: Observed, scene_map: SceneMap, config: SlamConfig, *, path: CameraPath
) -> None:
    """Fill ``path`` with this map's frames. Gaps without points stay without a pose, unless an IMU
    carries over them and they are shorter than ``max_lost_s``."""
    for stretch in stretches(tracks.timestamps_ns, scene_map):
        _pose_stretch(tracks, stretch, config, path=path)


def stretches(times_ns: Ints, scene_map: SceneMap) -> list[SceneMap]:
    """The map cut where its keyframes are further apart than `STRETCH_S`: nothing is known of the
    way between."""
    frames = scene_map.frames[scene_map.posed]
    ends = np.flatnonzero(np.diff(times_ns[frames]) > STRETCH_S * 1e9) + 1
    return [_part(scene_map, rows) for rows in np.split(np.arange(len(frames)), ends)]


def _part(scene_map: SceneMap, rows: Ints) -> SceneMap:
    states = scene_map.inertial
    if states is not None:
        states = Inertial(states.velocities[rows], states.gyro_bias[rows], states.accel_bias[rows])
    return replace(
        scene_map,
        posed=scene_map.posed[rows],
        covariance=scene_map.covariance[rows],
        inertial=states,
    )


def _pose_stretch(
    tracks: Observed, scene_map: SceneMap, config: SlamConfig, *, path: CameraPath
) -> None:
    frames = scene_map.frames[scene_map.posed]
    guess = _guesses(tracks.timestamps_ns, scene_map)
    owner = np.searchsorted(frames, np.arange(frames[0], frames[-1] + 1), side="right") - 1
    told = _told(tracks.timestamps_ns[frames], scene_map)
    for offset, pose in enumerate(guess):
        frame = int(frames[0]) + offset
        near = int(owner[offset])
        if frame == frames[near]:
            _put_keyframe(path, scene_map, frame=frame, near=near)
            continue
        if path.tracked[frame]:
            continue
        prior = PosePrior(pose.inverse(), _information(scene_map, near, told=bool(told[near])))
        if not _put_seen(
            path,
            tracks.of_frames([frame]),
            scene_map,
            config=config,
            frame=frame,
            near=near,
            prior=prior,
        ):
            path.reason[frame] = "too_few_points"
    felt = np.flatnonzero(told[owner]) + int(frames[0])
    _carry_over_gaps(tracks.timestamps_ns, guess, scene_map, path=path, config=config, felt=felt)
    _reach_out(tracks, scene_map, config, path=path)


def _put_keyframe(path: CameraPath, scene_map: SceneMap, *, frame: int, near: int) -> None:
    row = int(scene_map.posed[near])
    view, rows = scene_map.scene.view_of(row)
    pose = scene_map.scene.world_from_camera[row]
    variance = np.diagonal(scene_map.covariance[near])
    error = errors_px(view, pose.inverse())[scene_map.scene.used[rows]]
    path.put(
        frame,
        pose,
        map_id=scene_map.map_id,
        sigma=(np.sqrt(variance[3:]), np.sqrt(variance[:3])),
        error_px=float(np.median(error)) if len(error) else float("nan"),
    )


def _put_seen(
    path: CameraPath,
    seen: Tracks,
    scene_map: SceneMap,
    *,
    config: SlamConfig,
    frame: int,
    near: int,
    prior: PosePrior,
) -> bool:
    """Pose one frame from the map's points it saw; False where they do not suffice."""
    found = _look(seen, scene_map, config, prior=prior)
    if found is None:
        return False
    localised, error_px = found
    world_from_camera = localised.camera_from_world.inverse()
    path.put(
        frame,
        world_from_camera,
        map_id=scene_map.map_id,
        sigma=_sigma(world_from_camera, localised.covariance, scene_map.covariance[near]),
        error_px=error_px,
    )
    return True


def _reach_out(
    tracks: Observed, scene_map: SceneMap, config: SlamConfig, *, path: CameraPath
) -> None:
    """Frames before the first and after the last keyframe, one by one, while they see the map."""
    frames = scene_map.frames[scene_map.posed]
    sigmas = np.repeat([0.2, 0.2 * scene_map.typical_depth], 3)
    for end, step, near in ((int(frames[0]), -1, 0), (int(frames[-1]), 1, len(frames) - 1)):
        frame = end + step
        while 0 <= frame < path.n_frames and not path.tracked[frame]:
            last = path.world_from_camera[frame - step]
            seen = tracks.of_frames([frame])
            prior = PosePrior(last.inverse(), np.diag(1 / sigmas**2))
            if not _put_seen(
                path, seen, scene_map, config=config, frame=frame, near=near, prior=prior
            ):
                break
            frame += step


def _look(
    seen: Tracks, scene_map: SceneMap, config: SlamConfig, *, prior: PosePrior
) -> tuple[Localised, float] | None:
    """The pose of one frame from the map's points it saw, and their median error in pixels."""
    scene = scene_map.scene
    seen = seen.subset(scene.known[seen.track])
    if len(seen.track) < config.min_landmarks:
        return None
    view = View(scene.points[seen.track], seen.rays, seen.rad_per_px, seen.eyes)
    found = refine_pose(
        view,
        prior.camera_from_world,
        sigma_px=config.pixel_sigma,
        outlier_px=2 * config.outlier_px,
        prior=prior,
    )
    if found.inlier.sum() < max(config.min_landmarks, 0.3 * len(seen.track)):
        return None
    return found, float(np.median(errors_px(view, found.camera_from_world)))


def _sigma(world_from_camera: SE3, in_camera: Floats, of_map: Floats) -> tuple[Floats, Floats]:
    """One standard deviation along world axes: of this frame in the map, plus the map's own."""
    turn = world_from_camera.rotation
    rotation = turn @ in_camera[:3, :3] @ turn.T + of_map[:3, :3]
    position = turn @ in_camera[3:, 3:] @ turn.T + of_map[3:, 3:]
    return np.sqrt(np.diagonal(position)), np.sqrt(np.diagonal(rotation))


def _told(times_ns: Ints, scene_map: SceneMap) -> Bools:
    """``(k,)`` after which posed keyframes, at these times, inertial samples lead to the next."""
    if scene_map.inertial is None or scene_map.imu is None:
        return np.zeros(len(times_ns), bool)
    return np.append(scene_map.imu.told(times_ns), False)


def _information(scene_map: SceneMap, near: int, *, told: bool) -> Floats:
    """How far the guess between two keyframes is believed; told: by the IMU."""
    if told:
        sigmas = np.repeat([INERTIAL_SIGMA_RAD, INERTIAL_SIGMA_M], 3)
    else:
        ends = scene_map.posed[near : near + 2]
        apart = np.ptp(scene_map.scene.position[ends], axis=0) if len(ends) == 2 else np.zeros(3)
        depth = 1e-2 * scene_map.typical_depth
        sigmas = np.repeat(
            [FREE_SIGMA_RAD, FREE_SIGMA_SHARE * float(np.linalg.norm(apart)) + depth], 3
        )
    return np.diag(1 / sigmas**2)


# --- guesses ------------------------------------------------------------------------------------


def _guesses(times_ns: Ints, scene_map: SceneMap) -> SE3:
    """world_from_camera of every frame from the first to the last posed keyframe."""
    frames = scene_map.frames[scene_map.posed]
    query = np.arange(frames[0], frames[-1] + 1)
    near = np.clip(np.searchsorted(frames, query, side="right") - 1, 0, max(len(frames) - 2, 0))
    poses = scene_map.scene.world_from_camera[scene_map.posed]
    if len(frames) == 1:
        return poses
    seconds = (times_ns[query] - times_ns[frames[near]]) * 1e-9
    span = (times_ns[frames[near + 1]] - times_ns[frames[near]]) * 1e-9
    part = seconds / span
    turn = rotvec_from_matrix(poses[near].rotation.transpose(0, 2, 1) @ poses[near + 1].rotation)
    rotation = poses[near].rotation @ matrix_from_rotvec(turn * part[:, None])
    step = poses[near + 1].translation - poses[near].translation
    position = poses[near].translation + step * part[:, None]
    told = _told(times_ns[frames], scene_map)[near]
    if told.any():
        felt = _inertial_guess(times_ns[query], scene_map, near, seconds=seconds, span=span)
        rotation[told], position[told] = felt.rotation[told], felt.translation[told]
    return SE3(rotation, position)


def _inertial_guess(
    query_ns: Ints, scene_map: SceneMap, near: Ints, *, seconds: Floats, span: Floats
) -> SE3:
    """Dead reckoning from the keyframe before, bent so that it meets the keyframe after."""
    imu, states = scene_map.imu, scene_map.inertial
    assert imu is not None
    assert states is not None
    calm = imu.without_bias(states.gyro_bias.mean(axis=0), states.accel_bias.mean(axis=0))
    run = integrate(calm, query_ns)
    poses = scene_map.scene.world_from_camera[scene_map.posed] @ imu.camera_from_imu
    start = np.searchsorted(near, np.arange(near.max() + 1))  # first query of every interval
    end = np.append(start[1:], len(near) - 1)
    turn, shift = _reckon(run, np.arange(len(near)), start=start[near], seconds=seconds)
    turn_end, shift_end = _reckon(run, end, start=start, seconds=span[start])
    first = poses[: len(start)]
    velocity = states.velocities
    met_r = rotvec_from_matrix(
        (first.rotation @ turn_end).transpose(0, 2, 1) @ poses[1 : len(start) + 1].rotation
    )
    duration = span[start][:, None]
    reached = (
        first.translation + velocity[: len(start)] * duration + GRAVITY * duration**2 / 2
        + (first.rotation @ shift_end[..., None])[..., 0]
    )  # fmt: skip
    missed = poses[1 : len(start) + 1].translation - reached
    part, t = (seconds / span)[:, None], seconds[:, None]
    rotation = poses[near].rotation @ turn @ matrix_from_rotvec(met_r[near] * part)
    position = (
        poses[near].translation + velocity[near] * t + GRAVITY * t**2 / 2
        + (poses[near].rotation @ shift[..., None])[..., 0] + missed[near] * part
    )  # fmt: skip
    return SE3(rotation, position) @ imu.camera_from_imu.inverse()


def _reckon(run: Integrated, at: Ints, *, start: Ints, seconds: Floats) -> tuple[Floats, Floats]:
    """Turn and shift (no gravity) from query ``start`` to query ``at``, in the frame at start."""
    back = run.rotation[start].transpose(0, 2, 1)
    shift = run.position[at] - run.position[start] - run.velocity[start] * seconds[:, None]
    return back @ run.rotation[at], (back @ shift[..., None])[..., 0]


def _carry_over_gaps(
    times_ns: Ints,
    guess: SE3,
    scene_map: SceneMap,
    *,
    path: CameraPath,
    config: SlamConfig,
    felt: Ints,
) -> None:
    """Short gaps take the inertial guess, with a sigma that grows towards their middle.

    felt: frames between keyframes with inertial samples all along.
    """
    first = int(scene_map.frames[scene_map.posed[0]])
    inside = np.arange(first, first + len(guess))
    lost = inside[~path.tracked[inside]]
    for gap in np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1):
        if not len(gap):
            continue
        low, high = int(gap[0]) - 1, int(gap[-1]) + 1
        if not np.isin(gap, felt).all():
            continue
        if low < first or high > inside[-1]:
            continue
        if times_ns[high] - times_ns[low] > config.max_lost_s * 1e9:
            continue
        for frame in gap:
            away_s = min(times_ns[frame] - times_ns[low], times_ns[high] - times_ns[frame]) * 1e-9
            path.put(
                int(frame),
                guess[int(frame) - first],
                map_id=scene_map.map_id,
                sigma=(
                    path.sigma_m[low] + INERTIAL_SIGMA_M + 0.1 * away_s**2,
                    path.sigma_rad[low] + INERTIAL_SIGMA_RAD,
                ),
                error_px=float("nan"),
            )
