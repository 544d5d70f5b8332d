"""The mesh of a session: its depth pictures placed by the trajectory that the stage has written."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from core.errors import BadInputError
from core.geometry.arrays import Floats, Ints
from core.geometry.se3 import SE3, interpolate
from core.session.calibration import Calibration
from core.session.depth import depth_pictures, depth_streams
from core.session.storage import SessionFolder
from core.session.tables import Trajectory
from slam.output.mesh import Mesh, fuse

MAX_GAP_NS = 100_000_000  # a depth picture between poses further apart than this has no place
STEP_M, STEP_RAD = 0.03, 0.05  # a picture from nearly the same place as the last adds nothing


def mesh_of(folder: SessionFolder, *, voxel_m: float, max_m: float) -> Mesh:
    """The surface seen by the first depth stream, in the world of the longest map.

    Raises BadInputError for a session without depth, without trajectory or without metres.
    """
    names = depth_streams(folder)
    if not names:
        raise BadInputError(f"{folder.url}: no depth stream; a mesh needs one (docs/rig-folder.md)")
    if not folder.exists(Trajectory.path):
        raise BadInputError(f"{folder.url}: no trajectory; first: handoff run {folder.url}")
    calibration = Calibration.read(folder)
    known = calibration.stream(names[0])
    head_from_depth = known.head_from_camera or SE3.identity()
    times_ns, world_from_head = _longest_map(folder)
    placed = _placed(
        folder, names[0], times_ns=times_ns, world_from_depth=world_from_head @ head_from_depth
    )
    return fuse(placed, known.camera, voxel_m=voxel_m, max_m=max_m)


def _longest_map(folder: SessionFolder) -> tuple[Ints, SE3]:
    path = Trajectory.read(folder)
    metric = path.tracked & np.isfinite(path.sigma_m).all(axis=1)
    if not metric.any():
        raise BadInputError(
            f"{folder.place(Trajectory.path)}: no tracked frame with lengths in metres; "
            "run the slam stage with use_depth=true"
        )
    rows = metric & (path.map_id == np.bincount(path.map_id[metric]).argmax())
    return path.timestamp_ns[rows], SE3.from_pose7(path.world_from_head[rows])


def _placed(
    folder: SessionFolder, stream: str, *, times_ns: Ints, world_from_depth: SE3
) -> Iterator[tuple[Any, SE3]]:
    """Depth pictures with a pose, those left out that hardly moved."""
    last: SE3 | None = None
    for picture in depth_pictures(folder, stream):
        poses, found = interpolate(
            times_ns, world_from_depth, np.array([picture.timestamp_ns]), max_gap_ns=MAX_GAP_NS
        )
        if not found[0]:
            continue
        pose = poses[0]
        if last is None or _moved(last, pose):
            last = pose
            yield picture.depth_m, pose


def _moved(last: SE3, pose: SE3) -> bool:
    step: Floats = pose.translation - last.translation
    cosine = (np.trace(last.rotation.T @ pose.rotation) - 1) / 2
    return bool(np.linalg.norm(step) > STEP_M or cosine < np.cos(STEP_RAD))
