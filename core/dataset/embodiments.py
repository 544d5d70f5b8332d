"""What a body owns and how its tool frames map onto the palm frame: `embodiment.toml`."""

import math
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from core.dataset.slots import (
    BASE_SLOTS,
    GRIPPER_SLOTS,
    SLOT_WIDTH,
    BaseAlignment,
    BoolArray,
    Kind,
    arm_slots,
    head_slots,
)
from core.errors import BadInputError

IDENTITY_POSE7 = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
SIDES = ("left", "right")


@dataclass(frozen=True, kw_only=True)
class Embodiment:
    """One body. Everything it does not own stays masked.

    kind: ``human`` or ``robot``.   arms, grippers: sides present.   base: a driven planar base.
    head: a head whose six dimensions are an action (humans).
    gravity, metric_scale: whether its poses are levelled and in metres.
    time_scale: > 1 plays its motion that many times slower in a chunk.
    tool_from_palm: per side, xyz in metres and quaternion wxyz; the translation is the stated tool
    point (a lever arm), the rotation maps the tool onto x = approach, z = jaw axis.
    gripper_open, gripper_closed: the source's own numbers for those two states.
    """

    name: str
    kind: Kind
    arms: tuple[str, ...] = SIDES
    grippers: tuple[str, ...] = ()
    base: bool = False
    head: bool = False
    gravity: bool = True
    metric_scale: bool = True
    time_scale: float = 1.0
    gripper_open: float = 0.0
    gripper_closed: float = 1.0
    tool_from_palm: dict[str, tuple[float, ...]] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in {"human", "robot"}:
            raise BadInputError(f"embodiment {self.name}: kind {self.kind!r} is not human or robot")
        for name, sides in (("arms", self.arms), ("grippers", self.grippers)):
            if not set(sides) <= set(SIDES):
                raise BadInputError(f"embodiment {self.name}: {name} {sides} are not left, right")
        if self.time_scale <= 0:
            raise BadInputError(f"embodiment {self.name}: time_scale {self.time_scale} is not > 0")
        if self.gripper_open == self.gripper_closed:
            raise BadInputError(f"embodiment {self.name}: gripper_open equals gripper_closed")
        for side, pose in self.tool_from_palm.items():
            norm = math.sqrt(sum(q * q for q in pose[3:]))
            if side not in SIDES or len(pose) != 7 or abs(norm - 1.0) > 1e-3:
                raise BadInputError(
                    f"embodiment {self.name}: tool_from_palm.{side} = {list(pose)} is not "
                    "x, y, z, qw, qx, qy, qz with a unit quaternion"
                )

    def slots(self, base_alignment: BaseAlignment = "shared") -> BoolArray:
        """Slots this body owns, ``(32,)``."""
        owned = np.zeros(SLOT_WIDTH, dtype=bool)
        for side in self.arms:
            owned[arm_slots(side)] = True
        for side in self.grippers:
            owned[GRIPPER_SLOTS[side]] = True
        if self.base:
            owned[list(BASE_SLOTS)] = True
        if self.head:
            owned[list(head_slots(base_alignment))] = True
        return owned

    def closed_fraction(self, raw: np.ndarray) -> np.ndarray:
        """Map the source's gripper numbers to 0 open ... 1 closed, clipped."""
        span = self.gripper_closed - self.gripper_open
        return np.clip((np.asarray(raw, dtype=np.float64) - self.gripper_open) / span, 0.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON/TOML values."""
        values = asdict(self)
        values["arms"], values["grippers"] = list(self.arms), list(self.grippers)
        values["tool_from_palm"] = {side: list(pose) for side, pose in self.tool_from_palm.items()}
        return values


HUMAN = Embodiment(name="human", kind="human", head=True)
TWO_ARM_ROBOT = Embodiment(name="robot", kind="robot", grippers=SIDES, base=True)


def embodiment_from_dict(values: dict[str, Any], *, source: str) -> Embodiment:
    """Build from parsed TOML or JSON; ``source`` names the file in errors."""
    known = set(Embodiment.__dataclass_fields__)
    unknown = sorted(set(values) - known)
    if unknown:
        raise BadInputError(
            f"{source}: unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}"
        )
    if not {"name", "kind"} <= set(values):
        raise BadInputError(f"{source}: an embodiment needs `name` and `kind`")
    tools = {side: tuple(map(float, p)) for side, p in values.get("tool_from_palm", {}).items()}
    changed = {
        "arms": tuple(values.get("arms", SIDES)),
        "grippers": tuple(values.get("grippers", ())),
        "tool_from_palm": tools,
    }
    return Embodiment(**{**values, **cast(dict[str, Any], changed)})


def read_embodiment(path: Path | str) -> Embodiment:
    """Read an `embodiment.toml`; an importer's `[source]` table in it is passed over."""
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: no such embodiment file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: not valid TOML: {error}") from error
    values.pop("source", None)  # where an importer finds things in its files
    return embodiment_from_dict(values, source=str(path))


def write_embodiment(embodiment: Embodiment, path: Path | str) -> None:
    """Write an `embodiment.toml` that `read_embodiment` reads back equal."""
    values = embodiment.to_dict()
    tools = values.pop("tool_from_palm")
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    if tools:
        lines += ["", "[tool_from_palm]", *(f"{side} = {_toml(p)}" for side, p in tools.items())]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)
