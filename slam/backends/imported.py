"""A path that somebody else estimated: a device's own, Aria's MPS, motion capture.

The file stays as it is; its world is levelled and moved to our origin. It says nothing of how sure
it is, so sigmas are +inf, and there is no map of points.
"""

import numpy as np

from core.errors import BadInputError
from core.geometry.alignment import rotation_between
from core.geometry.arrays import Ints
from core.geometry.se3 import SE3, interpolate
from slam.config import SlamConfig
from slam.output.trajectory_files import TrajectoryFile, read_extrinsics, read_trajectory_file
from slam.path import CameraPath
from slam.recording import Recording
from slam.result import Estimate, choose_up, move_map, settle_maps

UP = [0.0, 0.0, 1.0]


class Imported:
    """Poses of a TUM, EuRoC or MPS file, read at the time of every tick."""

    name = "imported"

    def inputs(self, config: SlamConfig) -> list[str]:
        """The trajectory file. BadInputError where none is named."""
        if not config.imported_path:
            raise BadInputError(
                "slam: backend 'imported' needs imported_path, a trajectory file inside the "
                "session folder, such as raw/poses.txt"
            )
        return [config.imported_path]

    def estimate(self, recording: Recording) -> Estimate:
        """Raises BadInputError for a file that cannot be read or lies in another time."""
        config, folder = recording.config, recording.folder
        file = read_trajectory_file(str(folder.local_path(self.inputs(config)[0])))
        camera = _body_from_head(config) @ recording.head_from_camera
        path = camera_path(
            file, recording.ticks.timestamp_ns, config=config, body_from_camera=camera
        )
        if not path.tracked.any():
            raise BadInputError(_no_overlap(file, recording.ticks.timestamp_ns, config=config))
        result = Estimate(path, [], np.zeros(0, np.int64), unit="the file's")
        result.scale_source = "imported" if config.imported_metric else "unknown"
        _level(result, file, recording)
        settle_maps(result, recording.head_from_camera.inverse())
        return result


IMPORTED = Imported()


def camera_path(
    file: TrajectoryFile, ticks_ns: Ints, *, config: SlamConfig, body_from_camera: SE3
) -> CameraPath:
    """The file's poses at these times, in the file's worlds; a reason where it has none."""
    times_ns = ticks_ns - config.imported_offset_ns
    known_ns, worlds = file.timestamps_ns, _worlds(file)
    poses, found = interpolate(
        known_ns, file.world_from_body, times_ns, max_gap_ns=round(config.imported_max_gap_s * 1e9)
    )
    after = np.clip(np.searchsorted(known_ns, times_ns), 0, len(known_ns) - 1)
    before = np.where(known_ns[after] == times_ns, after, np.maximum(after - 1, 0))
    found &= worlds[before] == worlds[after]
    inside = (times_ns >= known_ns[0]) & (times_ns <= known_ns[-1])
    path = CameraPath(len(times_ns))
    world_from_camera = poses @ body_from_camera
    path.rotation[found] = world_from_camera.rotation[found]
    path.position[found] = world_from_camera.translation[found]
    path.tracked[:] = found
    path.map_id[found] = worlds[before][found]
    path.reason[:] = np.where(found, None, np.where(inside, "gap_in_file", "outside_file"))
    return path


def _worlds(file: TrajectoryFile) -> Ints:
    return np.zeros(len(file), np.int64) if file.world is None else file.world


def _level(result: Estimate, file: TrajectoryFile, recording: Recording) -> None:
    """Up from the file's gravity, else from whom the config names; or not known."""
    if file.gravity_in_world is not None:
        worlds = _worlds(file)
        for map_id in np.unique(worlds).tolist():
            up = -file.gravity_in_world[int(np.argmax(worlds == map_id))]
            move_map(result, map_id, SE3(rotation_between(up, UP), np.zeros(3)))
        result.gravity_source = "imported"
    elif recording.config.imported_up == "file":
        result.gravity_source = "imported"
    else:
        choose_up(result, recording.ticks.timestamp_ns, recording.imu)


def _body_from_head(config: SlamConfig) -> SE3:
    if not config.imported_body_from_head:
        return SE3.identity()
    if config.imported_body_from_head.count(",") != 6:
        raise BadInputError(
            f"slam: imported_body_from_head={config.imported_body_from_head!r}; "
            "give x,y,z,qw,qx,qy,qz"
        )
    return read_extrinsics(config.imported_body_from_head)


def _no_overlap(file: TrajectoryFile, ticks_ns: Ints, *, config: SlamConfig) -> str:
    first, last = (file.timestamps_ns[[0, -1]] + config.imported_offset_ns) * 1e-9
    return (
        f"{file.path}: no pose for any frame: it runs from {first:.3f} to {last:.3f} s, the frames "
        f"from {ticks_ns[0] * 1e-9:.3f} to {ticks_ns[-1] * 1e-9:.3f} s; set imported_offset_ns"
    )
