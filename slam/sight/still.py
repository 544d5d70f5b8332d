"""Maps of a camera that does not travel: it stands still or only turns, so no point has a depth.

Directions of the scene take the place of points. Rotation is measured; the position is measured to
be one and the same within the parallax that is left, in units of the scene's unknown depth.
"""

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.se3 import SE3
from slam.config import SlamConfig
from slam.path import CameraPath
from slam.sight.rays import fit_rotation
from slam.sight.tracks import Observed

MIN_SHARE = 0.6  # of the corners that must agree with a rotation
WORN = 0.7  # new directions are added once fewer than this share of a frame's corners is known


def follow_turns(
    tracks: Observed, frames: Ints, path: CameraPath, *, map_id: int, config: SlamConfig
) -> int:
    """Pose these consecutive frames by rotation alone, until they no longer fit; returns how many.

    The first frame is the world. Position is 0 throughout.
    """
    known = np.zeros(tracks.n_tracks, bool)
    directions = np.zeros((tracks.n_tracks, 3))
    drift_rad2 = 0.0
    for count, frame in enumerate(frames):
        here = tracks.of_frames([frame])
        track, rays, rad_per_px = here.track, here.rays, here.rad_per_px
        if len(track) < config.min_landmarks:
            return count
        seen = known[track]
        camera_from_world = np.eye(3)
        off_px = np.zeros(len(track))
        if count:
            if seen.sum() < config.min_landmarks:
                return count
            camera_from_world, off_px[seen] = _turn(
                directions[track[seen]], rays[seen], rad_per_px[seen]
            )
            if np.mean(off_px[seen] < config.outlier_px) < MIN_SHARE:
                return count
        noise_rad2 = float(np.median(rad_per_px) * config.pixel_sigma) ** 2
        left_rad = float(np.median(off_px[seen] * rad_per_px[seen])) if count else 0.0
        path.put(
            int(frame),
            SE3(camera_from_world.T, np.zeros(3)),
            map_id=map_id,
            sigma=(
                np.full(3, np.sqrt(noise_rad2) + left_rad),
                np.full(3, np.sqrt(drift_rad2 + noise_rad2 / max(seen.sum(), 1))),
            ),
            error_px=float(np.median(off_px[seen])) if count else 0.0,
        )
        if not count or np.mean(seen) < WORN:
            new = ~seen
            directions[track[new]] = rays[new] @ camera_from_world
            known[track[new]] = True
            drift_rad2 += noise_rad2 / max(int(seen.sum()), 1)
    return len(frames)


def _turn(directions: Floats, rays: Floats, rad_per_px: Floats) -> tuple[Floats, Floats]:
    """camera_from_world rotation and the error of every ray in pixels."""
    turn = fit_rotation(directions, rays, rounds=4)
    return turn, np.linalg.norm(rays - directions @ turn.T, axis=1) / rad_per_px
