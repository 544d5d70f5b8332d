"""JSON files of the session folder: read with errors that name file, key and value; written
atomically.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from core.errors import BadInputError
from core.session.storage import SessionFolder


def read_document(folder: SessionFolder, path: str) -> dict[str, Any]:
    """The JSON object in a file. BadInputError when it is not one."""
    data = folder.read_bytes(path)
    try:
        document = json.loads(data)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{folder.place(path)}: not valid JSON ({error}); "
            "remove it and run the command that makes it again"
        ) from error
    if not isinstance(document, dict):
        raise BadInputError(f"{folder.place(path)}: holds {type(document).__name__}, not an object")
    return document


def write_document(folder: SessionFolder, path: str, document: dict[str, Any]) -> str:
    """Write a JSON object, indented, keys in the given order; NaN is refused. Gives the path."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    folder.write_bytes(path, (text + "\n").encode())
    return path


@contextmanager
def located(place: str) -> Iterator[None]:
    """Errors about values read from a place name it, once."""
    try:
        yield
    except BadInputError as error:
        if str(error).startswith(place):
            raise
        raise BadInputError(f"{place}: {error}") from error


class Keys:
    """Typed access to one JSON object; every error says file, key and value."""

    def __init__(self, place: str, document: dict[str, Any]) -> None:
        self.place = place
        self._document = document

    def __contains__(self, key: str) -> bool:
        return self._document.get(key) is not None

    def refuse(self, key: str, why: str) -> BadInputError:
        """The error for one key, to be raised."""
        return BadInputError(f"{self.place}: '{key}' is {self._document.get(key)!r}; {why}")

    def get(self, key: str, kind: type[Any] | tuple[type[Any], ...], why: str) -> Any:
        """The value, which must be of this kind (True is no number)."""
        if key not in self._document:
            raise BadInputError(f"{self.place}: '{key}' is missing; {why}")
        value = self._document[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.refuse(key, why)
        return value

    def text(self, key: str) -> str:
        """A text, possibly empty."""
        return cast(str, self.get(key, str, "a text is needed"))

    def integer(self, key: str) -> int:
        """A whole number."""
        return cast(int, self.get(key, int, "a whole number is needed"))

    def number(self, key: str) -> float:
        """A finite number."""
        value = float(self.get(key, (int, float), "a number is needed"))
        if not math.isfinite(value):
            raise self.refuse(key, "a finite number is needed")
        return value

    def numbers(self, key: str, count: int) -> list[float]:
        """A list of exactly `count` finite numbers."""
        why = f"a list of {count} numbers is needed"
        values = self.get(key, list, why)
        numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        if len(values) != count or not numeric or not all(math.isfinite(v) for v in values):
            raise self.refuse(key, why)
        return [float(value) for value in values]

    def part(self, key: str) -> "Keys":
        """The object below a key."""
        value = self.get(key, dict, "an object is needed")
        return Keys(f"{self.place}: {key}", value)

    def parts(self) -> list[tuple[str, "Keys"]]:
        """Every key with the object below it."""
        return [(key, self.part(key)) for key in self._document]

    def items(self, key: str) -> list["Keys"]:
        """The objects of a list."""
        values = self.get(key, list, "a list of objects is needed")
        if not all(isinstance(value, dict) for value in values):
            raise self.refuse(key, "a list of objects is needed")
        return [Keys(f"{self.place}: {key}[{i}]", value) for i, value in enumerate(values)]
