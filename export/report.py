"""What an export did, for people."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from core.dataset.episode import HEAD, LEFT_POSE, RIGHT_POSE, Episode
from core.dataset.meta_tables import read_json


@dataclass
class ExportReport:
    """What came out. dropped: parts left out, by reason.   warnings: one line each.

    left_valid ... labelled: shares of frames.   unchanged: it was there already and nothing was
    done.
    """

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
    unchanged: bool = False

    def count(self, episode: Episode) -> None:
        """Add an episode to the figures."""
        held = {
            "left_valid": episode.valid[:, LEFT_POSE],
            "right_valid": episode.valid[:, RIGHT_POSE],
            "head_valid": episode.valid[:, HEAD],
            "labelled": episode.subtask > 0,
        }
        total = self.frames + len(episode)
        for name, frames in held.items():
            share = (getattr(self, name) * self.frames + int(frames.sum())) / total
            setattr(self, name, share)
        self.frames = total
        self.episodes += 1

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, without where it is."""
        values = dataclasses.asdict(self)
        del values["path"], values["unchanged"]
        return {**values, "cameras": list(self.cameras)}

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, path: Path, unchanged: bool) -> Self:
        """Back from `to_dict`."""
        cameras = tuple(values["cameras"])
        return cls(**{**values, "cameras": cameras, "path": path, "unchanged": unchanged})

    def lines(self) -> list[str]:
        """For a terminal."""
        shares = (
            f"valid: left hand {self.left_valid:.0%}, right hand {self.right_valid:.0%}, "
            f"head {self.head_valid:.0%}; with subtask text: {self.labelled:.0%}"
        )
        lost = [f"left out: {count} x {reason}" for reason, count in self.dropped.items()]
        again = ["nothing to do: this dataset was made of these sessions"] if self.unchanged else []
        return [
            *again,
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


def finished_before(root: Path, key: str) -> ExportReport | None:
    """The report of an export with the same content key, that is already there."""
    if not (root / "meta/handoff.json").is_file():
        return None
    handoff = read_json(root / "meta/handoff.json")
    if handoff.get("content_key") != key:
        return None
    return ExportReport.from_dict(handoff["report"], path=root, unchanged=True)
