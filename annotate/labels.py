"""People's labels as they arrive: a CSV or JSON file of time spans with text, one row per span.

CSV header ``track,start_s,end_s,text`` plus any of ``task,success,verb,object,author``; JSON is a
list of objects with the same names, or ``{"labels": [...]}``. ``start_s`` counts from the session's
clock origin; ``start_ns`` and ``end_ns`` are absolute on the session clock. Nothing is guessed: an
error names the file, the row, the value and the cure.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from core.errors import BadInputError

TRACKS = ("episode", "left", "right", "both", "phase")
REQUIRED = ("track", "text")
OPTIONAL = ("task", "success", "verb", "object", "author")
TIMES = ("start_s", "end_s", "start_ns", "end_ns")
KNOWN = (*REQUIRED, *TIMES, *OPTIONAL)
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": None}


@dataclass(frozen=True)
class Label:
    """One labelled span ``[start_ns, end_ns)`` of one track, by a person.

    source: the file and row it came from, for messages.   success: None = not said.
    """

    track: str
    start_ns: int
    end_ns: int
    text: str
    task: str = ""
    success: bool | None = None
    verb: str = ""
    object: str = ""
    author: str = ""
    source: str = ""


def parse_labels(data: bytes, name: str, *, origin_ns: int) -> list[Label]:
    """Labels of a CSV or JSON file (by its extension). Errors name file, row, value and cure."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{name}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    if name.lower().endswith(".json"):
        rows = _json_rows(text, name)
    elif name.lower().endswith(".csv"):
        rows = _csv_rows(text, name)
    else:
        raise BadInputError(f"{name}: labels are read from .csv or .json; save them so")
    return [_label(row, where, origin_ns) for where, row in rows]


def _csv_rows(text: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
    _check_columns(reader.fieldnames or [], name)
    rows = []
    try:
        for row in reader:
            where = f"{name}: line {reader.line_num}"
            if None in row:
                raise BadInputError(f"{where}: more values than columns; quote text with commas")
            if any((value or "").strip() for value in row.values()):
                rows.append((where, {key: value or "" for key, value in row.items()}))
    except csv.Error as error:
        raise BadInputError(f"{name}: line {reader.line_num}: {error}; check the quotes") from error
    return rows


def _json_rows(text: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInputError(f"{name}: line {error.lineno}: not JSON: {error.msg}") from error
    if isinstance(content, dict):
        content = content.get("labels")
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise BadInputError(f'{name}: expected a list of labels, or {{"labels": [...]}}')
    rows = [(f"{name}: label {number}", row) for number, row in enumerate(content, start=1)]
    for where, row in rows:
        _check_columns(list(row), where)
    return rows


def _check_columns(columns: Iterable[str], where: str) -> None:
    columns = list(columns)
    unknown = [c for c in columns if c not in KNOWN]
    if unknown:
        raise BadInputError(f"{where}: unknown column {unknown[0]!r}; known are {', '.join(KNOWN)}")
    lacking = [c for c in REQUIRED if c not in columns]
    lacking += [
        f"{end}_s" for end in ("start", "end") if not {f"{end}_s", f"{end}_ns"} & set(columns)
    ]
    if lacking:
        raise BadInputError(f"{where}: column {lacking[0]!r} is missing; add it")


def _label(row: Mapping[str, Any], where: str, origin_ns: int) -> Label:
    track = str(row["track"]).strip().lower()
    if track not in TRACKS:
        raise BadInputError(f"{where}: track {track!r}; use one of {', '.join(TRACKS)}")
    start_ns = _time(row, "start", where=where, origin_ns=origin_ns)
    end_ns = _time(row, "end", where=where, origin_ns=origin_ns)
    if end_ns <= start_ns:
        seconds = (end_ns - start_ns) / 1e9
        raise BadInputError(f"{where}: ends {-seconds:g} s before or at its start; swap the times")
    text, task = _text(row, "text"), _text(row, "task")
    if track == "episode":
        text, task = text or task, task or text
    if not text:
        raise BadInputError(f"{where}: empty text on track {track!r}; write what is done")
    return Label(
        track=track,
        start_ns=start_ns,
        end_ns=end_ns,
        text=text,
        task=task,
        success=_success(row.get("success"), where),
        verb=_text(row, "verb"),
        object=_text(row, "object"),
        author=_text(row, "author"),
        source=where,
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return "" if value is None else " ".join(str(value).split())


def _time(row: Mapping[str, Any], end: str, *, where: str, origin_ns: int) -> int:
    absolute, relative = row.get(f"{end}_ns"), row.get(f"{end}_s")
    key, value = (f"{end}_ns", absolute) if absolute not in {None, ""} else (f"{end}_s", relative)
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise BadInputError(f"{where}: {key} is {value!r}; write a number") from error
    if not number.is_finite():
        raise BadInputError(f"{where}: {key} is {value!r}; write a finite number")
    if key.endswith("_ns"):
        return int(number)
    return origin_ns + int((number * 10**9).to_integral_value())


def _success(value: Any, where: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    known = _TRUTH.get(str(value).strip().lower(), "unknown")
    if known == "unknown":
        raise BadInputError(f"{where}: success is {value!r}; use true, false or nothing")
    return known if isinstance(known, bool) else None


def check_labels(
    labels: list[Label], *, start_ns: int, end_ns: int, edge_ns: int = 0
) -> list[Label]:
    """Labels clipped to the recording ``[start_ns, end_ns)``, sorted by track and time.

    A span may overshoot by `edge_ns` (people read times off a player). Raises BadInputError for a
    span outside the recording and for two spans of one track that overlap.
    """
    kept = [_inside(x, start_ns=start_ns, end_ns=end_ns, edge_ns=edge_ns) for x in labels]
    kept.sort(key=lambda x: (TRACKS.index(x.track), x.start_ns))
    for first, second in pairwise(kept):
        if first.track == second.track and second.start_ns < first.end_ns:
            overlap_s = (first.end_ns - second.start_ns) / 1e9
            raise BadInputError(
                f"{second.source}: overlaps {first.source.rsplit(': ', 1)[-1]} on track "
                f"{first.track!r} by {overlap_s:.3f} s; end the first before the second starts"
            )
    return kept


def _inside(label: Label, *, start_ns: int, end_ns: int, edge_ns: int) -> Label:
    if label.start_ns < start_ns - edge_ns or label.end_ns > end_ns + edge_ns:
        from_s, to_s = ((t - start_ns) / 1e9 for t in (label.start_ns, label.end_ns))
        raise BadInputError(
            f"{label.source}: {from_s:.3f} to {to_s:.3f} s lies outside the recording "
            f"(0 to {(end_ns - start_ns) / 1e9:.3f} s); correct the times"
        )
    first, last = max(label.start_ns, start_ns), min(label.end_ns, end_ns)
    return replace(label, start_ns=first, end_ns=last)
