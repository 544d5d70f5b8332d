"""Wrist cameras in the world against the truth, where the trajectory says where they were."""

from collections.abc import Collection

import numpy as np

from app.evaluate.figures import Figure, median, rmse, share
from app.evaluate.trajectory import TrajectoryComparison
from app.matching import match_times
from core.geometry.landmarks import SIDES
from core.geometry.metrics import point_errors, rotation_error_deg
from core.geometry.se3 import SE3
from core.session.tables import Trajectory


def wrist_camera_figures(
    head: TrajectoryComparison, estimate: Trajectory, truth: Trajectory, *, streams: Collection[str]
) -> list[Figure]:
    """Per wrist camera among ``streams``: how often it was located, and how well.

    Each pose is moved by the alignment of the head's path in its map: nothing is fitted anew.
    """
    figures = []
    for side in SIDES:
        name = f"world_from_{side}_wrist_camera"
        known = np.flatnonzero(getattr(truth, f"{name}_valid"))
        if f"{side}_wrist" not in streams or not len(known):
            continue
        rows, truth_rows = match_times(estimate.timestamp_ns, truth.timestamp_ns[known])
        placed = np.isin(estimate.map_id[rows], list(head.alignments))
        placed &= getattr(estimate, f"{name}_valid")[rows]
        rows, exact = rows[placed], SE3.from_pose7(getattr(truth, name)[known[truth_rows[placed]]])
        found = _aligned(head, SE3.from_pose7(getattr(estimate, name)[rows]), estimate.map_id[rows])
        metres = point_errors(found.translation, exact.translation)
        degrees = rotation_error_deg(found.rotation, exact.rotation)
        what, over = f"{side} wrist camera", f"{len(rows)} frames, aligned as the head"
        figures += [
            Figure("slam", f"{what}: located", share(len(rows), len(known)), "share",
                   "of the frames in the truth"),
            Figure("slam", f"{what}: position", 1e3 * rmse(metres), "mm", f"RMSE, {over}"),
            Figure("slam", f"{what}: rotation", median(degrees), "deg", "median"),
        ]  # fmt: skip
    return figures


def _aligned(head: TrajectoryComparison, poses: SE3, map_id: np.ndarray) -> SE3:
    if not len(map_id):
        return poses
    return SE3.stack([head.alignments[int(m)] for m in map_id]) @ poses
