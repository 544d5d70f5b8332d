"""Where people's labels live: the rig's file in raw/, and annotate/labels.json.

The stage only reads both, so running it again never loses what a person wrote.
"""

import dataclasses
import json
from collections import Counter
from pathlib import Path

from annotate.config import AnnotateConfig
from annotate.labels import Label, check_labels, parse_labels
from annotate.proposals import recording_span_ns
from core.errors import BadInputError
from core.session.documents import write_document
from core.session.info import SessionInfo
from core.session.layout import TICKS
from core.session.storage import SessionFolder
from core.session.tables import Ticks

IMPORTED = "annotate/labels.json"
FORMAT = 1


def raw_label_paths(folder: SessionFolder) -> list[str]:
    """The rig's label files inside the session folder."""
    return [stream.path for stream in SessionInfo.read(folder).streams if stream.kind == "labels"]


def label_paths(folder: SessionFolder) -> list[str]:
    """Every file of labels that exists; imported ones last."""
    return raw_label_paths(folder) + ([IMPORTED] if folder.exists(IMPORTED) else [])


def read_labels(folder: SessionFolder) -> list[Label]:
    """All labels of the session; on a track that was imported, only the imported ones."""
    origin_ns = SessionInfo.read(folder).clock_origin
    labels: list[Label] = []
    for path in label_paths(folder):
        data = (
            _without_format(folder.read_bytes(path))
            if path == IMPORTED
            else folder.read_bytes(path)
        )
        arrived = parse_labels(data, folder.place(path), origin_ns=origin_ns)
        labels = merged(labels, arrived)
    return labels


def merged(labels: list[Label], arrived: list[Label]) -> list[Label]:
    """The new labels, and those old ones whose track the new ones do not touch."""
    tracks = {label.track for label in arrived}
    return [label for label in labels if label.track not in tracks] + arrived


def import_labels(folder: SessionFolder, path: Path) -> dict[str, int]:
    """Check a CSV or JSON file of labels and keep it in the session; gives labels per track.

    The tracks it names are replaced, others stay. Raises BadInputError with file, row, value, cure;
    then nothing has changed. `handoff run` afterwards makes segments of them.
    """
    info = SessionInfo.read(folder)
    if not folder.exists(TICKS):
        raise BadInputError(
            f"{folder.place(TICKS)}: the recording's times are not known yet; "
            f"run: handoff run {folder.url} --until capture"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot read: {error.strerror}; check the path") from error
    arrived = parse_labels(data, str(path), origin_ns=info.clock_origin)
    if not arrived:
        raise BadInputError(f"{path}: holds no labels; write one row per span below the header")
    start_ns, end_ns = recording_span_ns(Ticks.read(folder))
    edge_ns = int(AnnotateConfig().edge_s * 1e9)
    arrived = check_labels(arrived, start_ns=start_ns, end_ns=end_ns, edge_ns=edge_ns)
    arrived = [dataclasses.replace(x, author=x.author or path.name) for x in arrived]
    before: list[Label] = []
    if folder.exists(IMPORTED):
        data = _without_format(folder.read_bytes(IMPORTED))
        before = parse_labels(data, folder.place(IMPORTED), origin_ns=info.clock_origin)
    _write(folder, merged(before, arrived))
    return dict(Counter(label.track for label in arrived))


def _write(folder: SessionFolder, labels: list[Label]) -> None:
    rows = [dataclasses.asdict(label) for label in labels]
    for row in rows:
        del row["source"]
    write_document(folder, IMPORTED, {"format": FORMAT, "labels": rows})


def _without_format(data: bytes) -> bytes:
    """The bytes of labels.json as an ordinary label file; BadInputError when damaged."""
    try:
        document = json.loads(data)
        number, labels = document["format"], document["labels"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{IMPORTED}: damaged ({error}); import the labels again") from error
    if number != FORMAT:
        raise BadInputError(f"{IMPORTED}: format {number}, this version reads {FORMAT}; upgrade")
    return json.dumps(labels).encode()
