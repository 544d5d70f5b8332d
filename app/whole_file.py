"""A file a command was asked for: whole, or the old one as it was."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import BadInputError, StorageError
from core.session.layout import RAW, SESSION_JSON


@contextmanager
def whole_file(path: Path, *, option: str) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed to it at the end, removed after an error.

    An OSError inside becomes a StorageError of one line that names the file and the option.
    Raises BadInputError for a place among raw recordings.
    """
    refuse_raw(path, option=option)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()  # a place that cannot be written says so before any work
        yield partial
        partial.replace(path)
    except OSError as error:
        why = f"{path}: cannot write: {error.strerror}"
        raise StorageError(f"{why}; free some space or choose another {option}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def refuse_raw(path: Path, *, option: str) -> None:
    """Nothing is written among a session's raw recordings."""
    for folder in path.resolve().parents:
        if folder.name == RAW and (folder.parent / SESSION_JSON).exists():
            raise BadInputError(
                f"{path}: lies among the raw recordings of a session, which nothing changes; "
                f"choose another {option}"
            )
