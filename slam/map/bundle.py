"""Bundle adjustment with gtsam: keyframe poses and points together, any camera model.

An observation is a projection into a small camera that looks along the observed ray, so its error
is an angle in the ray's tangent plane (see `rays.tangent_rotations`).
"""

from typing import Any

import numpy as np

from core.errors import MissingExtraError
from core.geometry.arrays import Floats, Ints
from core.geometry.se3 import SE3
from slam.map.elimination import Points, linearised
from slam.map.scene import Scene
from slam.sight.rays import tangent_rotations
from slam.sight.tracks import Tracks

POSE, POINT, VELOCITY, BIAS = "x", "l", "v", "b"
WIDTHS = {POINT: 3, VELOCITY: 3}  # columns of gtsam's variables; poses and biases have 6
MOST_COVARIANCES = 40
# Observations of one point that are adjusted: gtsam takes a point out with a dense block of all the
# poses that see it, and after half an hour in one place that is every pillar.
MOST_LOOKS = 30
CAUCHY = 3.0  # sigmas at which a corner's error begins to count for less


def load_gtsam() -> Any:
    """gtsam, or the command that installs it."""
    try:
        import gtsam
    except ImportError as error:
        raise MissingExtraError("slam needs gtsam: pip install 'handoff-ego[slam]'") from error
    return gtsam


def pose3(pose: SE3) -> Any:
    """A single SE3 as gtsam's Pose3."""
    gtsam = load_gtsam()
    return gtsam.Pose3(gtsam.Rot3(pose.rotation), pose.translation)


class Projections:
    """Makes gtsam factors of a scene's observations; reuses the noise models, and the factors that
    the last call made: windows of a growing map overlap.

    body_from_camera: the body is what gtsam's pose stands for (the camera itself, or the IMU).
    """

    def __init__(
        self, scene: Scene, *, sigma_px: float, body_from_camera: SE3 | None = None
    ) -> None:
        self._gtsam = load_gtsam()
        self._scene, self._sigma_px = scene, sigma_px
        self._unit_camera = self._gtsam.Cal3_S2()
        self._noise: dict[int, Any] = {}
        self._made: dict[int, Any] = {}
        self._body = body_from_camera or SE3.identity()

    def _model(self, level: int) -> Any:
        """Isotropic noise in steps of 5 %, with a Cauchy kernel."""
        if level not in self._noise:
            noise = self._gtsam.noiseModel
            sigma = float(np.exp(level * 0.05)) * self._sigma_px
            self._noise[level] = noise.Robust.Create(
                noise.mEstimator.Cauchy.Create(CAUCHY), noise.Isotropic.Sigma(2, sigma)
            )
        return self._noise[level]

    def add(self, graph: Any, rows: Ints) -> None:
        """One factor per observation row."""
        known = np.array([row in self._made for row in rows.tolist()], bool)
        kept = {row: self._made[row] for row in rows[known].tolist()}
        self._made = kept | dict(zip(rows[~known].tolist(), self._make(rows[~known]), strict=True))
        for row in rows.tolist():
            graph.push_back(self._made[row])

    def _make(self, rows: Ints) -> list[Any]:
        gtsam, views = self._gtsam, self._scene.views
        body_from_tangent = self._body.rotation @ tangent_rotations(views.rays[rows])
        levels = np.rint(np.log(views.rad_per_px[rows]) / 0.05).astype(int).tolist()
        poses = [gtsam.symbol(POSE, k) for k in views.frame[rows].tolist()]
        points = [gtsam.symbol(POINT, k) for k in views.track[rows].tolist()]
        centre, origins = np.zeros(2), self._body.apply(_eyes(views, rows))
        factor, pose, rot = gtsam.GenericProjectionFactorCal3_S2, gtsam.Pose3, gtsam.Rot3
        return [
            factor(
                centre,
                self._model(level),
                pose_key,
                point_key,
                self._unit_camera,
                False,  # no exception behind the camera, the error is just large
                False,
                pose(rot(turn), origin),
            )
            for level, pose_key, point_key, turn, origin in zip(
                levels, poses, points, body_from_tangent, origins, strict=True
            )
        ]


