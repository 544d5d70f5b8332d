"""The sources there are. A new one is a file beside this and a line here (docs/hands.md)."""

from importlib import import_module
from typing import cast

from core.errors import BadInputError
from hands.sources.protocol import HandSource

# imported when named: each may need libraries of its own
_PLACES = {
    "mediapipe": ("hands.sources.mediapipe", "MEDIAPIPE"),
    "aria_mps": ("hands.sources.aria_mps", "ARIA_MPS"),
    "aria_device": ("hands.sources.aria_device", "ARIA_DEVICE"),
    "egodex": ("hands.sources.egodex", "EGODEX"),
    "mano": ("hands.sources.mano", "MANO"),
}


def source_named(name: str) -> HandSource:
    """The source of this name; BadInputError lists the names."""
    if name not in _PLACES:
        raise BadInputError(f"hands: source={name!r}; there are: {', '.join(_PLACES)}")
    module, attribute = _PLACES[name]
    return cast(HandSource, getattr(import_module(module), attribute))
