"""SHA-256 of files, with a memory: a large file that has not changed is not read again.

The memory is one SQLite file in the user's cache folder. An entry counts only while size,
modification time, change time and inode are all what they were, and is kept only for files that had
been at rest for two seconds when they were read, so that a write in the same clock tick cannot
hide.
"""

import hashlib
import os
import sqlite3
import time
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import IO

SMALL_BYTES = 1 << 20  # smaller files are read every time: that is as quick as looking them up
AT_REST_NS = 2_000_000_000


def cache_folder() -> Path:
    """Where Handoff keeps what it can make again: HANDOFF_CACHE, else the user's cache folder."""
    named = os.environ.get("HANDOFF_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "handoff"


def hash_stream(stream: IO[bytes]) -> str:
    """Hex SHA-256 of what is left in a binary stream."""
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


class HashCache:
    """SHA-256 by (path, size, times, inode), kept in one SQLite file that processes may share."""

    def __init__(self, database: Path) -> None:
        self._database = database

    @staticmethod
    def of_user() -> "HashCache":
        """The cache of the user who runs this process."""
        return _cache_at(cache_folder() / "hashes.sqlite")

    def sha256(self, path: Path) -> str:
        """Digest of a local file, from memory where nothing about the file has changed."""
        before = path.stat()
        if before.st_size < SMALL_BYTES:
            return _digest(path)
        key, stamp = str(path.resolve()), _stamp(before)
        known = self._look_up(key, stamp)
        if known is not None:
            return known
        digest = _digest(path)
        at_rest = time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > AT_REST_NS
        if at_rest and _stamp(path.stat()) == stamp:
            self._keep(key, stamp, digest)
        return digest

    def _look_up(self, key: str, stamp: str) -> str | None:
        if not self._database.exists():
            return None
        try:
            with closing(sqlite3.connect(self._database, timeout=5.0)) as database:
                row = database.execute(
                    "SELECT sha256 FROM hashes WHERE path = ? AND stamp = ?", (key, stamp)
                ).fetchone()
        except sqlite3.Error:  # a cache that cannot be read is an empty cache
            return None
        return None if row is None else str(row[0])

    def _keep(self, key: str, stamp: str, digest: str) -> None:
        try:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._database, timeout=5.0)) as database, database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS hashes "
                    "(path TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL)"
                )
                database.execute(
                    "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?)", (key, stamp, digest)
                )
        except (OSError, sqlite3.Error):  # no room for a cache: the next look-up reads the file
            return


@lru_cache(maxsize=8)
def _cache_at(database: Path) -> HashCache:
    return HashCache(database)


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hash_stream(stream)
