"""What the errors mean for training: relative chunks made of estimated and of true palms."""

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, median, p95
from app.evaluate.palms import PalmComparison, heads_at
from app.evaluate.time_pairs import pairs_after
from core.geometry.landmarks import SIDES
from core.geometry.metrics import point_errors, rotation_error_deg
from core.geometry.se3 import SE3
from core.session.tables import Trajectory

Floats = NDArray[np.float64]

SPANS_S = (0.5, 1.0)


def chunk_figures(
    palms: PalmComparison, trajectory: Trajectory | None, truth: Trajectory
) -> list[Figure]:
    """Errors of the last step of chunks, both arms, and how far the palm truly moves in them.

    A chunk is what a policy learns from: inv(world_from_palm_0) @ world_from_palm_i, the reference
    ``chunk_head``. Estimated palms are placed by the estimated head; no chunk crosses maps.
    trajectory: None where lengths are not metres; then nothing can be said.
    """
    figures = []
    for span_s in SPANS_S:
        off_mm, off_deg, moved_mm = _errors(palms, trajectory, truth, span_s=span_s)
        name, over = f"after {span_s:g} s", f"{len(off_mm)} chunks of both arms"
        figures += [
            Figure("chunks", f"position {name}", median(off_mm), "mm", f"median, {over}"),
            Figure("chunks", f"position {name}, p95", p95(off_mm), "mm"),
            Figure("chunks", f"rotation {name}", median(off_deg), "deg", "median"),
            Figure("chunks", f"rotation {name}, p95", p95(off_deg), "deg"),
            Figure("chunks", f"true motion {name}", median(moved_mm), "mm", "median, for scale"),
        ]
    return figures


def _errors(
    palms: PalmComparison, trajectory: Trajectory | None, truth: Trajectory, *, span_s: float
) -> tuple[Floats, Floats, Floats]:
    """(position errors in mm, rotation errors in degrees, lengths of the true motion in mm)."""
    parts = [np.zeros((3, 0))]
    for side in SIDES if trajectory is not None else ():
        assert trajectory is not None
        rows = np.flatnonzero(palms.side == side)
        head, maps = heads_at(trajectory, palms.tick[rows])
        exact_head, _ = heads_at(truth, palms.truth_tick[rows])
        known = head.finite & exact_head.finite
        rows, maps = rows[known], maps[known]
        first, second = pairs_after(palms.seconds[rows], span_s, group=maps)
        found = _motion(head[known] @ palms.estimate[rows], first, second)
        exact = _motion(exact_head[known] @ palms.truth[rows], first, second)
        parts.append(
            np.stack([
                1e3 * point_errors(found.translation, exact.translation),
                rotation_error_deg(found.rotation, exact.rotation),
                1e3 * np.linalg.norm(exact.translation, axis=-1),
            ])
        )
    off_mm, off_deg, moved_mm = np.concatenate(parts, axis=1)
    return off_mm, off_deg, moved_mm


def _motion(world_from_palm: SE3, first: NDArray[np.intp], second: NDArray[np.intp]) -> SE3:
    return world_from_palm[first].inverse() @ world_from_palm[second]
