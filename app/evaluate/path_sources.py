"""Where trajectories to be measured come from: a session, or a file of anybody's."""

from dataclasses import dataclass

import numpy as np

from app.evaluate.path_errors import TimedPoses
from core.errors import BadInputError
from core.geometry.clock import median_period_ns
from core.geometry.se3 import SE3
from core.session.documents import read_document
from core.session.layout import SESSION_JSON, SLAM_REPORT, TRAJECTORY
from core.session.marks import finished
from core.session.storage import SessionFolder
from core.session.tables import Trajectory
from slam.output.trajectory_files import read_trajectory_file

UNKNOWN = {"unknown", "none", ""}


@dataclass(frozen=True, eq=False)
class Estimate:
    """A trajectory to be measured.

    name: as on the command line.   level, metric: whether its world is levelled, and in metres;
    None where nobody says.
    """

    name: str
    poses: TimedPoses
    level: bool | None
    metric: bool | None

    @property
    def default_alignment(self) -> str:
        """The weakest alignment that is fair: what the estimate claims to know is not fitted."""
        if self.metric is False:
            return "sim3"
        return "yaw" if self.level and self.metric else "se3"


def truth_of(path: str, *, layout: str | None, truth_from_camera: SE3 | None) -> TimedPoses:
    """The truth of a file, moved into the camera where the file speaks of another body."""
    known = read_trajectory_file(path, layout=layout)
    poses = TimedPoses.of(known.timestamps_ns, known.world_from_body)
    return poses if truth_from_camera is None else poses.moved(truth_from_camera)


def estimate_of(address: str) -> Estimate:
    """The trajectory of a session, or of a TUM or EuRoC file."""
    folder = SessionFolder(address)
    if folder.exists(SESSION_JSON) or folder.exists(TRAJECTORY):
        return _of_session(address, folder)
    known = read_trajectory_file(address)
    poses = TimedPoses.of(known.timestamps_ns, known.world_from_body)
    return Estimate(address, poses, level=None, metric=None)


def _of_session(address: str, folder: SessionFolder) -> Estimate:
    if not finished(folder, TRAJECTORY):
        raise BadInputError(f"{address}: no trajectory yet; run: handoff run {address}")
    table = Trajectory.read(folder)
    level, metric = known_of_world(folder)
    rows = np.flatnonzero(table.tracked & table.world_from_head_valid)
    poses = TimedPoses(
        timestamps_ns=table.timestamp_ns[rows],
        world_from_body=SE3.from_pose7(table.world_from_head[rows]),
        map_id=table.map_id[rows],
        period_ns=median_period_ns(table.timestamp_ns),
        span_ns=(int(table.timestamp_ns[0]), int(table.timestamp_ns[-1])) if len(table) else None,
    )
    return Estimate(address, poses, level=level, metric=metric)


def known_of_world(folder: SessionFolder) -> tuple[bool, bool]:
    """Does the stage slam know which way is up, and how long a metre is?"""
    report = read_document(folder, SLAM_REPORT) if folder.exists(SLAM_REPORT) else {}
    up, metre = (str(report.get(key, "")) for key in ("gravity_source", "scale_source"))
    return up not in UNKNOWN, metre not in UNKNOWN
