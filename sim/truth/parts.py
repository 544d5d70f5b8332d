"""Writing tables under ``truth/`` part by part, so that no take waits in memory as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.session.columns import columns_of, to_arrow
from core.session.layout import TRUTH, under
from core.session.storage import SessionFolder
from core.session.table import Table

ROWS = 1800  # moments worked on at a time: a minute of pictures
GROUP_ROWS = 4096  # of a stage's table that lie together in the file; shorter takes are one group

T = TypeVar("T", bound=Table)
Poses = dict[tuple[str, str], NDArray[Any]]  # (column, track): the quaternion written last


def row_parts(count: int) -> Iterator[slice]:
    """Slices of `ROWS` rows that cover ``count``."""
    for start in range(0, count, ROWS):
        yield slice(start, min(start + ROWS, count))


def write_columns(
    folder: SessionFolder, path: str, parts: Iterable[dict[str, NDArray[Any]]]
) -> None:
    """A table of plain columns at ``truth/path``, each part a group of rows.

    2-D arrays become fixed-size lists; a NaN in a 1-D one is a value there is not.
    """
    with _parquet(folder, under(TRUTH, path)) as append:
        for columns in parts:
            append(pa.table({name: _plain(values) for name, values in columns.items()}))


@contextmanager
def table_parts(folder: SessionFolder, kind: type[T]) -> Iterator[Callable[[T], None]]:
    """A stage's table under ``truth/``: call what is given with its parts, in the file's order."""
    waiting: list[T] = []
    last: Poses = {}
    groups = 0
    with _parquet(folder, under(TRUTH, kind.path), write_page_checksum=True) as append:

        def write() -> None:
            nonlocal groups
            append(_arrow(kind.concat(waiting), last))
            waiting.clear()
            groups += 1

        def add(part: T) -> None:
            waiting.append(part)
            if sum(map(len, waiting)) >= GROUP_ROWS:
                write()

        yield add
        if waiting or not groups:
            write()


@contextmanager
def _parquet(
    folder: SessionFolder, path: str, **options: Any
) -> Iterator[Callable[[pa.Table], None]]:
    """A file that grows by what is appended, and is there when the block ends without error."""
    with ExitStack() as opened:
        file: Any = None

        def append(table: pa.Table) -> None:
            nonlocal file
            if file is None:
                local = opened.enter_context(folder.atomic_path(path))
                writer = pq.ParquetWriter(local, table.schema, compression="zstd", **options)
                file = opened.enter_context(writer)
            file.write_table(table)

        yield append


def _plain(values: NDArray[Any]) -> pa.Array:
    if values.dtype == object:
        return pa.array(values.tolist(), pa.string())
    if values.ndim > 1:
        flat = values.reshape(len(values), -1)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
    return pa.array(values, from_pandas=True)


def _arrow(part: Table, last: Poses) -> pa.Table:
    """The part as it lies in the file, its quaternions going on from ``last``, which is renewed."""
    arrays = []
    for name, spec in columns_of(type(part)).items():
        values = getattr(part, name)
        if spec.pose:
            values = _going_on(part, name, last)
        arrays.append(to_arrow(spec, values, part.valid_of(name)))
    return pa.Table.from_arrays(arrays, schema=type(part).schema())


def _going_on(part: Table, name: str, last: Poses) -> NDArray[Any]:
    """A pose column (N, 7) whose tracks begin in the hemisphere where they ended before."""
    poses = getattr(part, name).copy()
    keys = [[str(value) for value in getattr(part, along)] for along in part.along]
    tracks = np.array([" ".join(key) for key in zip(*keys, strict=True)] or [""] * len(part))
    for track in np.unique(tracks).tolist():
        rows = np.flatnonzero((tracks == track) & part.valid_of(name))
        if not len(rows):
            continue
        before = last.get((name, track))
        if before is not None and before @ poses[rows[0], 3:] < 0:
            poses[rows, 3:] *= -1.0
        last[name, track] = poses[rows[-1], 3:].copy()
    return poses
