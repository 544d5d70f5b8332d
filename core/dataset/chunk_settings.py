"""How a chunk is cut."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.dataset.slots import BaseAlignment
from core.errors import BadInputError

Reference = Literal["chunk_head", "per_tick"]


@dataclass(frozen=True, kw_only=True)
class ChunkSettings:
    """How a chunk is cut. A checkpoint whose settings differ from its data is refused."""

    steps: int = 50  # H
    duration_s: float = 1.0  # of the whole chunk, in played time
    reference: Reference = "chunk_head"
    base_alignment: BaseAlignment = "shared"
    rotation: Literal["rotvec"] = "rotvec"
    time_scale: float = 1.0  # > 1 plays the recording slower; multiplies the embodiment's own

    def __post_init__(self) -> None:
        if self.steps < 1 or self.duration_s <= 0 or self.time_scale <= 0:
            raise BadInputError(
                f"chunk settings: steps {self.steps}, duration_s {self.duration_s} and "
                f"time_scale {self.time_scale} must be positive"
            )
        if self.reference not in {"chunk_head", "per_tick"}:
            raise BadInputError(f"chunk settings: reference {self.reference!r} is not known")
        if self.base_alignment not in {"shared", "separate"}:
            raise BadInputError(f"chunk settings: base_alignment {self.base_alignment!r}")
        if self.rotation != "rotvec":
            raise BadInputError(f"chunk settings: rotation {self.rotation!r} is not rotvec")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def settings_from_dict(values: dict[str, Any]) -> ChunkSettings:
    """Back from `ChunkSettings.to_dict`; keys it does not know are an error."""
    unknown = sorted(set(values) - set(ChunkSettings.__dataclass_fields__))
    if unknown:
        raise BadInputError(f"chunk settings: unknown key {unknown[0]!r}")
    return ChunkSettings(**values)
