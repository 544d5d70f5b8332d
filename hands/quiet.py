"""Native libraries that write to the terminal past Python, kept from it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

_TERMINAL = RLock()


@contextmanager
def quiet_library() -> Iterator[None]:
    """Nothing reaches stdout and stderr: VRS logs every stream it opens, LiteRT greets.

    Both belong to the process: another thread that wants them quiet waits.
    """
    with _TERMINAL, Path(os.devnull).open("wb") as nowhere:
        kept = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in kept:
                os.dup2(nowhere.fileno(), number)
            yield
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
