"""A policy's errors beside those of two baselines, as rows for a page or a terminal."""

from dataclasses import dataclass
from typing import Any

PARTS = (
    ("arms", "position_mm", "both arms, position", "mm"),
    ("left", "position_mm", "left, position", "mm"),
    ("right", "position_mm", "right, position", "mm"),
    ("arms", "rotation_deg", "both arms, rotation", "°"),
    ("grippers", "opening", "grippers, share of the opening", ""),
    ("head", "position_mm", "head or base, position", "mm"),
    ("head", "yaw_deg", "head or base, yaw", "°"),
)
WHO = ("policy", "still", "neighbour")


@dataclass(frozen=True)
class ErrorRow:
    """One figure per method; None where nothing was valid. best: the one with the least error."""

    name: str
    unit: str
    over: str
    values: dict[str, float | None]

    @property
    def best(self) -> str:
        known = {who: value for who, value in self.values.items() if value is not None}
        return min(known, key=lambda who: known[who]) if known else ""

    def shown(self, who: str) -> str:
        """One cell."""
        value = self.values[who]
        return "" if value is None else f"{value:.3g} {self.unit}".strip()


def rows_of(report: dict[str, Any]) -> list[ErrorRow]:
    """Rows of one prediction report; parts that no frame has are left out."""
    rows = []
    for part, figure, name, unit in PARTS:
        for over, word in (("mean", "mean of all steps"), ("final", "last step")):
            values = {who: _value(report["errors"][who], (part, figure, over)) for who in WHO}
            if any(value is not None for value in values.values()):
                rows.append(ErrorRow(name, unit, word, values))
    return rows


def _value(errors: dict[str, Any], path: tuple[str, str, str]) -> float | None:
    found: Any = errors
    for key in path:
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return float(found)


def as_text(report: dict[str, Any]) -> str:
    """A table for a terminal."""
    lines = [f"  {report['embodiment']}: {report['count']} frames ({report['frames']})"]
    if not rows_of(report):
        return f"{lines[0]}\n  no arm, gripper or head had a valid truth to compare with"
    lines.append(f"  {'':<32}{'':<20}" + "".join(f"{who:>14}" for who in WHO))
    for row in rows_of(report):
        cells = "".join(f"{row.shown(who):>14}" for who in WHO)
        lines.append(f"  {row.name:<32}{row.over:<20}{cells}")
    return "\n".join(lines)
