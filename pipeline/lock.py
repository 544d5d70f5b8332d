"""One run at a time per session, on one machine. The lock dies with its process."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import StorageError
from core.session.hashes import cache_folder
from core.session.storage import SessionFolder

PATIENCE_S = 10.0  # a worker whose driver was killed needs a moment to notice


@contextmanager
def locked(folder: SessionFolder, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the session's lock; StorageError when another run keeps it. No lock without a cache
    folder.
    """
    name = hashlib.sha256(folder.url.encode()).hexdigest()[:24]
    path = cache_folder() / "locks" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:  # a machine without a writable cache has to keep runs apart by itself
        yield
        return
    try:
        _acquire(handle, folder, until=time.monotonic() + patience_s)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, folder: SessionFolder, *, until: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise StorageError(
                    f"{folder.url}: another run is at work on this session; wait for it or stop it"
                ) from error
            time.sleep(0.1)
        else:
            return
