"""Marks: the last file a stage writes, saying what made its outputs. Readers trust what a mark
lists.

A mark holds the hashes of every input and output, so "is this still what I would make?" needs no
guess.
"""

import dataclasses
import enum
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np

from core.errors import StaleError
from core.session.documents import Keys, read_document, write_document
from core.session.layout import mark_path
from core.session.storage import SessionFolder


@dataclass(frozen=True)
class Mark:
    """What made a stage's outputs. inputs, outputs: relative path -> SHA-256.   seconds: wall
    time.
    """

    stage: str
    version: int
    config: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str]
    counts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def fingerprint(self) -> str:
        """One hash over what decides the outputs: stage, version, config and the inputs' bytes."""
        decides = {
            "stage": self.stage,
            "version": self.version,
            "config": self.config,
            "inputs": self.inputs,
        }
        return hashlib.sha256(_canonical(decides).encode()).hexdigest()


def config_document(config: Any) -> dict[str, Any]:
    """A config dataclass as the plain JSON object that enters marks; tuples become lists."""
    document = _plain(config)
    if not isinstance(document, dict):
        raise TypeError(f"{type(config).__name__} is not a dataclass or dict")
    return document


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, PurePath):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a config holds {value!r}; use numbers, texts, lists and dataclasses")


def plain_counts(counts: dict[str, Any]) -> dict[str, Any]:
    """Counts as JSON values: NumPy numbers become plain ones, numbers that are not finite null."""
    return {str(key): _plain_count(value) for key, value in counts.items()}


def _plain_count(value: Any) -> Any:
    if isinstance(value, dict):
        return plain_counts(value)
    if isinstance(value, list | tuple):
        return [_plain_count(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_mark(folder: SessionFolder, room: str, mark: Mark) -> str:
    """Write a stage's mark; the last thing it does. Gives the path."""
    return write_document(folder, mark_path(room, mark.stage), dataclasses.asdict(mark))


def read_mark(folder: SessionFolder, room: str, stage: str) -> Mark | None:
    """The mark of a stage, None where it has not finished. BadInputError when it is damaged."""
    path = mark_path(room, stage)
    if not folder.exists(path):
        return None
    keys = Keys(folder.place(path), read_document(folder, path))
    mark = Mark(
        stage=keys.text("stage"),
        version=keys.integer("version"),
        config=keys.get("config", dict, "an object is needed"),
        inputs=_hashes(keys, "inputs"),
        outputs=_hashes(keys, "outputs"),
        counts=keys.get("counts", dict, "an object is needed"),
        warnings=[str(w) for w in keys.get("warnings", list, "a list is needed")],
        seconds=keys.number("seconds"),
    )
    if mark.stage != stage:
        raise keys.refuse("stage", f"this file is the mark of {stage!r}; remove it and run again")
    return mark


def _hashes(keys: Keys, key: str) -> dict[str, str]:
    values = keys.get(key, dict, "an object of path: sha256 is needed")
    if not all(isinstance(value, str) for value in values.values()):
        raise keys.refuse(key, "an object of path: sha256 is needed")
    return dict(values)


def remove_mark(folder: SessionFolder, room: str, stage: str) -> None:
    """Take back "done"; the first thing a rerun does."""
    folder.remove(mark_path(room, stage))


def hashes_of(folder: SessionFolder, paths: list[str]) -> dict[str, str]:
    """SHA-256 of each path, sorted by path."""
    return {path: folder.sha256(path) for path in sorted(set(paths))}


def why_stale(
    folder: SessionFolder,
    mark: Mark,
    *,
    version: int,
    config: dict[str, Any],
    inputs: dict[str, str],
) -> str | None:
    """Why a mark does not stand for this version, config and inputs; None when it does.

    Outputs are hashed too: a file changed by hand, or lost, makes its stage stale.
    """
    if mark.version != version:
        return f"stage version {mark.version} is now {version}"
    if _canonical(mark.config) != _canonical(config):
        return f"config changed: {', '.join(_changed(mark.config, config))}"
    if mark.inputs != inputs:
        return f"input changed: {', '.join(_changed(mark.inputs, inputs))}"
    for path, digest in mark.outputs.items():
        if not folder.exists(path):
            return f"output is gone: {path}"
        if folder.sha256(path) != digest:
            return f"output was changed: {path}"
    return None


def is_current(
    folder: SessionFolder,
    mark: Mark | None,
    *,
    version: int,
    config: dict[str, Any],
    inputs: dict[str, str],
) -> bool:
    """Would running the stage again give what the mark already lists?"""
    if mark is None:
        return False
    return why_stale(folder, mark, version=version, config=config, inputs=inputs) is None


def _canonical(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True)


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def finished(folder: SessionFolder, path: str) -> bool:
    """Does a mark stand for this file?"""
    try:
        require_output(folder, path)
    except StaleError:
        return False
    return True


def require_output(folder: SessionFolder, path: str) -> str:
    """The path, if a mark of its room lists it and its bytes are what the mark says.

    StaleError otherwise: the file is unfinished, changed, or was never made.
    """
    room = path.partition("/")[0]
    cure = f"run: handoff run {folder.url}"
    for name in folder.ls(room) if folder.exists(room) else []:
        stage = name.removeprefix(f"{room}/_done.").removesuffix(".json")
        if mark_path(room, stage) != name:
            continue
        mark = read_mark(folder, room, stage)
        if mark is None or path not in mark.outputs:
            continue
        if not folder.exists(path):
            raise StaleError(f"{folder.place(path)}: listed as done by {stage}, but gone; {cure}")
        if folder.sha256(path) != mark.outputs[path]:
            raise StaleError(f"{folder.place(path)}: changed since {stage} made it; {cure}")
        return path
    raise StaleError(f"{folder.place(path)}: no finished stage made this file; {cure}")
