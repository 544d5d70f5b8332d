"""Small Parquet tables of `meta/`, in the form pandas would have written, without pandas."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadInputError


def write_indexed_texts(path: Path, texts: list[str], *, index: str, column: str) -> None:
    """A pandas frame whose index is the text and whose one column is its row number.

    Upstream looks tasks up by that index; a plain table of two columns gives wrong task texts.
    """
    fields = [
        _pandas_column(column, "int64", "int64"),
        _pandas_column(index, "unicode", "object"),
    ]
    names = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object"}
    pandas = {
        "index_columns": [index],
        "column_indexes": [{**names, "metadata": {"encoding": "UTF-8"}}],
        "columns": fields,
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.3.0",
    }
    schema = pa.schema(
        [(column, pa.int64()), (index, pa.string())], metadata={"pandas": json.dumps(pandas)}
    )
    table = pa.table(
        [pa.array(range(len(texts)), pa.int64()), pa.array(texts, pa.string())], schema=schema
    )
    pq.write_table(table, path)


def _pandas_column(name: str, pandas_type: str, numpy_type: str) -> dict[str, Any]:
    return {
        "name": name,
        "field_name": name,
        "pandas_type": pandas_type,
        "numpy_type": numpy_type,
        "metadata": None,
    }


def read_indexed_texts(path: Path, *, index: str, column: str) -> list[str]:
    """The texts in the order of their row numbers; the index may be pandas' unnamed one."""
    if not path.is_file():
        raise BadInputError(f"{path}: missing; the dataset is not complete")
    table = pq.read_table(path)
    key = index if index in table.column_names else "__index_level_0__"
    if key not in table.column_names or column not in table.column_names:
        raise BadInputError(f"{path}: columns {table.column_names}, expected {index} and {column}")
    rows = dict(zip(table.column(column).to_pylist(), table.column(key).to_pylist(), strict=True))
    return [rows[row] for row in sorted(rows)]


def read_json(path: Path) -> Any:
    """A JSON file of a dataset."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: missing; is this folder a dataset?") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: not valid JSON: {error}") from error


def write_json(path: Path, values: Any) -> None:
    """Write JSON that holds no NaN; a NaN here is a bug and raises ValueError."""
    text = json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
