"""A session folder on any fsspec file system: a local path, ``s3://…`` or, in tests,
``memory://…``.

Writes are atomic: a reader sees the old bytes or the new ones, never half of either. Locally that
is a temporary file, fsync and rename; an object store replaces an object in one step by itself.
"""

import errno
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import fsspec

from core.errors import BadInputError, MissingExtraError, StorageError
from core.session.hashes import HashCache, cache_folder, hash_stream

PART_SUFFIX = ".part"  # what a killed write leaves behind: `.name.<random>.part`, never listed

_CURES = {
    errno.ENOSPC: "the disk is full; free some space there and run again",
    errno.EDQUOT: "the disk quota is used up; free some space there and run again",
    errno.EFBIG: "the file is larger than this system allows; raise the limit and run again",
    errno.EROFS: "the file system is read-only; mount it writable or copy the session elsewhere",
    errno.EACCES: "permission denied; change the owner or mode of the folder and run again",
    errno.EPERM: "permission denied; change the owner or mode of the folder and run again",
    errno.ENOENT: "no such file; check the path",
    errno.ENOTDIR: "a part of this path is a file, not a folder; check the path",
    errno.EISDIR: "this is a folder, a file was expected; check the path",
    errno.EIO: "the device reports an input/output error; check the disk",
}


# the ones that speak of the place being written, whatever else the writing block does
_OF_WRITING = frozenset(_CURES) - {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}


