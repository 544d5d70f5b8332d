"""Where an RLDS dataset keeps what we need: `features.json` and our `embodiment.toml`."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.embodiments import SIDES, Embodiment, embodiment_from_dict
from core.dataset.episode import CAMERAS
from core.dataset.meta_tables import read_json
from core.errors import BadInputError

OURS = Path(__file__).with_name("embodiments")


@dataclass(frozen=True, kw_only=True)
class RldsLayout:
    """The `[source]` table of an `embodiment.toml`: where things are in an RLDS step.

    cameras: ours -> theirs.   gripper_command: a feature whose last column commands the gripper.
    """

    rate_hz: int
    arm: str
    state: str
    text: str
    cameras: dict[str, str] = field(default_factory=dict)
    gripper_command: str = ""


def read_robot_description(path: Path | str) -> tuple[Embodiment, RldsLayout]:
    """Embodiment and source layout of one file, given by its path or by the name of one of ours."""
    ours = {file.stem: file for file in sorted(OURS.glob("*.toml"))}
    if str(path) in ours:
        path = ours[str(path)]
    elif not Path(path).is_file():
        raise BadInputError(f"{path}: no such embodiment file; ours are: {', '.join(ours)}")
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: not a readable embodiment file: {error}") from error
    source = values.pop("source", None)
    if not isinstance(source, dict):
        raise BadInputError(f"{path}: needs a [source] table that says where the data is")
    embodiment = embodiment_from_dict(values, source=str(path))
    try:
        layout = RldsLayout(**source)
    except TypeError as error:
        raise BadInputError(f"{path}: [source]: {error}") from error
    if layout.arm not in embodiment.arms or layout.arm not in SIDES:
        raise BadInputError(f"{path}: [source] arm {layout.arm!r} is no arm of this embodiment")
    if embodiment.base or embodiment.head or len(embodiment.arms) != 1:
        raise BadInputError(f"{path}: RLDS import knows one arm on a fixed base only")
    unknown = sorted(set(layout.cameras) - set(CAMERAS))
    if unknown:
        raise BadInputError(f"{path}: camera {unknown[0]!r} is none of {', '.join(CAMERAS)}")
    return embodiment, layout


def find_rlds(source: Path) -> Path:
    """The folder with `features.json`, at or below ``source``."""
    found = sorted(path.parent for path in source.rglob("features.json")) if source.is_dir() else []
    if len(found) != 1:
        raise BadInputError(
            f"{source}: {len(found)} RLDS datasets found (folders with features.json); name one"
        )
    return found[0]


def picture_sizes(folder: Path, layout: RldsLayout) -> dict[str, tuple[int, int]]:
    """Height and width of the wanted cameras, from `features.json`."""
    known = dict(_leaves(read_json(folder / "features.json"), ""))
    sizes = {}
    for camera, feature in layout.cameras.items():
        image = known.get(feature, {}).get("image")
        if image is None:
            raise BadInputError(f"{folder}/features.json: no image feature {feature!r}")
        height, width, _ = (int(n) for n in image["shape"]["dimensions"])
        sizes[camera] = (height, width)
    return {camera: sizes[camera] for camera in CAMERAS if camera in sizes}


def _leaves(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if "featuresDict" in node:
        for name, child in node["featuresDict"]["features"].items():
            yield from _leaves(child, f"{path}/{name}" if path else name)
    elif "sequence" in node:
        yield from _leaves(node["sequence"]["feature"], path)
    else:
        yield path, node
