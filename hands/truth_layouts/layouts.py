"""Which data set lies in a folder. To add one: a class in a file of its own, and its line here."""

from pathlib import Path

from core.errors import BadInputError
from hands.truth_layouts.fpha import Fpha
from hands.truth_layouts.freihand import FreiHand
from hands.truth_layouts.handgraph import HandGraph
from hands.truth_layouts.hot3d import Hot3d
from hands.truth_layouts.interhand import InterHand
from hands.truth_layouts.keypoints import Keypoints
from hands.truth_layouts.picture import TruthLayout

# in the order in which they are looked for: the plainest files last
LAYOUTS: dict[str, type[TruthLayout]] = {
    layout.name: layout for layout in (Hot3d, FreiHand, InterHand, Fpha, HandGraph, Keypoints)
}
PLAIN = (FreiHand, InterHand, Fpha, HandGraph)  # known by what lies in the very folder


def open_layout(
    folder: Path, *, layout: str | None = None, split: str | None = None
) -> TruthLayout:
    """The data set in a folder, seen from its files unless named. Raises BadInputError."""
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder")
    if layout is not None:
        if layout not in LAYOUTS:
            raise BadInputError(f"layout {layout!r}: known are {', '.join(LAYOUTS)}")
        return LAYOUTS[layout](folder, split)
    here = _kind_of(folder)
    if here is not None:
        return here(folder, split)
    for near in (*folder.resolve().parents[:2], *sorted(folder.iterdir())):
        there = _kind_of(near) if near.is_dir() else None
        if there in PLAIN:
            raise BadInputError(f"{folder}: no data set; {near} is {there.name}, give that folder")
    known = "; ".join(kind.about for kind in LAYOUTS.values())
    raise BadInputError(f"{folder}: no data set whose layout is known ({known}); see --layout")


def _kind_of(folder: Path) -> type[TruthLayout] | None:
    return next((kind for kind in LAYOUTS.values() if kind.recognises(folder)), None)
