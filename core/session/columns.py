"""One declaration per column: the dataclass field *is* the Parquet column.

``timestamp_ns: NDArray[np.int64] = column("i64")`` says type, width and whether a cell may be
missing; checking, reading and writing all follow from it. In memory every column is one array with
N rows. A column that may be missing has a twin ``<name>_valid`` of N booleans; under False the
value is NaN (floats) or -1 (integers), and null on disk. A column that `follows` another is missing
where that is.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Kind = Literal["i32", "i64", "f32", "f64", "bool", "text", "maybe_bool"]

_NUMPY: dict[str, np.dtype[Any]] = {
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "bool": np.dtype(np.bool_),
    "text": np.dtype(object),
    "maybe_bool": np.dtype(object),
}
_ARROW: dict[str, pa.DataType] = {
    "i32": pa.int32(),
    "i64": pa.int64(),
    "f32": pa.float32(),
    "f64": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "maybe_bool": pa.bool_(),
}
UNIT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Column:
    """What one column holds.

    kind: cell type.   width: numbers per cell, None for a single one.   nullable: cells may be
    missing.
    optional: the whole column may be absent on disk (then every cell is missing).
    follows: name of the nullable column whose missing cells this one shares.
    allowed: the only texts it may hold.   pose: cells are xyz + unit quaternion wxyz.
    unbounded: +inf is a value ("nothing is known in this direction"), as a sigma may be.
    """

    kind: Kind
    width: int | None = None
    nullable: bool = False
    optional: bool = False
    follows: str | None = None
    allowed: tuple[str, ...] = ()
    pose: bool = False
    unbounded: bool = False

    @property
    def numpy_type(self) -> np.dtype[Any]:
        return _NUMPY[self.kind]

    @property
    def can_miss(self) -> bool:
        """May single cells be missing?"""
        return self.nullable or self.follows is not None

    @property
    def arrow_type(self) -> pa.DataType:
        """The type on disk. Arrow cannot read back fixed-size lists with nulls: those are plain
        lists.
        """
        cell = _ARROW[self.kind]
        if self.width is None:
            return cell
        return pa.list_(cell) if self.can_miss else pa.list_(cell, self.width)

    @property
    def has_twin(self) -> bool:
        """Is there a `_valid` array beside it? Texts and maybe_bool hold None instead."""
        return self.nullable and self.follows is None and self.kind not in {"text", "maybe_bool"}

    def shape(self, rows: int) -> tuple[int, ...]:
        return (rows,) if self.width is None else (rows, self.width)

    def missing(self, rows: int) -> NDArray[Any]:
        """An array of `rows` missing cells."""
        if self.kind in {"text", "maybe_bool"}:
            return np.full(rows, None, dtype=object)
        fill: Any = False if self.kind == "bool" else -1 if self.kind in {"i32", "i64"} else np.nan
        return np.full(self.shape(rows), fill, dtype=self.numpy_type)

    def left_out(self, rows: int) -> NDArray[Any]:
        """What an absent column stands for: missing cells; of an optional sigma, nothing known."""
        if self.optional and self.unbounded:
            return np.full(self.shape(rows), np.inf, dtype=self.numpy_type)
        return self.missing(rows)


def column(kind: Kind, width: int | None = None, **options: Any) -> Any:
    """Declare a column of a table (options: see Column). One that may be missing can be left
    out.
    """
    spec = Column(kind, width, **options)
    if spec.can_miss:
        return field(default=None, metadata={"column": spec})
    return field(metadata={"column": spec})


def pose_column(**options: Any) -> Any:
    """Declare a nullable pose: f64[7], metres, quaternion wxyz."""
    return column("f64", 7, nullable=True, pose=True, **options)


def validity() -> Any:
    """Declare the `_valid` twin of the nullable column of the same name."""
    return field(default=None, metadata={"twin": True})


def columns_of(table: type[Any]) -> dict[str, Column]:
    """Name -> Column, in the order of the file."""
    return {
        f.name: f.metadata["column"] for f in dataclasses.fields(table) if "column" in f.metadata
    }


class CellError(ValueError):
    """A column breaks its declaration; the text names column, row and value."""


def checked(name: str, spec: Column, value: Any) -> NDArray[Any]:
    """A read-only copy of a column with the declared type and shape, or CellError."""
    if spec.kind in {"text", "maybe_bool"}:
        array = _checked_objects(name, spec, value)
    else:
        array = _checked_numbers(name, spec, value)
    return array


def _checked_objects(name: str, spec: Column, value: Any) -> NDArray[Any]:
    given = list(value)
    array = np.empty(len(given), dtype=object)
    kept = [item.item() if isinstance(item, np.generic) else item for item in given]
    array[:] = kept
    expected: type = str if spec.kind == "text" else bool
    for row, item in enumerate(kept):
        if item is None and spec.nullable:
            continue
        if not isinstance(item, expected):
            raise CellError(f"column '{name}', row {row}: {item!r} is not {expected.__name__}")
        if spec.allowed and item not in spec.allowed:
            raise CellError(
                f"column '{name}', row {row}: {item!r} is not one of {', '.join(spec.allowed)}"
            )
    return array


def _checked_numbers(name: str, spec: Column, value: Any) -> NDArray[Any]:
    given = np.asarray(value)
    if given.size == 0 and given.ndim <= 1:
        given = given.reshape(spec.shape(0)).astype(spec.numpy_type)
    kinds = {"i": "iu", "f": "fiu", "b": "b"}[spec.numpy_type.kind]
    if given.dtype.kind not in kinds:
        raise CellError(f"column '{name}': values are {given.dtype}, {spec.numpy_type} is needed")
    if given.ndim == 0 or given.shape != spec.shape(len(given)):
        needed = "(N,)" if spec.width is None else f"(N, {spec.width})"
        raise CellError(f"column '{name}': shape {given.shape}, {needed} is needed")
    if spec.numpy_type.kind == "i" and given.size:
        limits = np.iinfo(spec.numpy_type)
        over = (given < limits.min) | (given > limits.max)
        refuse_rows(name, over, given, why=f"does not fit {spec.numpy_type}")
    return np.array(given, dtype=spec.numpy_type, copy=True)


def refuse_rows(name: str, bad: NDArray[np.bool_], values: NDArray[Any], *, why: str) -> None:
    """Raise CellError for the first row where `bad` is True (in any entry of the row)."""
    rows = bad.reshape(len(bad), -1).any(axis=1) if len(bad) else np.zeros(0, dtype=bool)
    if rows.any():
        row = int(np.argmax(rows))
        raise CellError(f"column '{name}', row {row}: {_shown(values[row])} {why}")


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(f"{x:.6g}" for x in value.tolist()[:8]) + "]"
    return str(value)


def check_present_cells(name: str, spec: Column, values: NDArray[Any], *, valid: Any) -> None:
    """Present floats must be finite, present quaternions of length 1; else CellError."""
    if spec.kind in {"f32", "f64"}:
        allowed = np.isfinite(values) | (np.isposinf(values) if spec.unbounded else False)
        present = valid if spec.width is None else valid[:, None]
        refuse_rows(name, ~allowed & present, values, why="is not finite; mark it missing instead")
    if spec.pose:
        norms = np.linalg.norm(values[:, 3:7], axis=1)
        off = valid & ~(np.abs(norms - 1.0) <= UNIT_TOLERANCE)
        refuse_rows(name, off, values, why="is no pose: quaternion wxyz is not of length 1")


def to_arrow(spec: Column, values: NDArray[Any], valid: NDArray[np.bool_]) -> pa.Array:
    """One Arrow array of the declared type; `valid` (N,) says which cells are present."""
    if spec.width is None:
        return pa.array(values, type=spec.arrow_type, mask=~valid, from_pandas=False)
    flat = pa.array(np.ascontiguousarray(values[valid]).reshape(-1), type=_ARROW[spec.kind])
    if not spec.can_miss:
        return pa.FixedSizeListArray.from_arrays(flat, type=spec.arrow_type)
    offsets = np.concatenate([[0], np.cumsum(valid) * spec.width]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), flat, type=spec.arrow_type, mask=pa.array(~valid)
    )


def from_arrow(spec: Column, array: pa.Array) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values (missing cells filled) and validity (N,) of one Arrow array of the declared type."""
    valid = _plain(array.is_valid()).astype(bool)
    rows = len(array)
    if spec.kind in {"text", "maybe_bool"}:
        values = np.empty(rows, dtype=object)
        values[:] = array.to_pylist()
        return values, valid
    values = spec.missing(rows)
    present = array.drop_null()
    if spec.width is not None:
        present = _entries(spec.width, array, present)
    values[valid] = _plain(present).reshape(spec.shape(int(valid.sum())))
    return values, valid


def _entries(width: int, array: pa.Array, present: pa.Array) -> pa.Array:
    """The numbers inside the present vectors, all of which must have the declared width."""
    lengths = _plain(pc.list_value_length(present))
    if (lengths != width).any():
        wrong = int(np.argmax(lengths != width))
        row = int(np.flatnonzero(_plain(array.is_valid()))[wrong])
        raise CellError(f"row {row}: has {lengths[wrong]} entries, {width} are needed")
    entries = present.flatten()
    if entries.null_count:
        raise CellError("holds a vector with a missing entry")
    return entries


def _plain(array: pa.Array) -> NDArray[Any]:
    """Numbers without nulls; flags as 0 and 1. Not by `to_numpy`: where pandas is installed that
    imports it, a quarter of a second for every process.
    """
    return np.from_dlpack(array.cast(pa.uint8()) if pa.types.is_boolean(array.type) else array)
