"""Everything of one session that can be shown, in one place. T: number of ticks.

Only tables that a finished stage stands for are read; the rest is None and left out of pictures.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from annotate.stage import metric_trajectory
from app.matching import match_times
from core.errors import BadInputError
from core.geometry.landmarks import SIDES
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.documents import read_document
from core.session.info import SessionInfo
from core.session.layout import CALIBRATION, SLAM_REPORT, TRUTH, under
from core.session.marks import finished
from core.session.storage import SessionFolder
from core.session.table import Table
from core.session.tables import (
    EndEffectors,
    Hands,
    MapPoints,
    Segments,
    Ticks,
    Trajectory,
)

NS = 1e9
Floats = NDArray[np.float64]
T = TypeVar("T", bound=Table)


def table_of(folder: SessionFolder, kind: type[T], *, root: str = "") -> T | None:
    """A table that a finished stage made, or that lies in truth/; else None."""
    there = folder.exists(under(root, kind.path)) if root else finished(folder, kind.path)
    return kind.read(folder, root) if there else None


@dataclass(frozen=True, eq=False)
class Scene:
    """The tables of a session; None for what has not been made."""

    folder: SessionFolder
    info: SessionInfo
    ticks: Ticks
    calibration: Calibration
    trajectory: Trajectory | None
    points: MapPoints | None
    hands: Hands | None
    palms: EndEffectors | None
    segments: Segments | None

    @staticmethod
    def read(folder: SessionFolder) -> "Scene":
        """Read what is finished. Raises BadInputError before the first stage has run."""
        info = SessionInfo.read(folder)
        ticks = table_of(folder, Ticks)
        if ticks is None or not len(ticks) or not finished(folder, CALIBRATION):
            raise BadInputError(
                f"{folder.url}: nothing to show before capture; run: handoff run {folder.url}"
            )
        return Scene(
            folder=folder,
            info=info,
            ticks=ticks,
            calibration=Calibration.refined(folder),
            trajectory=table_of(folder, Trajectory),
            points=table_of(folder, MapPoints),
            hands=table_of(folder, Hands),
            palms=table_of(folder, EndEffectors),
            segments=table_of(folder, Segments),
        )

    @cached_property
    def seconds(self) -> Floats:
        """``(T,)`` from the clock origin."""
        return self.seconds_of(self.ticks.timestamp_ns)

    def seconds_of(self, timestamps_ns: NDArray[np.int64]) -> Floats:
        """Times of the session clock as seconds from its origin."""
        return np.asarray((timestamps_ns - self.info.clock_origin) / NS, dtype=np.float64)

    @cached_property
    def world_from_head(self) -> tuple[SE3, NDArray[np.bool_]]:
        """Per tick ``(T,)``: the pose (NaN where unknown) and whether it is known and tracked."""
        return poses_at(self.ticks, self.trajectory)

    @cached_property
    def map_id(self) -> NDArray[np.int32]:
        """Per tick ``(T,)`` the map that its pose is in, -1 for none: no two share a world."""
        known, numbers = self.world_from_head[1], np.full(len(self.ticks), -1, dtype=np.int32)
        if self.trajectory is not None:
            place, there = rows_of_ticks(self.ticks, self.trajectory.tick)
            numbers[place[there]] = self.trajectory.map_id[there]
        return np.where(known, numbers, -1).astype(np.int32)

    def landmarks_in_head(self, side: str) -> Floats:
        """``(T,17,3)``, NaN where the hand is missing."""
        return landmarks_at(self.ticks, self.hands, side)

    def palm_in_head(self, side: str) -> tuple[SE3, NDArray[np.bool_]]:
        """head_from_palm per tick, and where it is known."""
        pose7 = np.full((len(self.ticks), 7), np.nan)
        if self.palms is not None:
            rows = np.flatnonzero((self.palms.side == side) & self.palms.head_from_palm_valid)
            place, there = rows_of_ticks(self.ticks, self.palms.tick[rows])
            pose7[place[there]] = self.palms.head_from_palm[rows[there]]
        return SE3.from_pose7(pose7), np.asarray(np.isfinite(pose7).all(-1))

    def aperture_m(self, side: str) -> Floats:
        """Thumb tip to index tip ``(T,)``, NaN where not both are seen."""
        opening = np.full(len(self.ticks), np.nan)
        if self.hands is not None:
            rows = np.flatnonzero((self.hands.side == side) & self.hands.aperture_m_valid)
            place, there = rows_of_ticks(self.ticks, self.hands.tick[rows])
            opening[place[there]] = self.hands.aperture_m[rows[there]]
        return opening

    @cached_property
    def metric(self) -> bool:
        """Is the head's path in metres and mostly known?"""
        return self.trajectory is not None and metric_trajectory(self.folder) is not None

    @property
    def upright(self) -> bool:
        """Is it known which way is up in the head's world?"""
        report = read_document(self.folder, SLAM_REPORT) if self.folder.exists(SLAM_REPORT) else {}
        return str(report.get("gravity_source", "none")) != "none"

    def palm_speeds(self) -> dict[str, Floats]:
        """Side -> speed ``(T,)`` in m/s: in the world, or in the head frame where not `metric`."""
        poses, _ = self.world_from_head
        speeds = {}
        for side in SIDES:
            palms, _ = self.palm_in_head(side)
            track = poses.apply(palms.translation) if self.metric else palms.translation
            moved = np.full_like(track, np.nan)
            if len(track) > 2:
                moved = np.gradient(track, self.seconds, axis=0)
            speeds[side] = np.asarray(np.linalg.norm(moved, axis=-1))
        return speeds

    def states(self, side: str) -> list[str]:
        """Per tick: measured, interpolated or missing."""
        return self._of_hands(side, "state", otherwise="missing")

    def reasons(self, side: str) -> list[str]:
        """Per tick why the hand is missing; empty where it is not."""
        return self._of_hands(side, "reason", otherwise="")

    def _of_hands(self, side: str, column: str, *, otherwise: str) -> list[str]:
        told = [otherwise] * len(self.ticks)
        if self.hands is not None:
            rows = np.flatnonzero(self.hands.side == side)
            place, there = rows_of_ticks(self.ticks, self.hands.tick[rows])
            values = getattr(self.hands, column)
            for tick, row in zip(place[there], rows[there], strict=True):
                told[tick] = str(values[row] or "")
        return told

    def truth_trajectory(self) -> Trajectory | None:
        """The exact trajectory of a synthetic session."""
        return table_of(self.folder, Trajectory, root=TRUTH)

    def truth_landmarks(self) -> dict[str, Floats]:
        """Side -> exact landmarks ``(T,17,3)`` at the ticks, by time; empty without truth."""
        trajectory, hands = self.truth_trajectory(), self.truth_hands()
        if trajectory is None or hands is None:
            return {}
        rows, exact = match_times(self.ticks.timestamp_ns, trajectory.timestamp_ns)
        clock = replace(self.ticks.take(rows), tick=trajectory.tick[exact])
        found = {}
        for side in SIDES:
            found[side] = np.full((len(self.ticks), 17, 3), np.nan)
            found[side][rows] = landmarks_at(clock, hands, side)
        return found

    def truth_hands(self) -> Hands | None:
        """The exact hands of a synthetic session."""
        return table_of(self.folder, Hands, root=TRUTH)


