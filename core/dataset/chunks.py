"""Relative action chunks on SE(3), made at load from the absolute poses a dataset stores.

A chunk is H targets of a fixed duration, resampled by time, so recordings at 20, 30 and 50 Hz
agree.
Step i (1..H) is the target i/H of the duration after the start. Targets are interpolated linearly
in
translation and along the geodesic in rotation, between two valid ticks only; nothing is
extrapolated.

Arms, with ``a_i`` as translation (m) and rotation vector (rad):
``chunk_head``: ``a_i = inv(world_from_palm_0) @ world_from_palm_i``; head motion stays out of the
hand.
``per_tick``: ``a_i = inv(head_0_from_palm_0) @ head_i_from_palm_i``; needs no trajectory.
Head or base, with L0 the levelled heading at the start: ``d = L0' (p_i - p_0)`` and
``L0' R_i R_0' L0 = Rz(yaw) Ry(pitch) Rx(roll)``. Grippers are absolute, 0 open ... 1 closed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.body_heading import heading_of
from core.dataset.chunk_decode import CurrentPoses, DecodedChunk, decode_chunk
from core.dataset.chunk_settings import ChunkSettings, settings_from_dict
from core.dataset.episode import (
    GRIPPER_COLUMN,
    GRIPPER_VALID,
    HEAD,
    HEAD_COLUMNS,
    POSE_COLUMNS,
    POSE_VALID,
    BoolArray,
    Episode,
    FloatArray,
)
from core.dataset.pose_track import PoseTrack
from core.dataset.slots import BASE_SLOTS, GRIPPER_SLOTS, SLOT_WIDTH, arm_slots, head_slots
from core.errors import BadInputError
from core.geometry.rotations import ypr_from_matrix
from core.geometry.se3 import SE3

__all__ = [
    "Chunk",
    "ChunkEncoder",
    "ChunkSettings",
    "CurrentPoses",
    "DecodedChunk",
    "decode_chunk",
    "encode_chunk",
    "settings_from_dict",
]

STARTS_AT_ONCE = 1024  # keeps what a long episode needs in between to some tens of megabytes


@dataclass(frozen=True, eq=False)
class Chunk:
    """values: ``(H, 32)`` f32, zero where masked.   mask: ``(H, 32)`` bool."""

    values: FloatArray
    mask: BoolArray


class ChunkEncoder:
    """All chunks of one episode under one setting. Building it is O(T), a chunk is O(H).

    Knot 0 is the first state; knot k >= 1 is the action of tick k - 1, the target for tick k.
    """

    def __init__(self, episode: Episode, settings: ChunkSettings) -> None:
        self.episode = episode
        self.settings = settings
        scale = settings.time_scale * episode.embodiment.time_scale
        step_frames = settings.duration_s * episode.fps / settings.steps / scale
        self._offsets: NDArray[np.float64] = np.round(
            step_frames * np.arange(1, settings.steps + 1), 9
        )
        self._last_knot = _last_knot_of_map(episode.map_id)
        self._head_at_tick = SE3.from_pose7(episode.head_pose.astype(np.float64))
        self._head = PoseTrack(*self._knots(episode.head_pose, HEAD_COLUMNS, column=HEAD))
        self._arms = {side: self._arm(side) for side in episode.embodiment.arms}

    def _knots(self, state: FloatArray, columns: slice, *, column: int) -> tuple[SE3, BoolArray]:
        poses = np.concatenate([state[:1], self.episode.action[:, columns]]).astype(np.float64)
        valid = np.concatenate([
            self.episode.valid[:1, column],
            self.episode.action_valid[:, column],
        ])
        return SE3.from_pose7(poses), valid

    def _arm(self, side: str) -> tuple[SE3, BoolArray, PoseTrack]:
        """What a side is relative to at each tick, where that is valid, and its targets."""
        state = self.episode.state[:, POSE_COLUMNS[side]]
        column = POSE_VALID[side]
        anchors = SE3.from_pose7(state.astype(np.float64))
        anchors_valid = self.episode.valid[:, column]
        poses, valid = self._knots(state, POSE_COLUMNS[side], column=column)
        if self.settings.reference == "chunk_head":
            anchors = self._head_at_tick @ anchors
            anchors_valid = anchors_valid & self.episode.valid[:, HEAD]
            poses, valid = self._head.poses @ poses, valid & self._head.valid
        return anchors.inverse(), anchors_valid, PoseTrack(poses, valid)

    def encode(self, starts: NDArray[np.integer[Any]] | list[int]) -> tuple[FloatArray, BoolArray]:
        """Chunks at these ticks: values ``(B, H, 32)`` f32 and mask ``(B, H, 32)``."""
        ticks = np.asarray(starts, dtype=np.int64)
        if len(ticks) and (ticks.min() < 0 or ticks.max() >= len(self.episode)):
            raise BadInputError(
                f"chunk start outside the episode's {len(self.episode)} frames: "
                f"{ticks.min()} to {ticks.max()}"
            )
        shape = (len(ticks), self.settings.steps, SLOT_WIDTH)
        values, mask = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)
        for first in range(0, len(ticks), STARTS_AT_ONCE):
            block = slice(first, first + STARTS_AT_ONCE)
            values[block], mask[block] = self._encode_block(ticks[block])
        return values, mask

    def _encode_block(self, ticks: NDArray[np.int64]) -> tuple[FloatArray, BoolArray]:
        where = ticks[:, None] + self._offsets
        inside = where <= self._last_knot[ticks][:, None]
        values = np.zeros((*where.shape, SLOT_WIDTH), dtype=np.float32)
        mask = np.zeros((*where.shape, SLOT_WIDTH), dtype=bool)
        for side in self._arms:
            self._encode_arm(side, ticks, where=where, values=values, mask=mask)
        for side in self.episode.embodiment.grippers:
            self._encode_gripper(side, where, values=values, mask=mask)
        if self.episode.embodiment.base or self.episode.embodiment.head:
            self._encode_head(ticks, where, values=values, mask=mask)
        mask &= inside[..., None]
        mask &= self._knowable()
        values[~mask] = 0.0
        return values, mask

    def _encode_arm(
        self,
        side: str,
        ticks: NDArray[np.int64],
        *,
        where: NDArray[np.float64],
        values: FloatArray,
        mask: BoolArray,
    ) -> None:
        anchors_inverse, anchors_valid, track = self._arms[side]
        targets, valid = track.at(where)
        reference = SE3(
            anchors_inverse.rotation[ticks][:, None], anchors_inverse.translation[ticks][:, None]
        )
        values[..., arm_slots(side)] = (reference @ targets).to_vec6()
        mask[..., arm_slots(side)] = (valid & anchors_valid[ticks][:, None])[..., None]

    def _encode_gripper(
        self, side: str, where: NDArray[np.float64], *, values: FloatArray, mask: BoolArray
    ) -> None:
        episode, slot = self.episode, GRIPPER_SLOTS[side]
        column, valid_column = GRIPPER_COLUMN[side], GRIPPER_VALID[side]
        knots = np.concatenate([episode.state[:1, column], episode.action[:, column]])
        valid = np.concatenate([
            episode.valid[:1, valid_column],
            episode.action_valid[:, valid_column],
        ])
        low = np.clip(np.floor(where).astype(np.int64), 0, len(knots) - 1)
        high = np.clip(low + 1, 0, len(knots) - 1)
        fraction = where - np.floor(where)
        values[..., slot] = knots[low] * (1 - fraction) + knots[high] * fraction
        mask[..., slot] = valid[low] & (valid[high] | (fraction == 0))

    def _encode_head(
        self,
        ticks: NDArray[np.int64],
        where: NDArray[np.float64],
        *,
        values: FloatArray,
        mask: BoolArray,
    ) -> None:
        embodiment = self.episode.embodiment
        targets, valid = self._head.at(where)
        start_rotation = self._head_at_tick.rotation[ticks]
        level, defined = heading_of(start_rotation, embodiment.kind)
        moved = targets.translation - self._head_at_tick.translation[ticks][:, None]
        offsets = np.einsum("bji,bhj->bhi", level, moved)
        turned = np.einsum("bhij,bkj->bhik", targets.rotation, start_rotation)
        levelled = np.einsum("bji,bhjk,bkl->bhil", level, turned, level)
        yaw, pitch, roll = np.moveaxis(ypr_from_matrix(levelled), -1, 0)
        yaw = np.unwrap(yaw, axis=-1)
        usable = valid & (self.episode.valid[ticks, HEAD] & defined)[:, None]
        if embodiment.head:
            slots: tuple[int, ...] = head_slots(self.settings.base_alignment)
            columns = [*np.moveaxis(offsets, -1, 0), yaw, pitch, roll]
        else:
            slots, columns = BASE_SLOTS, [offsets[..., 0], yaw]
        for slot, column in zip(slots, columns, strict=True):
            values[..., slot] = column
            mask[..., slot] = usable

    def _knowable(self) -> BoolArray:
        """Slots, ``(32,)``, whose values this recording's scale and gravity determine."""
        slots = np.ones(SLOT_WIDTH, dtype=bool)
        embodiment = self.episode.embodiment
        turning = (
            list(head_slots(self.settings.base_alignment)) if embodiment.head else list(BASE_SLOTS)
        )
        moving = turning[:3] if embodiment.head else turning[:1]
        if not (self.episode.gravity and embodiment.gravity):
            slots[turning] = False
        if not (self.episode.metric_scale and embodiment.metric_scale):
            slots[moving] = False
            if self.settings.reference == "chunk_head":  # the head's unscaled motion is in there
                for side in embodiment.arms:
                    slots[arm_slots(side).start : arm_slots(side).start + 3] = False
        return slots


def encode_chunk(episode: Episode, start: int, settings: ChunkSettings) -> Chunk:
    """The chunk that starts at tick ``start``. For many chunks of an episode keep a
    `ChunkEncoder`.
    """
    values, mask = ChunkEncoder(episode, settings).encode([start])
    return Chunk(values[0], mask[0])


def _last_knot_of_map(map_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """The last knot a chunk from each tick may use: the episode's end or the tick before a new
    map.
    """
    ticks = len(map_id)
    changes = np.flatnonzero(np.diff(map_id)) + 1  # first ticks of new maps
    ends = np.append(changes - 1, ticks)
    last: NDArray[np.int64] = ends[np.searchsorted(changes, np.arange(ticks), side="right")]
    return last
