"""How long a camera takes to read a picture out, from its pictures alone.

Where the camera turns, the rows of a rolling shutter do not fit one pose: corners are off along
their own motion, the more the farther from the middle row. The readout is one more parameter of a
stretch of the map, adjusted with all the rest of it (`marginal.left_over`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from slam.config import SlamConfig
from slam.map.bundle import MOST_LOOKS, POINT, WIDTHS, adjust, slope_of_errors
from slam.map.elimination import Points, linearised
from slam.map.mapping import SceneMap
from slam.map.marginal import left_over
from slam.map.scene import Scene
from slam.sight.rolling import Shutter, by_motion, motion
from slam.sight.tracks import Observed

STRETCH = 50  # keyframes that are looked at
ROUNDS = 5
HIDDEN_S = 1e-3  # what its own sigma leaves out: motion told by neighbouring pictures, other lenses
CLEARLY = 3.0  # sigmas below which a shutter is taken to be global
LONGEST_S = 0.1  # more is no shutter


@dataclass(frozen=True)
class Readout:
    """Seconds from the first row to the last, negative from the last to the first, with sigma."""

    seconds: float
    sigma_s: float

    @property
    def used(self) -> bool:
        """Whether the path is made with it: clearly not 0, no longer than a shutter may take."""
        return CLEARLY * self.sigma_s < abs(self.seconds) < LONGEST_S


def rolling_taken_out(
    tracks: Observed, maps: Sequence[SceneMap], config: SlamConfig, *, shutter: Shutter
) -> tuple[Observed, Readout | None]:
    """Tracks, those of the maps too, as a global shutter would have seen them, where the largest
    map shows that theirs rolls. shutter: its rows; its readout is what is looked for."""
    if not maps:
        return tracks, None
    largest = max(maps, key=lambda m: len(m.posed))
    found = _Stretch(tracks, largest, config, shutter=shutter).readout()
    if found is None or not found.used:
        return tracks, found
    unrolled = by_motion(tracks, replace(shutter, readout_s=found.seconds))
    for scene_map in maps:
        scene_map.scene.views = unrolled(scene_map.scene.views)
        scene_map.scene.used[:] = True  # what did not fit before may now
        adjust(scene_map.scene, scene_map.posed, sigma_px=config.pixel_sigma)
    return tracks.changed(unrolled), found


class _Stretch:
    """Keyframes of a map that follow each other in the least time: where most moves."""

    def __init__(
        self, tracks: Observed, scene_map: SceneMap, config: SlamConfig, *, shutter: Shutter
    ) -> None:
        whole, posed = scene_map.scene, scene_map.posed
        times_ns = whole.views.timestamps_ns[posed]
        n = min(STRETCH, len(posed))
        first = int(np.argmin(times_ns[n - 1 :] - times_ns[: len(posed) - n + 1]))
        chosen = posed[first : first + n]
        self._scene = Scene(
            tracks.of_frames(scene_map.frames[chosen]), whole.n_tracks, whole.ranged
        )
        for row, frame in enumerate(chosen.tolist()):
            self._scene.set_pose(row, whole.world_from_camera[frame])
        self._scene.points[:], self._scene.known[:] = whole.points, whole.known
        self._scene.drop_outliers(2 * config.outlier_px)
        self._rolled, self._config = self._scene.views, config
        part = shutter.parts(self._rolled.uv_px) * self._rolled.own
        self._moved = -part[:, None] * motion(self._rolled, tracks)  # of rays, per second

    def readout(self) -> Readout | None:
        """Gauss-Newton, until a step matters no more; None where no corner's motion is known, as at
        a few pictures a second."""
        seconds, sigma_s = 0.0, 0.0
        for _ in range(ROUNDS):
            step_s, sigma_s = self._step(seconds)
            if not np.isfinite(sigma_s):
                return None
            seconds += step_s
            if abs(seconds) < CLEARLY * sigma_s or abs(step_s) < sigma_s / 2:
                break
        return Readout(seconds, float(np.hypot(sigma_s, HIDDEN_S)))

    def _step(self, seconds: float) -> tuple[float, float]:
        scene, sigma_px = self._scene, self._config.pixel_sigma
        scene.views = replace(self._rolled, rays=self._rolled.rays + seconds * self._moved)
        adjusted = adjust(scene, np.flatnonzero(scene.posed), sigma_px=sigma_px)
        if adjusted is None:  # nothing of the stretch fits the map
            return 0.0, np.inf
        linear = linearised(*adjusted, widths=WIDTHS)
        rows = scene.thinned(scene.observations(), MOST_LOOKS)
        slope = slope_of_errors(scene, rows, self._moved[rows], sigma_px=sigma_px)
        points = Points.of(linear.jacobian, linear.columns(POINT))
        right = np.zeros((len(linear.residual), 2))
        right[: len(slope), 0], right[:, 1] = slope, linear.residual
        right *= points.weight[:, None]
        information, gradient = right[:, 0] @ left_over(points, right)
        if information <= 0:
            return 0.0, np.inf
        return float(-gradient / information), float(information**-0.5)