def rows_of_ticks(
    ticks: Ticks, numbers: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Row in `ticks` of each tick number, and whether there is one."""
    place = np.minimum(np.searchsorted(ticks.tick, numbers), len(ticks) - 1)
    return place, np.asarray(ticks.tick[place] == numbers)


def poses_at(ticks: Ticks, trajectory: Trajectory | None) -> tuple[SE3, NDArray[np.bool_]]:
    """world_from_head at the ticks, NaN where there is none."""
    pose7 = np.full((len(ticks), 7), np.nan)
    if trajectory is not None:
        good = np.flatnonzero(trajectory.world_from_head_valid & trajectory.tracked)
        place, there = rows_of_ticks(ticks, trajectory.tick[good])
        pose7[place[there]] = trajectory.world_from_head[good[there]]
    return SE3.from_pose7(pose7), np.asarray(np.isfinite(pose7).all(-1))


def landmarks_at(ticks: Ticks, hands: Hands | None, side: str) -> Floats:
    """``(T,17,3)`` of one side in the head frame, NaN where missing."""
    if side not in SIDES:
        raise ValueError(f"side {side!r}")
    landmarks = np.full((len(ticks), 17, 3), np.nan)
    if hands is not None:
        rows = np.flatnonzero((hands.side == side) & hands.landmarks_in_head_valid)
        place, there = rows_of_ticks(ticks, hands.tick[rows])
        landmarks[place[there]] = hands.landmarks_in_head[rows[there]].reshape(-1, 17, 3)
    return landmarks
