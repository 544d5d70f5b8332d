"""Trajectories of Aria's Machine Perception Services: closed_loop_trajectory.csv and its kin.

Rows come at 1 kHz in device time (microseconds). The pose is of the device frame. `graph_uid` names
the world a row stands in: rows of two graphs have nothing to do with each other. Gravity is given.
"""

from dataclasses import dataclass

import numpy as np

from core.errors import BadInputError
from core.geometry.arrays import Floats, Ints

POSE = [
    f"{part}_world_device" for part in ("tx", "ty", "tz", "qw", "qx", "qy", "qz")
]  # read in the order of our pose7, whatever the order in the file
GRAVITY = [f"gravity_{axis}_world" for axis in "xyz"]
GRAPH, TIME, QUALITY = "graph_uid", "tracking_timestamp_us", "quality_score"


@dataclass(frozen=True, eq=False)
class MpsRows:
    """N good rows. timestamps_ns ``(N,)``; pose7 ``(N,7)`` world_from_device; world ``(N,)`` number
    of the graph, in order of appearance; gravity ``(N,3)`` in that world."""

    timestamps_ns: Ints
    pose7: Floats
    world: Ints
    gravity: Floats


def is_mps(line: str) -> bool:
    """Whether this is the first line of such a file."""
    return TIME in line and POSE[0] in line


def read_mps(path: str) -> MpsRows:
    """Rows with a quality above 0. BadInputError names what is missing or no number."""
    import pyarrow as pa
    from pyarrow import csv

    columns = [GRAPH, TIME, *POSE, *GRAVITY, QUALITY]
    kinds = {c: pa.float64() for c in columns} | {GRAPH: pa.string(), TIME: pa.int64()}
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
        pose7=np.stack([table[c].to_numpy() for c in POSE], axis=1)[good],
        world=_numbered(table[GRAPH].to_numpy(zero_copy_only=False))[good],
        gravity=np.stack([table[c].to_numpy() for c in GRAVITY], axis=1)[good],
    )


def _numbered(names: Floats) -> Ints:
    """0 for the first name, 1 for the next new one, …"""
    _, first, inverse = np.unique(names.astype(str), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
