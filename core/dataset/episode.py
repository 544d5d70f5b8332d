"""One episode in the dataset's own columns, and the rule for what is stored under a false mask."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.embodiments import HUMAN, IDENTITY_POSE7, Embodiment
from core.errors import BadInputError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# columns of `valid` and `action_valid`
LEFT_POSE, LEFT_GRIPPER, RIGHT_POSE, RIGHT_GRIPPER, HEAD = range(5)
POSE_VALID = {"left": LEFT_POSE, "right": RIGHT_POSE}
GRIPPER_VALID = {"left": LEFT_GRIPPER, "right": RIGHT_GRIPPER}
# columns of `state` and `action`
POSE_COLUMNS = {"left": slice(0, 7), "right": slice(8, 15)}
GRIPPER_COLUMN = {"left": 7, "right": 15}
HEAD_COLUMNS = slice(16, 23)  # of `action`; the state keeps the head in `head_pose`
CAMERAS = ("head", "left_wrist", "right_wrist")
UNIT_TOLERANCE = 1e-3

_FLOATS = {"state": 16, "head_pose": 7, "action": 23, "landmarks": 102}
_BOOLS = {"valid": 5, "action_valid": 5, "landmarks_valid": 34, "camera_valid": 3}
_INTS = ("subtask", "subtask_left", "subtask_right", "map_id", "timestamp_ns")


@dataclass(frozen=True, eq=False)
class Extra:
    """A column beyond the format's own, a robot's joints say: carried along, never trained on.

    names: one per number, with its unit.   values: ``(T, D)`` f32.
    """

    names: tuple[str, ...]
    values: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Episode:
    """Frames at a constant rate. T: number of frames. Arrays are read-only.

    state: ``(T, 16)`` f32, left then right: head_from_palm (robot: base_from_palm) xyz + wxyz,
    gripper.
    head_pose: ``(T, 7)`` world_from_head (robot: world_from_base).
    action: ``(T, 23)`` the targets of the next tick: left 8, right 8, head or base 7.
    valid, action_valid: ``(T, 5)`` left pose, left gripper, right pose, right gripper, head or
    base.
    landmarks: ``(T, 102)`` metres in the head frame, left 17 x 3 then right.  landmarks_valid:
    ``(T, 34)``.
    camera_valid: ``(T, 3)`` head, left wrist, right wrist.
    subtask, subtask_left, subtask_right: ``(T,)`` int64 rows of ``subtask_texts``; row 0 is "".
    map_id, timestamp_ns: ``(T,)`` int64; timestamps rise strictly, on the source's own clock.
    metric_scale, gravity: whether this recording has them; without, the slots that need them are
    masked.
    extra: further columns by name.
    """

    fps: int
    task: str
    state: FloatArray
    head_pose: FloatArray
    action: FloatArray
    valid: BoolArray
    action_valid: BoolArray
    landmarks: FloatArray
    landmarks_valid: BoolArray
    camera_valid: BoolArray
    subtask: IntArray
    subtask_left: IntArray
    subtask_right: IntArray
    map_id: IntArray
    timestamp_ns: IntArray
    subtask_texts: tuple[str, ...] = ("",)
    embodiment: Embodiment = HUMAN
    metric_scale: bool = True
    gravity: bool = True
    session: str = ""
    success: bool | None = None
    extra: dict[str, Extra] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames = len(self.timestamp_ns)
        if frames == 0:
            raise BadInputError(f"episode {self.session!r} ({self.task!r}) has no frames")
        if self.fps <= 0:
            raise BadInputError(f"episode {self.session!r}: fps {self.fps} is not > 0")
        for name, width in _FLOATS.items():
            self._set(name, np.float32, (frames, width))
        for name, width in _BOOLS.items():
            self._set(name, np.bool_, (frames, width))
        for name in _INTS:
            self._set(name, np.int64, (frames,))
        for name, column in self.extra.items():
            if column.values.shape != (frames, len(column.names)):
                raise BadInputError(
                    f"episode {self.session!r}: {name} has shape {column.values.shape}, not "
                    f"{(frames, len(column.names))}"
                )
        self._check_values()

    def _set(self, name: str, dtype: Any, shape: tuple[int, ...]) -> None:
        array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
        if array.shape != shape:
            raise BadInputError(
                f"episode {self.session!r}: {name} has shape {array.shape}, not {shape}"
            )
        if array.flags.writeable:
            array = array.copy()
            array.flags.writeable = False
        object.__setattr__(self, name, array)

    def _check_values(self) -> None:
        for name in _FLOATS:
            if not np.isfinite(getattr(self, name)).all():
                raise BadInputError(f"episode {self.session!r}: {name} holds NaN or infinity")
        for name, column in self.extra.items():
            if not np.isfinite(column.values).all():
                raise BadInputError(f"episode {self.session!r}: {name} holds NaN or infinity")
        for name, quat in self._quaternions().items():
            error = np.abs(np.linalg.norm(quat, axis=1) - 1.0).max()
            if error > UNIT_TOLERANCE:
                raise BadInputError(
                    f"episode {self.session!r}: quaternions of {name} are {error:.3g} off unit"
                )
        if (np.diff(self.timestamp_ns) <= 0).any():
            raise BadInputError(f"episode {self.session!r}: timestamp_ns does not rise strictly")
        if not self.subtask_texts or self.subtask_texts[0]:
            raise BadInputError(f'episode {self.session!r}: row 0 of subtask_texts is not ""')
        for name in ("subtask", "subtask_left", "subtask_right"):
            ids = getattr(self, name)
            if ids.min() < 0 or ids.max() >= len(self.subtask_texts):
                raise BadInputError(
                    f"episode {self.session!r}: {name} names a row that is not there"
                )

    def _quaternions(self) -> dict[str, FloatArray]:
        return {
            "head_pose": self.head_pose[:, 3:7],
            "state.left": self.state[:, 3:7],
            "state.right": self.state[:, 11:15],
            "action.left": self.action[:, 3:7],
            "action.right": self.action[:, 11:15],
            "action.head": self.action[:, 19:23],
        }

    def __len__(self) -> int:
        return len(self.timestamp_ns)

    def slots(self, base_alignment: Any = "shared") -> BoolArray:
        """Slots its embodiment owns, ``(32,)``."""
        return self.embodiment.slots(base_alignment)


def swap_sides(episode: Episode) -> Episode:
    """Left and right columns exchanged as they are, without mirroring: what swapped labels do."""

    def halves(array: Any, width: int) -> Any:
        return np.concatenate(
            [array[:, width : 2 * width], array[:, :width], array[:, 2 * width :]], axis=1
        )

    return replace(
        episode,
        state=halves(episode.state, 8),
        action=halves(episode.action, 8),
        valid=halves(episode.valid, 2),
        action_valid=halves(episode.action_valid, 2),
        landmarks=halves(episode.landmarks, 51),
        landmarks_valid=halves(episode.landmarks_valid, 17),
        camera_valid=episode.camera_valid[:, [0, 2, 1]],
        subtask_left=episode.subtask_right,
        subtask_right=episode.subtask_left,
    )


def fill_nearest(values: NDArray[Any], valid: BoolArray, *, placeholder: Any) -> NDArray[Any]:
    """Replace every invalid row by the nearest valid one in time (the earlier on a tie).

    values: ``(T, K)``.  valid: ``(T,)``.  placeholder: the row stored when nothing is valid.
    The result is finite so that readers which know no masks see sane numbers; it enters no
    statistic.
    """
    if not valid.any():
        return np.broadcast_to(np.asarray(placeholder, dtype=values.dtype), values.shape).copy()
    good = np.flatnonzero(valid)
    rows = np.arange(len(values))
    after = np.clip(np.searchsorted(good, rows), 0, len(good) - 1)
    before = np.clip(after - 1, 0, None)
    earlier = np.abs(rows - good[before]) <= np.abs(good[after] - rows)
    filled: NDArray[Any] = values[np.where(earlier, good[before], good[after])]
    return filled


def fill_poses(poses: NDArray[Any], valid: BoolArray) -> NDArray[Any]:
    """`fill_nearest` for ``(T, 7)`` poses; identity when none is valid."""
    return fill_nearest(poses, valid, placeholder=IDENTITY_POSE7)
