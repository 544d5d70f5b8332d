"""Machine-proposed boundaries against the truth, arm by arm.

Proposals are made afresh from the session's hands and trajectory as if nobody had labelled it, so
that the figure measures the proposer and not labels that were copied in.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annotate.agreement import Agreement, boundaries, boundary_agreement, segment_agreement
from annotate.config import AnnotateConfig
from annotate.proposals import palm_motions, propose
from annotate.stage import metric_trajectory
from app.evaluate.figures import Figure
from core.geometry.landmarks import SIDES
from core.session.storage import SessionFolder
from core.session.tables import EndEffectors, Segments, Ticks

TOLERANCES_S = (0.25, 0.5, 1.0)
IOU = 0.5


Spans = NDArray[np.int64]


def compare_labels(folder: SessionFolder, truth: Segments) -> list[Figure]:
    """How well fresh proposals meet the true segments, left and right pooled."""
    ticks = Ticks.read(folder)
    config = AnnotateConfig()
    trajectory = metric_trajectory(folder)
    motions = palm_motions(ticks, EndEffectors.read(folder), trajectory, config=config)
    proposals = propose(ticks, motions, config=config, labelled={"episode"})
    pairs = []
    for side in SIDES:
        spans = [(x.start_ns, x.end_ns) for x in proposals if x.track == side]
        pairs.append((np.array(spans, dtype=np.int64).reshape(-1, 2), _spans(truth, side)))
    return agreement_figures(pairs)


def agreement_figures(pairs: Sequence[tuple[Spans, Spans]]) -> list[Figure]:
    """Of (proposed, true) segments ``(N,2)`` per arm, pooled: boundary F1 at three tolerances and
    segment F1 at IoU 0.5.
    """
    note = f"{sum(len(t) for _, t in pairs)} true segments of both arms"
    figures = []
    for tolerance_s in TOLERANCES_S:
        ns = int(tolerance_s * 1e9)
        edges = [(boundaries(a), boundaries(b)) for a, b in pairs]
        found = _pooled([boundary_agreement(a, b, tolerance_ns=ns) for a, b in edges])
        name = f"proposed boundary F1 at {tolerance_s:g} s"
        figures.append(Figure("annotate", name, found.f1, "", note))
    found = _pooled([segment_agreement(a, b, iou=IOU) for a, b in pairs])
    return [*figures, Figure("annotate", f"proposed segment F1 at IoU {IOU:g}", found.f1, "", note)]


def _spans(segments: Segments, side: str) -> NDArray[np.int64]:
    rows = (segments.track == side) | (segments.track == "both")
    return np.stack([segments.start_ns[rows], segments.end_ns[rows]], -1)


def _pooled(parts: list[Agreement]) -> Agreement:
    return Agreement(
        matched=sum(p.matched for p in parts),
        predicted=sum(p.predicted for p in parts),
        reference=sum(p.reference for p in parts),
    )