def slope_of_errors(scene: Scene, rows: Ints, moved: Floats, *, sigma_px: float) -> Floats:
    """``(2n,)`` change of the whitened errors of `Projections` as a parameter grows that moves the
    observed rays by ``moved`` ``(n,3)``."""
    views = scene.views.subset(rows)
    tangent = tangent_rotations(views.rays)[:, :, :2]
    weight = 1 / np.sqrt(1 + (scene.errors_px(rows) / sigma_px / CAUCHY) ** 2)
    aside = np.einsum("nij,ni->nj", tangent, moved)
    return np.asarray((-aside * (weight / (views.rad_per_px * sigma_px))[:, None]).ravel())


def _eyes(views: Tracks, rows: Ints) -> Floats:
    return np.zeros((len(rows), 3)) if views.eyes is None else views.eyes[rows]


def optimise(graph: Any, values: Any, *, rounds: int, tolerance: float = 1e-4) -> Any:
    """Levenberg-Marquardt; returns the values it ends with."""
    gtsam = load_gtsam()
    parameters = gtsam.LevenbergMarquardtParams()
    parameters.setMaxIterations(rounds)
    parameters.setRelativeErrorTol(tolerance)
    parameters.setlambdaUpperBound(1e8)
    return gtsam.LevenbergMarquardtOptimizer(graph, values, parameters).optimize()


def adjust(
    scene: Scene,
    frames: Ints,
    *,
    sigma_px: float,
    rounds: int = 8,
    tolerance: float = 1e-4,
    looks: int = MOST_LOOKS,
    projections: Projections | None = None,
) -> tuple[Any, Any] | None:
    """Refine these keyframes and the points they see, in place; other keyframes hold still.

    tolerance: share by which a round must better the cost for another one to follow.   looks: of
    one point that count.   projections: of this scene and sigma, where one adjustment follows
    another.

    With every posed keyframe given, the first pose is held, and the distance to the farthest one
    where no ranges tell it.
    Returns gtsam's graph and values for `covariances`; None where nothing was seen.
    """
    gtsam = load_gtsam()
    free = np.zeros(len(scene.posed), bool)
    free[frames] = True
    rows = scene.thinned(scene.of_tracks(scene.used_by(frames)), looks)
    if not len(rows):
        return None
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    (projections or Projections(scene, sigma_px=sigma_px)).add(graph, rows)
    used_frames = np.unique(scene.views.frame[rows])
    held = used_frames[~free[used_frames]]
    if scene.ranged:
        add_ranges(graph, scene, rows)
    if not len(held):
        held = used_frames[:1]
        if not scene.ranged:
            _hold_scale(graph, scene, used_frames)
    tight = gtsam.noiseModel.Isotropic.Sigma(6, 1e-6)
    for frame in used_frames:
        pose = pose3(scene.world_from_camera[frame])
        values.insert(gtsam.symbol(POSE, int(frame)), pose)
        if frame in held:
            graph.push_back(gtsam.PriorFactorPose3(gtsam.symbol(POSE, int(frame)), pose, tight))
    tracks = np.unique(scene.views.track[rows])
    for track in tracks:
        values.insert(gtsam.symbol(POINT, int(track)), scene.points[track])
    values = optimise(graph, values, rounds=rounds, tolerance=tolerance)
    read_points(scene, values, tracks)
    for frame in used_frames[free[used_frames]]:
        pose = values.atPose3(gtsam.symbol(POSE, int(frame)))
        scene.set_pose(int(frame), SE3(pose.rotation().matrix(), pose.translation()))
    return graph, values


