"""Reading, writing and checking any table. The tables themselves are in core.session.tables."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.errors import BadInputError
from core.session.columns import (
    CellError,
    check_present_cells,
    checked,
    columns_of,
    from_arrow,
    refuse_rows,
    to_arrow,
)
from core.session.layout import under
from core.session.storage import SessionFolder

SCHEMA_VERSION = "1"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """A checked, frozen table: one read-only array per column, all with N rows.

    Subclasses declare columns (core.session.columns). Constructing one checks types, shapes, finite
    values, unit quaternions, allowed words and the table's own rules; BadInputError names file,
    column, row and value. A nullable column may be left out: then all its cells are missing.
    """

    path: ClassVar[str] = ""
    along: ClassVar[tuple[str, ...]] = ()  # rows with equal values here form one track in time

    def __post_init__(self) -> None:
        try:
            self._check()
        except CellError as error:
            raise BadInputError(f"{self.path}: {error}") from error

    def __len__(self) -> int:
        first = next(iter(columns_of(type(self))))
        return len(getattr(self, first))

    @classmethod
    def empty(cls) -> Self:
        """The table with no rows."""
        specs = columns_of(cls)
        values: dict[str, Any] = {name: spec.missing(0) for name, spec in specs.items()}
        twins = {f"{n}_valid": np.zeros(0, dtype=bool) for n, s in specs.items() if s.has_twin}
        return cls(**values, **twins)

    def take(self, rows: NDArray[Any] | slice) -> Self:
        """The rows picked by a boolean mask, an index array or a slice."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self)})

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """All rows of several tables, in their order."""
        if not parts:
            return cls.empty()
        names = [f.name for f in dataclasses.fields(cls)]
        return cls(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})

    def valid_of(self, name: str) -> NDArray[np.bool_]:
        """Which cells (N,) of a column are present."""
        spec = columns_of(type(self))[name]
        if spec.follows is not None:
            return self.valid_of(spec.follows)
        if spec.has_twin:
            twin: NDArray[np.bool_] = getattr(self, f"{name}_valid")
            return twin
        values = getattr(self, name)
        if spec.kind in {"text", "maybe_bool"}:
            return np.array([value is not None for value in values], dtype=bool)
        return np.ones(len(values), dtype=bool)

    # checks

    def _check(self) -> None:
        specs = columns_of(type(self))
        rows = self._rows_of_required()
        for name, spec in specs.items():
            if getattr(self, name) is None:
                if spec.has_twin and getattr(self, f"{name}_valid") is not None:
                    raise CellError(f"column '{name}' is left out but '{name}_valid' is given")
                self._set(name, spec.left_out(rows))
                if spec.has_twin:
                    self._set(f"{name}_valid", np.zeros(rows, dtype=bool))
            else:
                self._set(name, checked(name, spec, getattr(self, name)))
                if spec.has_twin:
                    self._set(f"{name}_valid", self._checked_twin(name))
            for held in [name, f"{name}_valid"] if spec.has_twin else [name]:
                if len(getattr(self, held)) != rows:
                    count = len(getattr(self, held))
                    raise CellError(f"column '{held}' has {count} rows, the others have {rows}")
        for name, spec in specs.items():
            self._fill_missing(name)
            check_present_cells(name, spec, getattr(self, name), valid=self.valid_of(name))
            if spec.pose:
                self._set(name, _continuous(getattr(self, name), self._tracks(name)))
        self._check_rules()
        for f in dataclasses.fields(self):
            getattr(self, f.name).flags.writeable = False

    def _check_rules(self) -> None:
        """What holds between columns; subclasses say. Raises CellError."""

    def _rows_of_required(self) -> int:
        for name, spec in columns_of(type(self)).items():
            if not spec.can_miss:
                return len(getattr(self, name))
        return 0

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _checked_twin(self, name: str) -> NDArray[np.bool_]:
        twin = getattr(self, f"{name}_valid")
        if twin is None:
            raise CellError(f"column '{name}' is given without '{name}_valid'")
        array = np.array(twin)
        if (array.size and array.dtype != np.bool_) or array.ndim != 1:
            raise CellError(
                f"column '{name}_valid': {array.dtype} {array.shape}, bool (N,) is needed"
            )
        return array.astype(np.bool_)

    def _fill_missing(self, name: str) -> None:
        spec = columns_of(type(self))[name]
        if spec.has_twin or spec.follows is not None:
            absent = ~self.valid_of(name)
            values = getattr(self, name)
            values[absent] = spec.missing(int(absent.sum()))

    def _tracks(self, name: str) -> list[NDArray[np.intp]]:
        """Row numbers with a valid cell, one array per track of `along`."""
        valid = self.valid_of(name)
        if not self.along:
            return [np.flatnonzero(valid)]
        keys = np.array(
            ["\0".join(k) for k in zip(*self._along_texts(), strict=True)], dtype=object
        )
        return [np.flatnonzero(valid & (keys == key)) for key in sorted(set(keys.tolist()))]

    def _along_texts(self) -> list[list[str]]:
        return [[str(v) for v in getattr(self, column)] for column in self.along]

    def refuse(self, name: str, bad: NDArray[np.bool_], why: str) -> None:
        """Raise CellError naming the first bad row of a column."""
        refuse_rows(name, bad, getattr(self, name), why=why)

    def refuse_not_rising(self, name: str, rows: NDArray[np.bool_] | None = None) -> None:
        """Raise CellError unless the column strictly rises along each track (within `rows`)."""
        values = getattr(self, name)
        chosen = np.ones(len(self), dtype=bool) if rows is None else rows
        tracks = self._tracks(name)
        bad = np.zeros(len(self), dtype=bool)
        for track in tracks:
            kept = track[chosen[track]]
            bad[kept[1:]] |= np.diff(values[kept]) <= 0
        self.refuse(name, bad, "is not later than the row before it")

    # disk

    @classmethod
    def schema(cls) -> pa.Schema:
        """The Parquet schema, from the declarations alone."""
        specs = columns_of(cls)
        fields = [pa.field(n, s.arrow_type, nullable=s.can_miss) for n, s in specs.items()]
        about = {"handoff_table": cls.__name__, "handoff_schema_version": SCHEMA_VERSION}
        return pa.schema(fields, metadata=about)

    def write(self, folder: SessionFolder, root: str = "") -> str:
        """Write to its place in the folder (below `root`), atomically; gives the relative path."""
        specs = columns_of(type(self))
        arrays = []
        for name, spec in specs.items():
            arrays.append(to_arrow(spec, getattr(self, name), self.valid_of(name)))
        table = pa.Table.from_arrays(arrays, schema=self.schema())
        path = under(root, self.path)
        with folder.atomic_path(path) as partial:
            pq.write_table(table, partial, compression="zstd", write_page_checksum=True)
        return path

    @classmethod
    def read(cls, folder: SessionFolder, root: str = "") -> Self:
        """Read from its place in the folder (below `root`). Errors name file, column and row."""
        path = under(root, cls.path)
        place = folder.place(path)
        data = folder.read_bytes(path)
        try:
            file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
            table = file.read()
        except (pa.ArrowException, OSError) as error:
            first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BadInputError(
                f"{place}: not a readable Parquet file ({first_line}); "
                "remove it and run the stage that makes it again"
            ) from error
        try:
            return cls(**_columns_from(cls, table))
        except CellError as error:
            raise BadInputError(f"{place}: {error}") from error
        except BadInputError as error:
            raise BadInputError(f"{place}{str(error).removeprefix(cls.path)}") from error


