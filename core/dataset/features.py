"""The columns of a dataset: names, types, and the way between an episode and an Arrow table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.dataset.episode import CAMERAS, BoolArray, Episode
from core.errors import BadInputError
from core.geometry.landmarks import LANDMARKS, SIDES

POSE_NAMES = ("x", "y", "z", "qw", "qx", "qy", "qz")
STATE_NAMES = tuple(f"{side}_{name}" for side in SIDES for name in (*POSE_NAMES, "gripper"))
HEAD_NAMES = tuple(f"head_{name}" for name in POSE_NAMES)
VALID_NAMES = ("left_pose", "left_gripper", "right_pose", "right_gripper", "head")
LANDMARK_NAMES = tuple(f"{side}_{name}" for side in SIDES for name in LANDMARKS)


@dataclass(frozen=True)
class Feature:
    """One column. dtype: numpy's name.   names: one per dimension; empty for a plain number."""

    dtype: str
    names: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers a frame holds."""
        return max(len(self.names), 1)

    @property
    def arrow_type(self) -> Any:
        """Scalar, or a list of fixed size."""
        scalar = {
            "float32": pa.float32(),
            "int64": pa.int64(),
            "bool": pa.bool_(),
        }[self.dtype]
        return pa.list_(scalar, len(self.names)) if self.names else scalar

    def to_info(self) -> dict[str, Any]:
        """As `meta/info.json` has it."""
        names = list(self.names) or None
        return {"dtype": self.dtype, "shape": [self.width], "names": names}


FEATURES: dict[str, Feature] = {
    "observation.state": Feature("float32", STATE_NAMES),
    "observation.head_pose": Feature("float32", HEAD_NAMES),
    "action": Feature("float32", (*STATE_NAMES, *HEAD_NAMES)),
    "observation.valid": Feature("bool", VALID_NAMES),
    "action_valid": Feature("bool", VALID_NAMES),
    "observation.landmarks": Feature(
        "float32", tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xyz")
    ),
    "observation.landmarks_valid": Feature("bool", LANDMARK_NAMES),
    "observation.camera_valid": Feature("bool", CAMERAS),
    "subtask_index": Feature("int64"),
    "subtask_left_index": Feature("int64"),
    "subtask_right_index": Feature("int64"),
    "embodiment_index": Feature("int64"),
    "map_id": Feature("int64"),
    "timestamp_ns": Feature("int64"),
    "timestamp": Feature("float32"),
    "frame_index": Feature("int64"),
    "episode_index": Feature("int64"),
    "index": Feature("int64"),
    "task_index": Feature("int64"),
}
# the episode's own field behind each column; the rest is numbered by the writer
EPISODE_FIELDS = {
    "observation.state": "state",
    "observation.head_pose": "head_pose",
    "action": "action",
    "observation.valid": "valid",
    "action_valid": "action_valid",
    "observation.landmarks": "landmarks",
    "observation.landmarks_valid": "landmarks_valid",
    "observation.camera_valid": "camera_valid",
    "subtask_index": "subtask",
    "subtask_left_index": "subtask_left",
    "subtask_right_index": "subtask_right",
    "map_id": "map_id",
    "timestamp_ns": "timestamp_ns",
}
UNNAMED_TASK = "task not named"  # stored for ""; upstream expects a text, our reader gives "" back
SUBTASK_COLUMNS = ("subtask_index", "subtask_left_index", "subtask_right_index")


def camera_key(camera: str) -> str:
    """The feature and folder name of a camera."""
    return f"observation.images.{camera}"


def features_of(episode: Episode) -> dict[str, Feature]:
    """The columns of a dataset that holds this episode: the format's own, then its extra ones."""
    taken = sorted(set(episode.extra) & set(FEATURES))
    if taken:
        raise BadInputError(f"episode {episode.session!r}: extra column {taken[0]!r} is taken")
    return FEATURES | {name: Feature("float32", e.names) for name, e in episode.extra.items()}


def extra_features(info: dict[str, Any]) -> dict[str, Feature]:
    """The columns beyond the format's own that `meta/info.json` declares."""
    return {
        name: Feature("float32", tuple(declared["names"]))
        for name, declared in info["features"].items()
        if name not in FEATURES and declared["dtype"] == "float32"
    }


def columns_of(episode: Episode) -> dict[str, NDArray[Any]]:
    """The columns an episode fills itself."""
    own = {name: getattr(episode, field) for name, field in EPISODE_FIELDS.items()}
    return own | {name: extra.values for name, extra in episode.extra.items()}


def table_of(columns: dict[str, NDArray[Any]], features: dict[str, Feature]) -> Any:
    """An Arrow table of the given columns, in the order of ``features``."""
    names = [name for name in features if name in columns]
    arrays = [_to_arrow(columns[name], features[name]) for name in names]
    return pa.table(dict(zip(names, arrays, strict=True)))


def _to_arrow(values: NDArray[Any], feature: Feature) -> Any:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1).astype(feature.dtype))
    if not feature.names:
        return flat
    return pa.FixedSizeListArray.from_arrays(flat, feature.width)


def column_values(table: Any, name: str, feature: Feature | None = None) -> NDArray[Any]:
    """One column of a table as ``(T, D)``, or ``(T,)`` for a plain number."""
    feature = feature or FEATURES[name]
    if name not in table.column_names:
        raise BadInputError(f"dataset column {name!r} is missing; it is not a Handoff dataset")
    column = table.column(name).combine_chunks()
    if feature.names:
        column = column.flatten()
    values = column.to_numpy(zero_copy_only=False).astype(feature.dtype, copy=False)
    shaped: NDArray[Any] = values.reshape(-1, feature.width) if feature.names else values
    if len(shaped) != table.num_rows:
        raise BadInputError(
            f"dataset column {name!r}: {len(values)} numbers, expected width {feature.width}"
        )
    return shaped


def validity_of(columns: dict[str, NDArray[Any]], name: str) -> BoolArray | None:
    """Which entries ``(T, D)`` of a column count in a statistic; None means all of them."""
    if name == "observation.state":
        return _per_number(columns["observation.valid"][:, :4], (7, 1, 7, 1))
    if name == "observation.head_pose":
        return _per_number(columns["observation.valid"][:, 4:], (7,))
    if name == "action":
        return _per_number(columns["action_valid"], (7, 1, 7, 1, 7))
    if name == "observation.landmarks":
        return _per_number(columns["observation.landmarks_valid"], (3,) * 34)
    return None


def _per_number(valid: NDArray[Any], widths: tuple[int, ...]) -> BoolArray:
    spread: BoolArray = np.repeat(valid, widths, axis=1)
    return spread