def add_ranges(
    graph: Any, scene: Scene, rows: Ints, *, body_from_camera: SE3 | None = None
) -> None:
    """One factor per observation among ``rows`` whose range another camera told."""
    gtsam = load_gtsam()
    noise = gtsam.noiseModel
    if scene.views.ranges is None:
        return
    told = scene.views.ranges.subset(rows)
    known = np.isfinite(told.range_m)
    rows, told = rows[known], told.subset(known)
    origins = (body_from_camera or SE3.identity()).apply(_eyes(scene.views, rows))
    for row, measured, sigma, origin in zip(rows, told.range_m, told.sigma_m, origins, strict=True):
        sensor = gtsam.Pose3(gtsam.Rot3(), origin)
        model = noise.Robust.Create(
            noise.mEstimator.Cauchy.Create(2.0), noise.Isotropic.Sigma(1, float(sigma))
        )
        pose = gtsam.symbol(POSE, int(scene.views.frame[row]))
        point = gtsam.symbol(POINT, int(scene.views.track[row]))
        graph.push_back(
            gtsam.RangeFactorWithTransform3D(pose, point, float(measured), model, sensor)
        )


def covariances(graph: Any, values: Any, frames: Ints) -> Floats:
    """``(k,6,6)`` of these keyframes' poses, (rotation, translation) along the world's axes.

    Computed for at most `MOST_COVARIANCES` of them, evenly spread, and interpolated between: each
    costs a walk through the whole map.
    """
    picked = np.unique(
        np.linspace(0, len(frames) - 1, min(len(frames), MOST_COVARIANCES)).round().astype(int)
    )
    own = _covariances(graph, values, frames[picked])
    at = np.arange(len(frames))
    after = np.clip(np.searchsorted(picked, at), 1, len(picked) - 1) if len(picked) > 1 else 0 * at
    before = np.maximum(after - 1, 0)
    part = (at - picked[before]) / np.maximum(picked[after] - picked[before], 1)
    part = part[:, None, None]
    return np.asarray((1 - part) * own[before] + part * own[after])


def _covariances(graph: Any, values: Any, frames: Ints) -> Floats:
    gtsam = load_gtsam()
    keys = [gtsam.symbol(POSE, int(frame)) for frame in frames]
    try:
        marginals = gtsam.Marginals(graph, values)
        own = np.stack([marginals.marginalCovariance(key) for key in keys])
    except RuntimeError:  # a point whose depth nothing tells, or far too near a camera
        own = _dense_covariances(graph, values, keys)
    turn = np.stack([values.atPose3(key).rotation().matrix() for key in keys])
    both = np.zeros((len(keys), 6, 6))
    both[:, :3, :3] = both[:, 3:, 3:] = turn
    return np.asarray(both @ own @ both.swapaxes(1, 2))


def _dense_covariances(graph: Any, values: Any, keys: list[int]) -> Floats:
    """The same in each pose's own axes, points eliminated by hand: slower, stops at nothing."""
    linear = linearised(graph, values, widths=WIDTHS)
    points = Points.of(linear.jacobian, linear.columns(POINT))
    covariance = np.linalg.pinv(points.reduced().toarray(), hermitian=True, rcond=1e-14)
    starts = dict(zip(linear.keys, linear.starts.tolist(), strict=False))
    place = np.searchsorted(points.others, [starts[key] for key in keys])
    return np.stack([covariance[k : k + 6, k : k + 6] for k in place])


def _hold_scale(graph: Any, scene: Scene, frames: Ints) -> None:
    gtsam = load_gtsam()
    away = np.linalg.norm(scene.position[frames] - scene.position[frames[0]], axis=1)
    far = int(np.argmax(away))
    if away[far] > 0:
        noise = gtsam.noiseModel.Isotropic.Sigma(1, 1e-4 * float(away[far]))
        first, last = (gtsam.symbol(POSE, int(frames[k])) for k in (0, far))
        graph.push_back(gtsam.RangeFactorPose3(first, last, float(away[far]), noise))


def read_points(scene: Scene, values: Any, tracks: Ints) -> None:
    """Copy the points of these tracks out of gtsam's values."""
    gtsam = load_gtsam()
    for track in tracks:
        scene.points[track] = values.atPoint3(gtsam.symbol(POINT, int(track)))
