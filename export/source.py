"""What an export reads of one session: finished tables only, and the facts for the card."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import BadInputError
from core.session.calibration import Calibration
from core.session.documents import read_document
from core.session.info import SessionInfo
from core.session.layout import (
    CALIBRATION,
    END_EFFECTORS,
    FRAMES,
    HANDS,
    HANDS_REPORT,
    REDACTIONS,
    SEGMENTS,
    SLAM_REPORT,
    TICKS,
    TRAJECTORY,
)
from core.session.marks import read_mark, require_output
from core.session.storage import SessionFolder
from core.session.tables import EndEffectors, Frames, Hands, Segments, Ticks, Trajectory
from export.pictures import picture_size

STAGES = (("capture", "capture"), ("slam", "slam"), ("hands", "hands"), ("annotate", "annotate"))
TABLES = (FRAMES, TICKS, TRAJECTORY, HANDS, END_EFFECTORS, SEGMENTS)
UNKNOWN_SOURCES = {"", "none", "unknown"}


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionSource:
    """A session ready to be cut. cameras: those of the dataset's that it recorded."""

    folder: SessionFolder
    info: SessionInfo
    ticks: Ticks
    frames: Frames
    trajectory: Trajectory
    hands: Hands
    end_effectors: EndEffectors
    segments: Segments
    calibration: Calibration
    scale_source: str
    gravity_source: str
    hand_scale_source: str
    redacted: bool
    fingerprint: str

    @property
    def metric_scale(self) -> bool:
        """Whether the head's path is in metres."""
        return self.scale_source not in UNKNOWN_SOURCES

    @property
    def gravity(self) -> bool:
        """Whether the world's z is known to point up."""
        return self.gravity_source not in UNKNOWN_SOURCES

    def has_camera(self, camera: str) -> bool:
        """Whether any good picture of this stream exists."""
        names = np.array([name == camera for name in self.frames.stream], dtype=bool)
        return bool((names & (self.frames.frame_index >= 0)).any())

    def picture_size(self, camera: str) -> tuple[int, int]:
        """Width and height of a stream's upright pictures, from the calibration where it has
        one.
        """
        known = self.calibration.streams.get(camera)
        if known is None:
            return picture_size(self.folder, camera)
        return int(known.camera.size_wh[0]), int(known.camera.size_wh[1])

    def facts(self) -> dict[str, Any]:
        """The session's line in `meta/handoff.json`."""
        return {
            "id": self.info.id,
            "operator": self.info.operator.name,
            "task": self.info.task,
            "scene": self.info.scene,
            "device": self.info.device,
            "consent": self.info.consent,
            "scale_source": self.scale_source,
            "gravity_source": self.gravity_source,
            "hand_scale_source": self.hand_scale_source,
            "metric_scale": self.metric_scale,
            "gravity": self.gravity,
            "redacted": self.redacted,
        }


def require_stages(folder: SessionFolder) -> str:
    """Refuse a session with an unfinished stage; returns what its finished outputs hash to."""
    hashes: list[str] = []
    for room, stage in STAGES:
        mark = read_mark(folder, room, stage)
        if mark is None:
            raise BadInputError(
                f"session {folder.name}: stage {stage} is not done; run: handoff run {folder.url}"
            )
        hashes += [f"{path}={digest}" for path, digest in sorted(mark.outputs.items())]
    return "\n".join(hashes)


def read_source(folder: SessionFolder) -> SessionSource:
    """Load a session; BadInputError names session, stage and command where one is missing."""
    info = SessionInfo.read(folder)
    fingerprint = require_stages(folder)
    for path in TABLES:
        require_output(folder, path)
    slam = read_document(folder, SLAM_REPORT) if folder.exists(SLAM_REPORT) else {}
    hands = read_document(folder, HANDS_REPORT) if folder.exists(HANDS_REPORT) else {}
    return SessionSource(
        folder=folder,
        info=info,
        ticks=Ticks.read(folder),
        frames=Frames.read(folder),
        trajectory=Trajectory.read(folder),
        hands=Hands.read(folder),
        end_effectors=EndEffectors.read(folder),
        segments=Segments.read(folder),
        calibration=Calibration.refined(folder),
        scale_source=str(slam.get("scale_source", "unknown")),
        gravity_source=str(slam.get("gravity_source", "unknown")),
        hand_scale_source=str(hands.get("scale_source", "unknown")),
        redacted=folder.exists(REDACTIONS),
        fingerprint=f"{info.id}\n{_boxes_hash(folder)}\n{fingerprint}",
    )


def _boxes_hash(folder: SessionFolder) -> str:
    """What decides a picture besides the video itself: calibration and redacted boxes."""
    paths = [path for path in (CALIBRATION, REDACTIONS) if folder.exists(path)]
    return " ".join(folder.sha256(path) for path in paths)
