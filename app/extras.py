"""The cure when an optional part is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import MissingExtraError

PACKAGES = {
    "hands": {"ai_edge_litert"},
    "slam": {"gtsam"},
    "view": {"rerun"},
    "train": {"torch", "safetensors"},
    "sim": {"mujoco", "skimage"},
    "s3": {"s3fs"},
}


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Imports inside the block that fail for lack of `extra` become one line with its cure."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PACKAGES[extra]:
            raise
        raise MissingExtraError(
            f"{package} is not installed; pip install 'handoff-ego[{extra}]'"
        ) from error
