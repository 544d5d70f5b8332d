"""Trajectory files of other people: TUM text, EuRoC ground-truth csv and Aria's MPS csv.

TUM: ``timestamp tx ty tz qx qy qz qw`` separated by blanks, seconds (some writers put nanoseconds
into the first column: numbers beyond 1e14 are taken as such). EuRoC: ``timestamp, p_x, p_y, p_z,
q_w, q_x, q_y, q_z, …`` separated by commas, nanoseconds; further columns are ignored. Lines that
start with # are comments. MPS: see `slam.output.mps_trajectory`.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, StorageError
from core.geometry.se3 import SE3
from slam.output.mps_trajectory import is_mps, read_mps

LAYOUTS = ("tum", "euroc", "mps")
NS = 1_000_000_000
NANOSECONDS_FROM = 1e14  # no clock in seconds shows this; a clock in nanoseconds does after a day
SECONDS_UNTIL = 9e9  # the year 2255
UNIT_TOLERANCE = 0.02  # files round quaternions to four decimals


@dataclass(frozen=True, eq=False)
class TrajectoryFile:
    """Poses of one body. N: number of rows.

    timestamps_ns: ``(N,)`` strictly rising.   world_from_body: batch of N.   layout: see LAYOUTS.
    world: ``(N,)`` rows with other numbers stand in other worlds; None: all in one.
    gravity_in_world: ``(N,3)``; None where the file does not know.
    """

    path: str
    layout: str
    timestamps_ns: NDArray[np.int64]
    world_from_body: SE3
    world: NDArray[np.int64] | None = None
    gravity_in_world: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.timestamps_ns)


def read_trajectory_file(path: str, *, layout: str | None = None) -> TrajectoryFile:
    """Read a file; its layout is seen from its content unless given.

    Raises BadInputError naming the line: other columns, no number, a quaternion that is none, time
    that runs backwards. Repeated rows of one time count once.
    """
    lines = _lines(path)
    if layout == "mps" or (layout is None and lines and is_mps(lines[0])):
        return _read_mps(path, lines[0] if lines else "")
    rows = [(k, line) for k, line in enumerate(lines, start=1) if _is_data(line)]
    if not rows:
        raise BadInputError(f"{path}: no poses in it; a TUM, EuRoC or MPS trajectory is needed")
    layout = layout or layout_of(path, rows[0][1])
    if layout not in LAYOUTS:
        raise BadInputError(f"{path}: format {layout!r}; known are {', '.join(LAYOUTS)}")
    table = [_numbers(path, number, line, layout=layout) for number, line in rows]
    stamps = np.array([stamp for stamp, _ in table], dtype=np.int64)
    poses = np.array([pose for _, pose in table])
    keep = _new_times(path, stamps, lines=[number for number, _ in rows])
    return TrajectoryFile(path, layout, stamps[keep], SE3.from_pose7(poses[keep]))


def _read_mps(path: str, header: str) -> TrajectoryFile:
    found = read_mps(path, header)
    keep = _new_times(path, found.timestamps_ns, lines=range(2, 2 + len(found.timestamps_ns)))
    pose = found.pose7[keep]
    length = np.linalg.norm(pose[:, 3:], axis=1)
    if not np.isfinite(pose).all() or np.abs(length - 1).max(initial=0) > UNIT_TOLERANCE:
        raise BadInputError(f"{path}: a row without a unit quaternion; export the trajectory again")
    return TrajectoryFile(
        path, "mps", found.timestamps_ns[keep], SE3.from_pose7(pose),
        world=found.world[keep], gravity_in_world=found.gravity[keep],
    )  # fmt: skip


def _new_times(path: str, stamps: NDArray[np.int64], *, lines: Sequence[int]) -> NDArray[np.bool_]:
    """The first row of every time; BadInputError names the line where time runs backwards."""
    backward = np.flatnonzero(np.diff(stamps) < 0)
    if len(backward):
        raise BadInputError(
            f"{path}: line {lines[int(backward[0]) + 1]}: time runs backwards by "
            f"{-np.diff(stamps)[backward[0]] / NS:g} s; sort the file by time"
        )
    return np.concatenate([[True], np.diff(stamps) != 0])[: len(stamps)]


def layout_of(path: str, line: str) -> str:
    """``tum`` or ``euroc``, from one line of data."""
    if "," in line:
        columns = line.split(",")
        if len(columns) < 8:
            raise BadInputError(
                f"{path}: {len(columns)} columns separated by commas; EuRoC ground truth has a "
                "time, a position and a quaternion (a Leica file has no rotation)"
            )
        return "euroc"
    if len(line.split()) == 8:
        return "tum"
    raise BadInputError(
        f"{path}: {len(line.split())} columns; expected TUM (timestamp tx ty tz qx qy qz qw) or "
        "EuRoC csv (timestamp, position, quaternion wxyz)"
    )


def read_extrinsics(text: str) -> SE3:
    """A pose of a camera in a body: seven numbers, or the path of a EuRoC ``sensor.yaml``.

    ``x,y,z,qw,qx,qy,qz`` in metres, or the 16 numbers of the file's ``T_BS``.
    """
    parts = text.split(",")
    if len(parts) == 7:
        try:
            return SE3.from_pose7([float(part) for part in parts])
        except ValueError as error:
            raise BadInputError(f"extrinsics {text!r}: seven numbers are needed") from error
    content = "\n".join(_lines(text))
    found = re.search(r"T_BS:.*?data:\s*\[([^\]]*)\]", content, re.DOTALL)
    if found is None:
        raise BadInputError(f"{text}: no T_BS in it; give x,y,z,qw,qx,qy,qz or a EuRoC sensor.yaml")
    numbers = [float(part) for part in found.group(1).split(",")]
    if len(numbers) != 16:
        raise BadInputError(f"{text}: T_BS has {len(numbers)} numbers, a 4 x 4 matrix has 16")
    return SE3.from_matrix(np.array(numbers).reshape(4, 4))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path}: not a text file; TUM or EuRoC csv is needed") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot read: {error.strerror}; check the path") from error


def _is_data(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _numbers(path: str, number: int, line: str, *, layout: str) -> tuple[int, list[float]]:
    """Time in nanoseconds and the pose as xyz + quaternion wxyz of one line."""
    words = [word.strip() for word in line.split(",")] if layout == "euroc" else line.split()
    if len(words) < 8 or (layout == "tum" and len(words) != 8):
        raise BadInputError(f"{path}: line {number}: {len(words)} columns; {layout} has 8")
    try:
        values = [float(word) for word in words[1:8]]
        wrong = in_other_unit(words[0], seconds=layout == "tum")
        stamp = nanoseconds(words[0], seconds=layout == "tum")
    except (ValueError, OverflowError) as error:
        raise BadInputError(
            f"{path}: line {number}: {line.strip()[:60]!r} is not all numbers; "
            "a line that is a comment or a header begins with #"
        ) from error
    if wrong:
        unit = "seconds" if layout == "tum" else "whole nanoseconds"
        raise BadInputError(
            f"{path}: line {number}: time {words[0]}: {layout} has {unit}; convert it, or write "
            "TUM (timestamp tx ty tz qx qy qz qw, blanks between, seconds)"
        )
    if not np.isfinite(values).all():
        raise BadInputError(
            f"{path}: line {number}: {line.strip()[:60]!r} is not all finite; leave the row out"
        )
    position, quat = values[:3], values[3:]
    if layout == "tum":
        quat = [quat[3], *quat[:3]]
    length = math.sqrt(sum(q * q for q in quat))
    if abs(length - 1) > UNIT_TOLERANCE:
        raise BadInputError(
            f"{path}: line {number}: quaternion of length {length:.3g}; is the file {layout}?"
        )
    return stamp, [*position, *(q / length for q in quat)]


def in_other_unit(word: str, *, seconds: bool) -> bool:
    """Whether a time cannot be in the unit that it should be: milliseconds in place of seconds, or
    seconds in place of nanoseconds."""
    value = float(word)
    return SECONDS_UNTIL < value < NANOSECONDS_FROM if seconds else not value.is_integer()


def nanoseconds(word: str, *, seconds: bool) -> int:
    """A time as it is written, without passing through a float where it can be helped."""
    if re.fullmatch(r"\d+", word):
        whole = int(word)
        return whole * NS if seconds and whole < NANOSECONDS_FROM else whole
    plain = re.fullmatch(r"(\d+)\.(\d*)", word)
    if plain is None:
        value = float(word)
        return round(value * NS if seconds and value < NANOSECONDS_FROM else value)
    whole, after = int(plain.group(1)), plain.group(2)
    if not seconds or whole >= NANOSECONDS_FROM:
        return whole
    return whole * NS + int(f"{after[:9]:0<9}")
