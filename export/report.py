"""What an export did, for people."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class ExportReport:
    """What came out. dropped: parts left out, by reason.   warnings: one line each."""

    path: Path
    sessions: int = 0
    episodes: int = 0
    frames: int = 0
    cameras: tuple[str, ...] = ()
    left_valid: float = 0.0
    right_valid: float = 0.0
    head_valid: float = 0.0
    labelled: float = 0.0
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For a terminal."""
        shares = (
            f"valid: left hand {self.left_valid:.0%}, right hand {self.right_valid:.0%}, "
            f"head {self.head_valid:.0%}; with subtask text: {self.labelled:.0%}"
        )
        lost = [f"left out: {count} x {reason}" for reason, count in self.dropped.items()]
        return [
            f"{self.path}: {self.episodes} episodes, {self.frames} frames from {self.sessions} "
            f"sessions, cameras {', '.join(self.cameras)}",
            shares,
            *lost,
            *(f"warning: {text}" for text in self.warnings),
        ]

    def drop(self, reason: str, count: int = 1) -> None:
        """Count something left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def reasons(self) -> str:
        """Why things were left out, on one line."""
        return "; ".join(f"{n} x {why}" for why, n in self.dropped.items()) or "no episode"
