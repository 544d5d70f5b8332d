"""Copies into a session folder: each file whole or not at all, and proven by its hash."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import StorageError
from core.session.hashes import HashCache
from core.session.layout import RAW, TRUTH
from core.session.storage import SessionFolder, storage_errors

TRUTH_SUFFIXES = {".parquet", ".json"}


@dataclass(frozen=True, eq=False)
class Item:
    """One file to copy to raw/, or bytes to write where the recording has no such file."""

    name: str
    raw_name: str
    kind: str
    sha256: str
    path: Path | None = None
    data: bytes = b""


def item_of(name: str, path: Path, kind: str, *, raw_name: str | None = None) -> Item:
    """A file of the recording, hashed where it lies."""
    return Item(name, raw_name or path.name, kind, _sha256(path), path=path)


def copy_items(items: Sequence[Item], folder: SessionFolder) -> None:
    """Copy what is not there yet. StorageError when a file changes or the disk is full."""
    folder.remove_unfinished(RAW)
    for item in items:
        target = f"{RAW}/{item.raw_name}"
        if item.path is not None:
            _copy(item.path, folder, target=target, sha256=item.sha256)
        else:
            folder.write_bytes(target, item.data)


def copy_truth(source: Path, folder: SessionFolder) -> None:
    """Take along the exact tables that lie beside a synthetic recording; no stage reads them."""
    root = source / TRUTH
    if not root.is_dir() or root.is_symlink():
        return
    folder.remove_unfinished(TRUTH)
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix in TRUTH_SUFFIXES:
            target = f"{TRUTH}/{path.relative_to(root).as_posix()}"
            _copy(path, folder, target=target, sha256=_sha256(path))


def _copy(path: Path, folder: SessionFolder, *, target: str, sha256: str) -> None:
    if folder.exists(target) and folder.sha256(target) == sha256:
        return
    with folder.atomic_path(target) as partial:
        shutil.copyfile(path, partial)
    if folder.sha256(target) != sha256:
        folder.remove(target)
        raise StorageError(
            f"{path}: changed while it was copied; wait until it is whole and ingest again"
        )


def _sha256(path: Path) -> str:
    with storage_errors("read", str(path)):
        return HashCache.of_user().sha256(path)
