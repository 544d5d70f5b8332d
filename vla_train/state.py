"""The policy's state: both arms' poses in the head or base frame; never the head in the world.

Per arm ten numbers: position in metres, the first two columns of the rotation (continuous, unlike
quaternions), gripper. Then, for every moment of history asked for, six more: the arm's pose then
relative to its pose now, a relative action chunk run backwards. Left arm first, with a mask.
"""

import numpy as np
from numpy.typing import NDArray

from core.dataset.chunks import ChunkSettings
from core.dataset.episode import (
    GRIPPER_COLUMN,
    GRIPPER_VALID,
    HEAD,
    POSE_COLUMNS,
    POSE_VALID,
    Episode,
)
from core.geometry.rotations import matrix_from_quat_wxyz
from core.geometry.se3 import SE3

ARMS = 2
POSE_WIDTH = 10  # of one arm: position, two columns of the rotation, gripper
MOMENT_WIDTH = 6  # of one arm at one moment of its history
GRIPPER = 9  # place of the gripper among an arm's numbers

State = tuple[NDArray[np.float32], NDArray[np.bool_]]


def arm_width(history_s: tuple[float, ...]) -> int:
    """Numbers of one arm."""
    return POSE_WIDTH + MOMENT_WIDTH * len(history_s)


def policy_state(
    episode: Episode, settings: ChunkSettings, *, history_s: tuple[float, ...] = ()
) -> State:
    """State ``(T, W)`` and its mask, W twice `arm_width`; masked entries are 0."""
    parts = []
    for side in POSE_COLUMNS:
        parts.append(_now(episode, side))
        parts += [_then(episode, side, settings=settings, ago_s=ago) for ago in history_s]
    state = np.concatenate([values for values, _ in parts], axis=1).astype(np.float32)
    valid = np.concatenate([mask for _, mask in parts], axis=1)
    state[~valid] = 0.0
    return state, valid


def _now(episode: Episode, side: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    pose = episode.state[:, POSE_COLUMNS[side]].astype(np.float64)
    columns = np.swapaxes(matrix_from_quat_wxyz(pose[:, 3:7])[:, :, :2], 1, 2).reshape(-1, 6)
    gripper = episode.state[:, GRIPPER_COLUMN[side], None]
    values = np.concatenate([pose[:, :3], columns, gripper], axis=1)
    valid = np.repeat(episode.valid[:, POSE_VALID[side], None], POSE_WIDTH, axis=1)
    valid[:, GRIPPER] = episode.valid[:, GRIPPER_VALID[side]]
    return values, valid


def _then(
    episode: Episode, side: str, *, settings: ChunkSettings, ago_s: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pose ``ago_s`` (in played time) before every tick, relative to the pose at that tick."""
    scale = settings.time_scale * episode.embodiment.time_scale
    ticks = max(1, round(ago_s * episode.fps / scale))
    palm = SE3.from_pose7(episode.state[:, POSE_COLUMNS[side]].astype(np.float64))
    known = episode.valid[:, POSE_VALID[side]]
    if settings.reference == "chunk_head":
        palm = SE3.from_pose7(episode.head_pose.astype(np.float64)) @ palm
        known = known & episode.valid[:, HEAD]
    rows = np.arange(len(episode))
    before = np.maximum(rows - ticks, 0)
    there = (rows >= ticks) & (episode.map_id[before] == episode.map_id)
    values = (palm.inverse() @ palm[before]).to_vec6()
    return values, np.repeat((known & known[before] & there)[:, None], MOMENT_WIDTH, axis=1)
