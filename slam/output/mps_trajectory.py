"""Trajectories of Aria's Machine Perception Services: closed_loop_trajectory.csv, which comes back
to where it was, and open_loop_trajectory.csv, which drifts but never jumps.

Rows come at 1 kHz in device time (microseconds). The pose is of the device frame. `graph_uid`
(`session_uid`) names the world a row stands in: rows of two worlds have nothing to do with each
other. Gravity is given.
"""

from dataclasses import dataclass

import numpy as np

from core.errors import BadInputError
from core.geometry.arrays import Floats, Ints

TIME, QUALITY = "tracking_timestamp_us", "quality_score"
PARTS = ("tx", "ty", "tz", "qw", "qx", "qy", "qz")  # our pose7's order, whatever the file's
WORLDS = {"world": "graph_uid", "odometry": "session_uid"}  # closed loop, open loop


@dataclass(frozen=True, eq=False)
class MpsRows:
    """N good rows. timestamps_ns ``(N,)``; pose7 ``(N,7)`` world_from_device; world ``(N,)`` number
    of the world, in order of appearance; gravity ``(N,3)`` in that world."""

    timestamps_ns: Ints
    pose7: Floats
    world: Ints
    gravity: Floats


def is_mps(line: str) -> bool:
    """Whether this is the first line of such a file."""
    return TIME in line and _frame(line) is not None


def _frame(line: str) -> str | None:
    """What the file calls its world, from its first line."""
    return next((name for name in WORLDS if f"tx_{name}_device" in line), None)


def read_mps(path: str, header: str) -> MpsRows:
    """Rows with a quality above 0. header: the file's first line.

    BadInputError names what is missing or no number.
    """
    import pyarrow as pa
    from pyarrow import csv

    frame = _frame(header) or "world"
    world, pose = WORLDS[frame], [f"{part}_{frame}_device" for part in PARTS]
    gravity = [f"gravity_{axis}_{frame}" for axis in "xyz"]
    columns = [world, TIME, *pose, *gravity, QUALITY]
    kinds = {c: pa.float64() for c in columns} | {world: pa.string(), TIME: pa.int64()}
    options = csv.ConvertOptions(include_columns=columns, column_types=kinds)
    try:
        table = csv.read_csv(path, convert_options=options)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise BadInputError(f"{path}: no MPS trajectory: {str(error).splitlines()[0]}") from error
    if table.num_rows == 0 or any(table[c].null_count for c in columns):
        raise BadInputError(f"{path}: no rows, or rows with holes; export the trajectory again")
    good = table[QUALITY].to_numpy() > 0
    return MpsRows(
        timestamps_ns=1000 * table[TIME].to_numpy()[good],
        pose7=np.stack([table[c].to_numpy() for c in pose], axis=1)[good],
        world=_numbered(table[world].to_numpy(zero_copy_only=False))[good],
        gravity=np.stack([table[c].to_numpy() for c in gravity], axis=1)[good],
    )


def _numbered(names: Floats) -> Ints:
    """0 for the first name, 1 for the next new one, …"""
    _, first, inverse = np.unique(names.astype(str), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