def _columns_from(cls: type[Table], table: pa.Table) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    for name, spec in columns_of(cls).items():
        if name not in table.column_names:
            if spec.optional:
                continue
            raise CellError(f"column '{name}' is missing; it has {', '.join(table.column_names)}")
        chunked = table.column(name)
        if not _same_type(chunked.type, spec.arrow_type):
            raise CellError(f"column '{name}' is {chunked.type}, {spec.arrow_type} is needed")
        try:
            values, valid = from_arrow(spec, chunked.combine_chunks())
        except CellError as error:
            raise CellError(f"column '{name}' {error}") from error
        if not spec.can_miss and not valid.all():
            row = int(np.argmin(valid))
            raise CellError(f"column '{name}', row {row}: is missing, and may not be")
        columns[name] = values
        if spec.has_twin:
            columns[f"{name}_valid"] = valid
    return columns


def _same_type(found: pa.DataType, needed: pa.DataType) -> bool:
    lists = [pa.types.is_list(t) or pa.types.is_fixed_size_list(t) for t in (found, needed)]
    if all(lists):  # the field name inside a list, and fixed or not, is the writer's affair
        return bool(found.value_type == needed.value_type)
    return bool(found == needed)


def _continuous(poses: NDArray[Any], tracks: list[NDArray[np.intp]]) -> NDArray[Any]:
    """Flip quaternions so that neighbours along a track lie in the same hemisphere."""
    for track in tracks:
        quats = poses[track, 3:7]
        dots = np.einsum("ij,ij->i", quats[1:], quats[:-1])
        signs = np.cumprod(np.concatenate([[1.0], np.where(dots < 0, -1.0, 1.0)]))
        poses[track, 3:7] = quats * signs[: len(quats), None]
    return poses