@contextmanager
def storage_errors(verb: str, place: str, *, only: frozenset[int] | None = None) -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError of one line: file, what is wrong, cure.

    only: error numbers to turn; others pass through unchanged. None turns all.
    """
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        raise StorageError(f"{place}: cannot {verb}: {_cure(error)}") from error


def _cure(error: OSError) -> str:
    code = error.errno
    if code is None and isinstance(error, FileNotFoundError):
        code = errno.ENOENT
    if code in _CURES:
        return _CURES[code]
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    return f"{first_line}; check the disk and the path"


class SessionFolder:
    """One folder reached through fsspec. Every path given to it is relative to it.

    url: what it was opened with; of local folders the absolute path without links.
    name: its last part, the session's id.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        text = os.fspath(url)
        try:
            # listings are never remembered: other processes write into the same folder
            self._fs, root = fsspec.core.url_to_fs(text, use_listings_cache=False)
        except ImportError as error:
            raise MissingExtraError(
                f"{text}: {error}; for s3:// addresses: pip install 'handoff-ego[s3]'"
            ) from error
        except ValueError as error:
            raise BadInputError(f"{text}: cannot open this kind of address: {error}") from error
        self.is_local: bool = "file" in _protocols(self._fs)
        if self.is_local:  # one folder has one name, whatever links and dots lead to it
            root = os.path.realpath(root)
        self._root: str = root.rstrip("/") or "/"
        self.url: str = self._root if self.is_local else cast(str, self._fs.unstrip_protocol(root))
        self.url = self.url.rstrip("/") or "/"
        self.name: str = PurePosixPath(self._root).name

    def __repr__(self) -> str:
        return f"SessionFolder({self.url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SessionFolder) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __reduce__(self) -> tuple[Any, ...]:
        return (SessionFolder, (self.url,))

    def place(self, path: str = "") -> str:
        """The full address of a path, for messages."""
        return f"{self.url}/{path}" if path else self.url

    def _full(self, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\\" in path:
            raise BadInputError(
                f"{self.url}: {path!r} is not a path inside the session folder; "
                "use a relative path without '..'"
            )
        return f"{self._root}/{'/'.join(parts)}"

    # reading

    def exists(self, path: str) -> bool:
        """Is there a file (or folder) at this path?"""
        full = self._full(path)
        with storage_errors("look up", self.place(path)):
            return os.path.exists(full) if self.is_local else bool(self._fs.exists(full))

    def read_bytes(self, path: str) -> bytes:
        """The whole file. Raises StorageError when it is missing or unreadable."""
        with storage_errors("read", self.place(path)):
            return cast(bytes, self._fs.cat_file(self._full(path)))

    def open(self, path: str, mode: str = "rb") -> IO[bytes]:
        """A binary stream for reading; writing goes through write_bytes and atomic_path alone."""
        if mode != "rb":
            raise ValueError(f"mode {mode!r}: folders are written by write_bytes and atomic_path")
        with storage_errors("read", self.place(path)):
            return cast(IO[bytes], self._fs.open(self._full(path), "rb"))

    def size(self, path: str) -> int:
        """Bytes in the file."""
        with storage_errors("read", self.place(path)):
            return int(self._fs.size(self._full(path)))

    def sha256(self, path: str) -> str:
        """Hex digest of the file; large unchanged local files are not read again."""
        full = self._full(path)
        with storage_errors("read", self.place(path)):
            if self.is_local:
                return HashCache.of_user().sha256(Path(full))
            with self._fs.open(full, "rb") as stream:
                return hash_stream(stream)

    def ls(self, path: str = "") -> list[str]:
        """Every file below a path, relative to the folder, sorted, without unfinished writes."""
        full = self._full(path) if path else self._root
        with storage_errors("list", self.place(path)):
            found = self._fs.find(full)
        relative = [str(name)[len(self._root) :].lstrip("/") for name in found]
        return sorted(name for name in relative if not name.endswith(PART_SUFFIX))

    def local_path(self, path: str) -> Path:
        """A local file with the same bytes: the file itself, or a download kept in the cache."""
        full = self._full(path)
        if self.is_local:
            if not os.path.exists(full):
                raise StorageError(f"{self.place(path)}: cannot read: {_CURES[errno.ENOENT]}")
            return Path(full)
        with storage_errors("download", self.place(path)):
            version = f"{self.place(path)} {self._fs.ukey(full)}"
            key = hashlib.sha256(version.encode()).hexdigest()
            target = cache_folder() / "downloads" / key / PurePosixPath(full).name
            if not target.exists():
                with _replacing(target, str(target)) as partial:
                    self._fs.get_file(full, str(partial))
            return target

    # writing

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a whole file at once, atomically and durably."""
        full = self._full(path)
        with storage_errors("write", self.place(path)):
            if not self.is_local:
                self._fs.pipe_file(full, data)
                return
            with _replacing(Path(full), self.place(path)) as partial, partial.open("wb") as stream:
                stream.write(data)

    @contextmanager
    def atomic_path(self, path: str) -> Iterator[Path]:
        """A local file to write by any means; it becomes `path` if the block ends without error."""
        full = self._full(path)
        if self.is_local:
            errors = storage_errors("write", self.place(path), only=_OF_WRITING)
            with errors, _replacing(Path(full), self.place(path)) as partial:
                yield partial
            return
        scratch = Path(tempfile.mkdtemp(prefix="handoff-"))
        try:
            partial = scratch / PurePosixPath(path).name
            with storage_errors("write", self.place(path), only=_OF_WRITING):
                yield partial
            with storage_errors("write", self.place(path)):
                self._fs.put_file(str(partial), full)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def remove(self, path: str) -> None:
        """Delete a file; nothing happens where there is none."""
        full = self._full(path)
        with storage_errors("remove", self.place(path)):
            if self._fs.exists(full):
                self._fs.rm_file(full)

    def remove_unfinished(self, path: str) -> None:
        """Delete what killed writes left in one subfolder. Only its one writer may call this."""
        full = self._full(path)
        if self.is_local and os.path.isdir(full):
            with storage_errors("clean", self.place(path)):
                for partial in Path(full).rglob(f".*{PART_SUFFIX}"):
                    partial.unlink(missing_ok=True)


@contextmanager
def _replacing(target: Path, place: str) -> Iterator[Path]:
    """Yield a temporary path beside the target; on success sync it and rename it."""
    with storage_errors("write", place):
        target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{secrets.token_hex(6)}{PART_SUFFIX}"
    try:
        yield partial
        _sync(partial)
        os.replace(partial, target)
        _sync(target.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _protocols(file_system: Any) -> tuple[str, ...]:
    protocol = file_system.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
