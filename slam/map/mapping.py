"""One finished map: its keyframes and points, and what is known about scale and up."""

from dataclasses import dataclass, field

import numpy as np

from core.geometry.arrays import Floats, Ints
from slam.imu.imu_clock import ImuClock
from slam.imu.inertial import ImuData
from slam.map.loops import Drift
from slam.map.scene import Scene
from slam.map.visual_inertial import Inertial


@dataclass(eq=False)
class SceneMap:
    """A connected map in its own world.

    frames ``(K,)``: video frame of every keyframe of the scene.   posed ``(k,)``: its rows with a
    pose.   covariance ``(k,6,6)``: of posed keyframes, (rotation, translation) along world axes;
    0 while the map is being built.
    scale_sigma: relative, None where scale is unknown.   levelled: z points up.
    scale_source: who told the metres: "imu", "depth", "stereo", "marker"; None where nobody did.
    inertial, imu: states and data where the map is visual-inertial.
    """

    map_id: int
    scene: Scene
    frames: Ints
    posed: Ints
    covariance: Floats
    scale_sigma: float | None = None
    scale_source: str | None = None
    levelled: bool = False
    inertial: Inertial | None = None
    imu: ImuData | None = None
    clock: ImuClock | None = None  # the IMU's against the camera's
    doubt: str | None = None  # about the IMU's unit or axes, with the cure
    rejected: str | None = None  # why an IMU that was there gave no scale
    drifts: list[Drift] = field(default_factory=list)  # one per place met again
    regained: int = 0  # stretches without a map of their own that found back into this one
    joins: int = 0  # maps that became this one, less one

    @property
    def loops(self) -> int:
        """Places met again and joined."""
        return len(self.drifts)

    @property
    def metric(self) -> bool:
        """Whether lengths are metres."""
        return self.scale_sigma is not None

    @property
    def typical_depth(self) -> float:
        """Median distance of the first keyframe's points, in the map's unit."""
        view, _ = self.scene.view_of(int(self.posed[0]))
        away = np.linalg.norm(view.points - self.scene.position[self.posed[0]], axis=1)
        return float(np.median(away)) if len(away) else 1.0
