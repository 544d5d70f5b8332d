"""The CSV files of a rig folder: inertial samples and picture times. Exact integers, errors with
the row.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.clock import is_strictly_rising

LATEST_NS = 4 * 10**18  # the year 2096; two such times still add up within 64 bits
IMU_COLUMNS = ("timestamp_ns", "gyro_x", "gyro_y", "gyro_z", "accel_x", "accel_y", "accel_z")


def read_imu_csv(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Times ``(N,)``, gyro ``(N,3)`` and accel ``(N,3)`` as written, in the file's own units."""
    table = _read(path, IMU_COLUMNS)
    times = table["timestamp_ns"]
    _refuse_backwards(path, times)
    values = np.stack([table[name] for name in IMU_COLUMNS[1:]], axis=1)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = (int(i) for i in bad[0])
        rows = len(np.unique(bad[:, 0]))
        raise BadInputError(
            f"{path}: row {row + 2}: {IMU_COLUMNS[1 + column]} is empty or not a finite number; "
            f"remove {'this row' if rows == 1 else f'the {rows} rows like it'}"
        )
    return times, values[:, :3], values[:, 3:]


def read_timestamps_csv(path: Path, *, pictures: int, video: str) -> NDArray[np.int64]:
    """``(pictures,)`` times of a video's pictures, one row each; equal neighbours are let
    through.
    """
    times = _read(path, ("timestamp_ns",))["timestamp_ns"]
    if len(times) != pictures:
        raise BadInputError(
            f"{path}: {len(times)} timestamps, but {video} holds {pictures} pictures; "
            "write one row per picture, in order"
        )
    steps = np.diff(times)
    if (steps < 0).any():
        row = int(np.argmax(steps < 0)) + 1
        raise BadInputError(
            f"{path}: row {row + 2}: timestamp {times[row]} is before the row above "
            f"({times[row - 1]}); times may not go backwards: export them again in recording order"
        )
    return times


def _refuse_backwards(path: Path, times: NDArray[np.int64]) -> None:
    if not is_strictly_rising(times):
        row = int(np.argmax(np.diff(times) <= 0)) + 1
        raise BadInputError(
            f"{path}: row {row + 2}: timestamp {times[row]} is not after the row above "
            f"({times[row - 1]}); sort the samples by time and remove repeated ones"
        )


def _read(path: Path, columns: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    kinds = {name: pa.int64() if name == "timestamp_ns" else pa.float64() for name in columns}
    wanted = pa.csv.ConvertOptions(column_types=kinds)
    try:
        table = pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(use_threads=False),  # its errors name the row then
            convert_options=wanted,
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        whole = "int64" in reason  # the only column of integers
        cure = "give timestamp_ns as whole nanoseconds" if whole else "correct that value"
        raise BadInputError(f"{path}: not a readable CSV ({reason}); {cure}") from error
    absent = [name for name in columns if name not in table.column_names]
    if absent:
        found = ",".join(table.column_names)[:200]
        raise BadInputError(
            f"{path}: column {', '.join(absent)} missing; the header is {found!r} and must name "
            f"{','.join(columns)}, with commas between"
        )
    if table.num_rows == 0:
        raise BadInputError(f"{path}: no rows under the header; record it again")
    for name in columns:
        if name == "timestamp_ns" and table[name].null_count:
            row = int(np.argmax(np.asarray(table[name].is_null()))) + 2
            raise BadInputError(f"{path}: row {row}: timestamp_ns is empty; remove the row")
    values = {name: _numpy(table[name]) for name in columns}
    far = np.abs(values["timestamp_ns"]) > LATEST_NS
    if far.any():
        row = int(np.argmax(far))
        stamp = values["timestamp_ns"][row]
        raise BadInputError(
            f"{path}: row {row + 2}: timestamp {stamp} is past the year 2096; give nanoseconds"
        )
    return values


def _numpy(column: Any) -> NDArray[Any]:
    return np.asarray(column.to_numpy())
