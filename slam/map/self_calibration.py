"""The focal length and the IMU's place on the camera, refined jointly with a finished map.

Keyframes, points, velocities and biases are at their best for the calibration as it is given. Its
own parameters are then added to the same least-squares problem (`marginal.py`), the step is taken
and all is adjusted again, a few times over. What the recording tells too loosely, and what was
right, keeps its calibrated value. Costs about as much as the map itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core.geometry.arrays import Bools, Floats, Ints
from core.geometry.cameras import Camera
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.imu.imu_clock import fit_clock
from slam.imu.inertial import ImuData
from slam.map import growth, visual_inertial
from slam.map.bundle import MOST_LOOKS, adjust, slope_of_errors
from slam.map.mapping import SceneMap
from slam.map.marginal import Marginal
from slam.map.metric import make_metric
from slam.map.pillars import on_pillars
from slam.map.recalibrated import moved_camera, refocused
from slam.map.scene import Scene
from slam.map.sensor_axes import MOUNTING_SIGMA_RAD
from slam.map.visual_inertial import STAYING_ERROR
from slam.sight.tracks import Observed

ROUNDS = 5
# Of the parameters: log focal, place and turn of the camera in the IMU's frame.
FOCAL, PLACE, TURN = slice(0, 1), slice(1, 4), slice(4, 7)
COARSE_RAD = 0.03  # of a mounting: so far off it is turned first, by what camera and gyro saw
# What no residual shows of a focal length: a gyro's own scale, a lens shape that fits no better,
# how corners' errors differ from white noise; without a gyro these count for more.
HIDDEN_FOCAL, HIDDEN_FOCAL_ALONE = 3e-3, 8e-3
CLEARLY = 3.0  # sigmas by which one of seven figures must be off before it is changed
FAR_OFF = 3.0  # prior sigmas beyond which it is no refinement any more


@dataclass(frozen=True, eq=False)
class Told:
    """What a recording says of one part of its calibration: how far it is ``off``, with sigmas.

    focal: ``(1,)`` logarithm of the factor.   place, turn: ``(3,)`` metres and radians that the
    camera moved and turned along the IMU's axes.   used: whether it was so clearly off that the
    path was made with it.
    """

    off: Floats
    sigma: Floats
    used: bool


@dataclass(frozen=True, eq=False)
class Calibrated:
    """None where a part was not asked for, or the recording says too little: see doubts.

    focal_factor, camera_from_imu: what the path was made with, 1 and None where that is as given.
    """

    focal: Told | None = None
    place: Told | None = None
    turn: Told | None = None
    doubts: list[str] = field(default_factory=list)
    focal_factor: float = 1.0
    camera_from_imu: SE3 | None = None


@dataclass(frozen=True)
class _Part:
    """rows: of the parameters.   prior: sigma before looking.   most: sigma above which a result is
    not believed.   hidden: what its own sigma leaves out."""

    rows: slice
    prior: float
    most: float
    hidden: float
    doubt: Callable[[Floats, Floats], str]

    def judged(self, off: Floats, sigma: Floats) -> tuple[Told | None, str | None]:
        """The result, or the line that says why there is none."""
        sigma = np.hypot(sigma, self.hidden)
        if sigma.max() > self.most or np.abs(off).max() > FAR_OFF * self.prior:
            return None, self.doubt(off, sigma)
        return Told(off.copy(), sigma, bool(np.any(np.abs(off) > CLEARLY * sigma))), None


def self_calibrated(
    tracks: Observed,
    maps: Sequence[SceneMap],
    config: SlamConfig,
    *,
    camera: Camera,
    imu: ImuData | None,
) -> tuple[Observed, ImuData | None, Calibrated]:
    """Tracks, those of the maps too, and IMU in the calibration that the largest map asks for.

    ``config.refine`` says which parts: "focal", "extrinsics" or both.
    """
    if not maps:
        return tracks, imu, Calibrated(doubts=["there is no map to refine the calibration with"])
    scene_map = max(maps, key=lambda m: len(m.posed))
    ranges = scene_map.scene.views.ranges
    if scene_map.scene.ranged and ranges is not None and ranges.source == "stereo":
        doubt = (
            "slam.refine knows one camera alone: calibrate the two together, or use_stereo=false"
        )
        return tracks, imu, Calibrated(doubts=[doubt])
    coarse: list[str] = []
    given = imu
    if imu is not None and "extrinsics" in config.refine.split(","):
        imu, coarse = _coarsely_turned(scene_map, imu)
    with on_pillars(scene_map, config):
        if imu is not None:
            make_metric(scene_map, imu, config)
        found = Refinement(scene_map, config, camera=camera).run(config.refine.split(","))
        scene_map.inertial = None  # of the calibration as it was
    factor = 1.0
    if found.focal is not None and found.focal.used:
        factor = float(np.exp(found.focal.off[0]))
        tracks = tracks.changed(lambda some: refocused(some, camera, factor))
        for other in maps:
            if other is not scene_map:
                other.scene.views = refocused(other.scene.views, camera, factor)
    used = [told is not None and told.used for told in (found.place, found.turn)]
    if imu is not None and any(used):
        moved, turned = (
            told.off if told is not None and told.used else np.zeros(3)
            for told in (found.place, found.turn)
        )
        imu = moved_camera(imu, moved, turned)
    changed = imu is not None and imu is not given
    found = replace(
        found,
        doubts=coarse + found.doubts,
        focal_factor=factor,
        camera_from_imu=imu.camera_from_imu if changed else None,
    )
    return tracks, imu, found


def _coarsely_turned(scene_map: SceneMap, imu: ImuData) -> tuple[ImuData, list[str]]:
    """The IMU as camera and gyro saw it turn, where its mounting is degrees off."""
    scene, posed = scene_map.scene, scene_map.posed
    times_ns, rotation = scene.views.timestamps_ns[posed], scene.rotation[posed]
    if not imu.covers(times_ns):
        return imu, []
    turn = fit_clock(imu, times_ns, rotation, mounting=True).turn
    angle_rad = float(np.linalg.norm(rotvec_from_matrix(turn)))
    if angle_rad < COARSE_RAD:
        return imu, []
    mounting = SE3(imu.camera_from_imu.rotation @ turn, imu.camera_from_imu.translation)
    doubt = f"head_from_imu was {np.rad2deg(angle_rad):.1f} degrees off, which is taken out"
    return replace(imu, camera_from_imu=mounting), [doubt]


def _focal_doubt(off: Floats, sigma: Floats) -> str:
    return (
        f"the focal length stays as calibrated: {100 * np.expm1(off[0]):+.1f} +- "
        f"{100 * sigma[0]:.1f} % is no answer; turn the head more, or calibrate the camera"
    )


def _place_doubt(off: Floats, sigma: Floats) -> str:
    told = ", ".join(f"{1e3 * o:+.0f} +- {1e3 * s:.0f}" for o, s in zip(off, sigma, strict=True))
    return (
        f"the IMU's place stays as calibrated: {told} mm is no answer; turn faster and about all "
        "axes, or measure it with a ruler"
    )


def _turn_doubt(off: Floats, sigma: Floats) -> str:
    degrees, sure = np.rad2deg(np.linalg.norm(off)), np.rad2deg(sigma.max())
    return f"the IMU's turn stays as calibrated: {degrees:.1f} +- {sure:.1f} degrees is no answer"


class Refinement:
    """One map, adjusted again and again while its calibration moves."""

    def __init__(self, scene_map: SceneMap, config: SlamConfig, *, camera: Camera) -> None:
        self._map, self._config, self._camera = scene_map, config, camera
        self._given = self._imu = scene_map.imu
        self._states = scene_map.inertial
        self._sigma_px = STAYING_ERROR * config.pixel_sigma
        self._off = np.zeros(7)
        hidden = HIDDEN_FOCAL_ALONE if self._states is None else HIDDEN_FOCAL
        self._parts = {
            "focal": _Part(FOCAL, 0.05, 0.01, hidden, _focal_doubt),
            "place": _Part(PLACE, 0.03, 0.015, 0.0, _place_doubt),
            "turn": _Part(TURN, 0.02, 0.01, MOUNTING_SIGMA_RAD, _turn_doubt),
        }

    def run(self, asked: list[str]) -> Calibrated:
        """Steps until they no longer matter; parts that are not used go back to what they were, and
        the others are found again beside them."""
        names = [name for name in ("focal",) if name in asked]
        found: dict[str, Told | None] = {}
        doubts: dict[str, str] = {}
        if "extrinsics" in asked and self._states is not None:
            names += ["place", "turn"]
        elif "extrinsics" in asked:
            why = self._map.rejected or "there is none"
            doubts["place"] = f"the IMU's pose stays as calibrated: no metres by the IMU ({why})"
        while names:
            sigmas = self.settle(names)
            for name in names:
                rows = self._parts[name].rows
                found[name], doubt = self._parts[name].judged(self._off[rows], sigmas[rows])
                if doubt is not None:
                    doubts[name] = doubt
            left = [name for name in names if (told := found[name]) is not None and told.used]
            if left == names:
                break
            self._give_back([name for name in names if name not in left])
            names = left
        parts = (found.get(name) for name in ("focal", "place", "turn"))
        return Calibrated(*parts, doubts=list(doubts.values()))

    def settle(self, names: list[str]) -> Floats:
        """Refine these parts; returns sigmas ``(7,)``, infinite for what is held."""
        free = np.zeros(7, bool)
        for name in names:
            free[self._parts[name].rows] = True
        sigmas = np.full(7, np.inf)
        for _ in range(ROUNDS):
            step, sigmas = self._step(free)
            self._move(step)
            if np.all(np.abs(step[free]) < 0.2 * sigmas[free]):
                break
        return sigmas

    def _give_back(self, names: list[str]) -> None:
        step = np.zeros(7)
        for name in names:
            rows = self._parts[name].rows
            step[rows] = -self._off[rows]
        self._move(step)

    def _move(self, step: Floats) -> None:
        scene, before = self._map.scene, self._factor
        self._off = self._off + step
        if step[FOCAL].any():
            scene.views = refocused(scene.views, self._camera, self._factor, before=before)
            scene.used[:] = True  # what did not fit the lens before may now
        if self._given is not None:
            self._imu = moved_camera(self._given, self._off[PLACE], self._off[TURN])

    @property
    def log_focal(self) -> float:
        """Logarithm of the factor on the focal length."""
        return float(self._off[0])

    @property
    def _factor(self) -> float:
        return float(np.exp(self.log_focal))

    def _step(self, free: Bools) -> tuple[Floats, Floats]:
        """Gauss-Newton step and sigmas ``(7,)`` after adjusting all the rest."""
        scene, posed, config = self._map.scene, self._map.posed, self._config
        scene.drop_outliers(2 * config.outlier_px)
        growth.replace_points(scene, config, posed)
        rows = scene.thinned(scene.observations(), MOST_LOOKS)  # those that are adjusted
        if self._imu is not None and self._states is not None:
            self._states, graph, values = visual_inertial.refine(
                scene, self._imu, posed, inertial=self._states, config=config, staying=True
            )
        else:
            adjusted = adjust(scene, posed, sigma_px=self._sigma_px, rounds=15)
            if adjusted is None:  # nothing fits any more: nothing is known
                return np.zeros(7), np.full(7, np.inf)
            graph, values = adjusted
        ranges = int(np.isfinite(scene.ranges(rows)).sum()) if scene.ranged else 0
        problem = Marginal.of(
            graph, values, self._by_focal(scene, rows), through_camera=2 * len(rows) + ranges
        )
        priors = np.repeat([part.prior for part in self._parts.values()], [1, 3, 3])
        return problem.solve(free, so_far=self._off, sigmas=priors)

    def _by_focal(self, scene: Scene, rows: Ints) -> Floats:
        """``(2n,)`` slope of every whitened corner's ray in the focal length's logarithm."""
        views, little = scene.views.subset(rows), 1e-3
        longer, shorter = (
            refocused(views, self._camera, self._factor * np.exp(e), before=self._factor).rays
            for e in (little, -little)
        )
        moved = (longer - shorter) / (2 * little)
        return slope_of_errors(scene, rows, moved, sigma_px=self._sigma_px)
