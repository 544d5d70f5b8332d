"""The tables that pass between rooms: one frozen dataclass each, the only reader of its file.

N is the number of rows; a column of width k is an array (N, k). Times are int64 nanoseconds on the
session clock; lengths metres, angles radians; a pose is xyz + quaternion wxyz, f64 (N, 7).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.session import layout
from core.session.columns import column, pose_column, validity
from core.session.table import Table

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]
Texts = NDArray[Any]  # object array of str, None where missing

SIDES = ("left", "right")
STATES = ("measured", "interpolated", "missing")
SEGMENT_TRACKS = ("episode", "left", "right", "both", "phase")
SEGMENT_STATES = ("proposed", "accepted", "reviewed", "disputed")


@dataclass(frozen=True, eq=False, kw_only=True)
class Frames(Table):
    """Every image of every stream, in display order. A dropped image has frame_index and pts -1.

    frame_index: position among the stream's decoded images.   pts: presentation stamp in the
    container.
    timestamp_ns: mid-exposure of the middle row.   exposure_ns: exposure time, where known.
    reason: dropped, duplicate, late; None for a good frame. Good frames rise strictly within a
    stream.
    """

    path: ClassVar[str] = layout.FRAMES
    along: ClassVar[tuple[str, ...]] = ("stream",)

    stream: Texts = column("text")
    frame_index: I32 = column("i32")
    pts: I64 = column("i64")
    timestamp_ns: I64 = column("i64")
    exposure_ns: I64 = column("i64", nullable=True)
    exposure_ns_valid: Flags = validity()
    reason: Texts = column(
        "text", nullable=True, allowed=("dropped", "duplicate", "late", "no_imu")
    )

    def _check_rules(self) -> None:
        good = ~self.valid_of("reason")
        self.refuse("frame_index", good & (self.frame_index < 0), "is negative in a good frame")
        self.refuse_not_rising("timestamp_ns", good)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ticks(Table):
    """The session's beat: one row per good head frame, with the wrist images that belong to it.

    tick: 0, 1, 2 …   left_wrist_frame, right_wrist_frame: frame_index of the nearest wrist image.
    """

    path: ClassVar[str] = layout.TICKS

    tick: I64 = column("i64")
    timestamp_ns: I64 = column("i64")
    left_wrist_frame: I32 = column("i32", nullable=True)
    left_wrist_frame_valid: Flags = validity()
    right_wrist_frame: I32 = column("i32", nullable=True)
    right_wrist_frame_valid: Flags = validity()

    def _check_rules(self) -> None:
        self.refuse_not_rising("tick")
        self.refuse_not_rising("timestamp_ns")


@dataclass(frozen=True, eq=False, kw_only=True)
class Imu(Table):
    """Inertial samples. gyro_rad_s (N,3), accel_m_s2 (N,3) specific force, in the imu's own
    axes.
    """

    path: ClassVar[str] = layout.IMU
    along: ClassVar[tuple[str, ...]] = ("imu",)

    imu: Texts = column("text")
    timestamp_ns: I64 = column("i64")
    gyro_rad_s: F64 = column("f64", 3)
    accel_m_s2: F64 = column("f64", 3)

    def _check_rules(self) -> None:
        self.refuse_not_rising("timestamp_ns")


@dataclass(frozen=True, eq=False, kw_only=True)
class Redactions(Table):
    """Boxes to paint over: faces, plates, screens. box_xyxy_px (N,4) in the upright image."""

    path: ClassVar[str] = layout.REDACTIONS

    stream: Texts = column("text")
    frame_index: I32 = column("i32")
    track: I32 = column("i32")
    kind: Texts = column("text")
    box_xyxy_px: F32 = column("f32", 4)


@dataclass(frozen=True, eq=False, kw_only=True)
class Detections(Table):
    """Hands found in images. raw21 are the detector's own points, in pixels and in the hand's own
    frame.

    box_xyxy_px (N,4).   raw21_px (N,42): 21 x (u, v).   raw21_in_hand (N,63): 21 x xyz metres,
    where given.
    """

    path: ClassVar[str] = layout.DETECTIONS

    stream: Texts = column("text")
    tick: I64 = column("i64")
    side: Texts = column("text", allowed=SIDES)
    score: F32 = column("f32")
    box_xyxy_px: F32 = column("f32", 4)
    raw21_px: F32 = column("f32", 42)
    raw21_in_hand: F32 = column("f32", 63, nullable=True)
    raw21_in_hand_valid: Flags = validity()


def _wrist_sigma(side: str) -> Any:
    pose = f"world_from_{side}_wrist_camera"
    return column("f32", 3, follows=pose, optional=True, unbounded=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory(Table):
    """Where the head camera was at each tick. Rows without a pose say why; a new map_id starts a
    new map.

    world_from_head (N,7).   sigma_m, sigma_rad (N,3): one standard deviation, missing with the
    pose, +inf where nothing is known.   The wrist-camera columns may be absent on disk: then all
    are missing.
    """

    path: ClassVar[str] = layout.TRAJECTORY

    tick: I64 = column("i64")
    timestamp_ns: I64 = column("i64")
    world_from_head: F64 = pose_column()
    world_from_head_valid: Flags = validity()
    tracked: Flags = column("bool")
    map_id: I32 = column("i32")
    sigma_m: F32 = column("f32", 3, follows="world_from_head", unbounded=True)
    sigma_rad: F32 = column("f32", 3, follows="world_from_head", unbounded=True)
    reason: Texts = column("text", nullable=True)
    world_from_left_wrist_camera: F64 = pose_column(optional=True)
    world_from_left_wrist_camera_valid: Flags = validity()
    left_wrist_camera_sigma_m: F32 = _wrist_sigma("left")
    left_wrist_camera_sigma_rad: F32 = _wrist_sigma("left")
    world_from_right_wrist_camera: F64 = pose_column(optional=True)
    world_from_right_wrist_camera_valid: Flags = validity()
    right_wrist_camera_sigma_m: F32 = _wrist_sigma("right")
    right_wrist_camera_sigma_rad: F32 = _wrist_sigma("right")

    def _check_rules(self) -> None:
        self.refuse_not_rising("tick")
        self.refuse_not_rising("timestamp_ns")
        valid = self.world_from_head_valid
        self.refuse("tracked", self.tracked & ~valid, "is tracked, but has no pose")
        self.refuse("reason", ~valid & ~self.valid_of("reason"), "is no reason for a missing pose")


@dataclass(frozen=True, eq=False, kw_only=True)
class MapPoints(Table):
    """Landmarks of the map. point_in_world (N,3); observations: images that see it; color 0-255."""

    path: ClassVar[str] = layout.POINTS

    map_id: I32 = column("i32")
    point_in_world: F32 = column("f32", 3)
    observations: I32 = column("i32")
    color_rgb: I32 = column("i32", 3, nullable=True)
    color_rgb_valid: Flags = validity()


@dataclass(frozen=True, eq=False, kw_only=True)
class Hands(Table):
    """One row per tick and side. Landmarks are the 17 of core.geometry.landmarks, in the head
    frame.

    landmarks_in_head (N,51): 17 x xyz metres.   sigma_lateral_m, sigma_ray_m (N,17): across and
    along the viewing ray, missing with the landmarks.   visible (N,17): seen in the image, not only
    inferred, whether or not the hand could be placed.
    raw21_in_head (N,63): the source's own points.   state: measured, interpolated or, without
    landmarks, missing with a reason.   source: what measured it.   aperture_m: thumb tip to index
    tip, where known.
    """

    path: ClassVar[str] = layout.HANDS
    along: ClassVar[tuple[str, ...]] = ("side",)

    tick: I64 = column("i64")
    timestamp_ns: I64 = column("i64")
    side: Texts = column("text", allowed=SIDES)
    landmarks_in_head: F32 = column("f32", 51, nullable=True)
    landmarks_in_head_valid: Flags = validity()
    sigma_lateral_m: F32 = column("f32", 17, follows="landmarks_in_head", unbounded=True)
    sigma_ray_m: F32 = column("f32", 17, follows="landmarks_in_head", unbounded=True)
    visible: Flags = column("bool", 17)
    raw21_in_head: F32 = column("f32", 63, nullable=True)
    raw21_in_head_valid: Flags = validity()
    state: Texts = column("text", allowed=STATES)
    reason: Texts = column("text", nullable=True)
    source: Texts = column("text")
    aperture_m: F32 = column("f32", nullable=True)
    aperture_m_valid: Flags = validity()

    def _check_rules(self) -> None:
        self.refuse_not_rising("tick")
        self.refuse_not_rising("timestamp_ns")
        _check_states(self, self.landmarks_in_head_valid)


@dataclass(frozen=True, eq=False, kw_only=True)
class EndEffectors(Table):
    """One row per tick and side: the palm frame in the head frame.

    head_from_palm (N,7).   sigma_m, sigma_rad (N,3): missing with the pose.   state, reason: as in
    Hands.
    """

    path: ClassVar[str] = layout.END_EFFECTORS
    along: ClassVar[tuple[str, ...]] = ("side",)

    tick: I64 = column("i64")
    timestamp_ns: I64 = column("i64")
    side: Texts = column("text", allowed=SIDES)
    head_from_palm: F64 = pose_column()
    head_from_palm_valid: Flags = validity()
    sigma_m: F32 = column("f32", 3, follows="head_from_palm", unbounded=True)
    sigma_rad: F32 = column("f32", 3, follows="head_from_palm", unbounded=True)
    state: Texts = column("text", allowed=STATES)
    reason: Texts = column("text", nullable=True)

    def _check_rules(self) -> None:
        self.refuse_not_rising("tick")
        self.refuse_not_rising("timestamp_ns")
        _check_states(self, self.head_from_palm_valid)


@dataclass(frozen=True, eq=False, kw_only=True)
class Segments(Table):
    """Labelled stretches of time, half-open [start_ns, end_ns).

    track: episode, left, right, both, phase.   author_kind: human or machine.   confidence: of a
    machine.
    task, success: of episodes.   success: True, False or None (unknown).   revision: counts edits
    from 0.
    """

    path: ClassVar[str] = layout.SEGMENTS

    id: Texts = column("text")
    track: Texts = column("text", allowed=SEGMENT_TRACKS)
    start_ns: I64 = column("i64")
    end_ns: I64 = column("i64")
    text: Texts = column("text")
    verb: Texts = column("text")
    object: Texts = column("text")
    author: Texts = column("text")
    author_kind: Texts = column("text", allowed=("human", "machine"))
    state: Texts = column("text", allowed=SEGMENT_STATES)
    confidence: F32 = column("f32", nullable=True)
    confidence_valid: Flags = validity()
    task: Texts = column("text", nullable=True)
    success: Texts = column("maybe_bool", nullable=True)
    revision: I32 = column("i32")

    def _check_rules(self) -> None:
        self.refuse("end_ns", self.end_ns <= self.start_ns, "is not after start_ns")
        seen: set[str] = set()
        repeated = np.zeros(len(self), dtype=bool)
        for row, name in enumerate(self.id):
            repeated[row] = name in seen
            seen.add(name)
        self.refuse("id", repeated, "is used twice")


def _check_states(table: Hands | EndEffectors, valid: Flags) -> None:
    missing = np.array([state == "missing" for state in table.state], dtype=bool)
    table.refuse("state", missing & valid, "but values are given")
    table.refuse("state", ~missing & ~valid, "but no values are given")
    table.refuse("reason", missing & ~table.valid_of("reason"), "is no reason for a missing hand")


TABLES: tuple[type[Table], ...] = (
    Frames,
    Ticks,
    Imu,
    Redactions,
    Detections,
    Trajectory,
    MapPoints,
    Hands,
    EndEffectors,
    Segments,
)
