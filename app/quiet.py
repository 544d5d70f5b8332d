"""Silence for libraries that write to the terminal past Python."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside the block what C code writes to stderr goes nowhere; Python's own still gets out."""
    sys.stderr.flush()
    kept = os.dup(STDERR)
    ours = sys.stderr
    try:
        with tempfile.TemporaryFile() as nowhere:
            os.dup2(nowhere.fileno(), STDERR)
            with os.fdopen(os.dup(kept), "w", encoding="utf-8", buffering=1) as terminal:
                if ours is sys.__stderr__:
                    sys.stderr = terminal
                yield
    finally:
        sys.stderr = ours
        os.dup2(kept, STDERR)
        os.close(kept)
