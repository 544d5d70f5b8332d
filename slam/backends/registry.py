"""The backends there are. A new one is a file beside this and a line here (docs/slam.md)."""

from importlib import import_module
from typing import cast

from core.errors import BadInputError
from slam.backends.protocol import Backend

# imported when named: each may need libraries of its own
_PLACES = {
    "builtin": ("slam.backends.builtin", "BUILTIN"),
    "imported": ("slam.backends.imported", "IMPORTED"),
    "colmap": ("slam.backends.colmap", "COLMAP"),
}


def backend_named(name: str) -> Backend:
    """The backend of this name; BadInputError lists the names."""
    if name not in _PLACES:
        raise BadInputError(f"slam: backend={name!r}; there are: {', '.join(_PLACES)}")
    module, attribute = _PLACES[name]
    return cast(Backend, getattr(import_module(module), attribute))
