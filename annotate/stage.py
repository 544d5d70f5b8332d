"""The stage ANNOTATE: people's labels, and machine proposals where nobody labelled."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from annotate.config import AnnotateConfig
from annotate.label_store import label_paths, read_labels
from annotate.labels import Label, check_labels
from annotate.proposals import Proposal, palm_motions, propose, recording_span_ns
from core.errors import BadInputError
from core.session.documents import read_document
from core.session.layout import SESSION_JSON, SLAM_REPORT
from core.session.marks import finished
from core.session.stage import Progress, StageOutcome
from core.session.storage import SessionFolder
from core.session.tables import EndEffectors, Segments, Ticks, Trajectory

UNLABELLED = ""  # a proposal says when, never what
MACHINE = "palm-motion"


class Annotate:
    """Reads labels and ticks, hands and trajectory where they are; writes
    annotate/segments.parquet.
    """

    name = "annotate"
    room = "annotate"
    version = 1
    needs: tuple[str, ...] = ("capture",)
    uses = ("slam", "hands")  # to propose times; people label what they see in the video
    config_type: type[Any] = AnnotateConfig

    def inputs(self, folder: SessionFolder, config: Any) -> list[str]:
        """People's labels decide, beside the outputs of the stages before."""
        return [SESSION_JSON, *label_paths(folder)]

    def run(self, folder: SessionFolder, config: Any, progress: Progress) -> StageOutcome:
        assert isinstance(config, AnnotateConfig)
        ticks = Ticks.read(folder)
        if not len(ticks):
            raise BadInputError(f"{folder.url}: the head stream has no frames; record it again")
        start_ns, end_ns = recording_span_ns(ticks)
        edge_ns = int(config.edge_s * 1e9)
        found = read_labels(folder)
        labels = check_labels(found, start_ns=start_ns, end_ns=end_ns, edge_ns=edge_ns)
        warnings: list[str] = []
        proposals: list[Proposal] = []
        if config.propose and not finished(folder, EndEffectors.path):
            warnings.append("no hands: no boundaries are proposed; label from the video")
        elif config.propose:
            progress.note("proposing boundaries")
            trajectory = metric_trajectory(folder) if finished(folder, Trajectory.path) else None
            if trajectory is None:
                warnings.append(
                    "no trajectory in metres: boundaries are proposed from palm motion in the head "
                    "frame, where a turning head looks like a moving hand"
                )
            hands = EndEffectors.read(folder)
            motions = palm_motions(ticks, hands, trajectory, config=config)
            tracks = {label.track for label in labels}
            proposals = propose(ticks, motions, config=config, labelled=tracks)
        segments = segments_from(labels, proposals)
        return StageOutcome(
            outputs=[segments.write(folder)], counts=_counts(segments), warnings=warnings
        )


def metric_trajectory(folder: SessionFolder) -> Trajectory | None:
    """The trajectory, where most of it is tracked and in metres; else None."""
    report = read_document(folder, SLAM_REPORT) if folder.exists(SLAM_REPORT) else {}
    if str(report.get("scale_source", "unknown")) in {"unknown", "none"}:
        return None
    trajectory = Trajectory.read(folder)
    return trajectory if len(trajectory) and trajectory.tracked.mean() > 0.5 else None


def segments_from(labels: Sequence[Label], proposals: Sequence[Proposal]) -> Segments:
    """The table of people's labels (accepted) and machine proposals (proposed, no text)."""
    rows = [_row_of_label(x, number) for number, x in enumerate(labels)]
    rows += [_row_of_proposal(x, number) for number, x in enumerate(proposals)]
    if not rows:
        return Segments.empty()
    rows.sort(key=lambda row: (str(row["track"]), int(row["start_ns"])))
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    confidence = np.array(
        [np.nan if c is None else c for c in columns.pop("confidence")], dtype=np.float32
    )
    return Segments(
        start_ns=np.array(columns.pop("start_ns"), dtype=np.int64),
        end_ns=np.array(columns.pop("end_ns"), dtype=np.int64),
        confidence=confidence,
        confidence_valid=np.isfinite(confidence),
        revision=np.zeros(len(rows), dtype=np.int32),
        **columns,
    )


def _row_of_label(label: Label, number: int) -> dict[str, Any]:
    return {
        "id": f"{label.track}-h{number:04d}",
        "track": label.track,
        "start_ns": label.start_ns,
        "end_ns": label.end_ns,
        "text": label.text,
        "verb": label.verb,
        "object": label.object,
        "author": label.author or "rig",
        "author_kind": "human",
        "state": "accepted",
        "confidence": None,
        "task": label.task or None,
        "success": label.success,
    }


def _row_of_proposal(proposal: Proposal, number: int) -> dict[str, Any]:
    return {
        "id": f"{proposal.track}-m{number:04d}",
        "track": proposal.track,
        "start_ns": proposal.start_ns,
        "end_ns": proposal.end_ns,
        "text": UNLABELLED,
        "verb": "",
        "object": "",
        "author": MACHINE,
        "author_kind": "machine",
        "state": "proposed",
        "confidence": proposal.confidence,
        "task": None,
        "success": None,
    }


def _counts(segments: Segments) -> dict[str, int]:
    kinds = zip(segments.author_kind, segments.track, strict=True)
    return {f"{kind}_{track}": n for (kind, track), n in sorted(Counter(kinds).items())}


ANNOTATE = Annotate()
