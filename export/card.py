"""README.md of a dataset: what is in it, how much of it is masked, and what was not done."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """Figures of a card. shares: name -> 0 ... 1.   sessions: facts as in `meta/handoff.json`."""

    name: str
    fps: int
    episodes: int
    frames: int
    cameras: dict[str, tuple[int, int]]
    shares: dict[str, float]
    sessions: list[dict[str, Any]]
    embodiment: str = "human (18 action dimensions: two palms, one head; no gripper)"
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def redaction_sentence(sessions: list[dict[str, Any]]) -> str:
    """One sentence on faces, plates and screens."""
    open_ = [str(session["id"]) for session in sessions if not session.get("redacted")]
    if not sessions:
        return "No statement: the source says nothing about redaction."
    if not open_:
        return f"A redactor ran on all {len(sessions)} sessions before export."
    shown = ", ".join(open_[:5]) + (" ..." if len(open_) > 5 else "")
    return (
        f"NOT REDACTED: no redactor has run on {len(open_)} of {len(sessions)} sessions ({shown}); "
        "faces, plates and screens may be visible."
    )


def card_text(facts: CardFacts) -> str:
    """The card as Markdown."""
    seconds = facts.frames / facts.fps
    cameras = ", ".join(f"{c} {w}x{h}" for c, (h, w) in facts.cameras.items()) or "none"
    lines = [
        f"# {facts.name}",
        "",
        "A LeRobotDataset v3.0 made by Handoff. Poses are absolute; chunks are made at load.",
        "Where a mask is false, the nearest valid value of the episode is stored.",
        "",
        f"- {facts.episodes} episodes, {facts.frames} frames at {facts.fps} fps ({seconds:.1f} s)",
        f"- cameras: {cameras}",
        f"- embodiment: {facts.embodiment}",
        f"- redaction: {redaction_sentence(facts.sessions)}",
        "",
        "## Share of frames that hold a value",
        "",
        *(f"- {name}: {share:.1%}" for name, share in facts.shares.items()),
    ]
    if facts.sessions:
        lines += ["", "## Sessions", "", *_session_table(facts.sessions)]
    if facts.dropped:
        lines += ["", "## Left out", ""]
        lines += [f"- {count} x {reason}" for reason, count in facts.dropped.items()]
    if facts.warnings:
        lines += ["", "## Warnings", "", *(f"- {text}" for text in facts.warnings)]
    return "\n".join(lines) + "\n"


def _session_table(sessions: list[dict[str, Any]]) -> list[str]:
    who = ("id", "operator", "scene", "device", "consent")
    keys = (*who, "scale_source", "gravity_source", "hand_scale_source", "redacted")
    rows = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    return rows + [
        "| " + " | ".join(_cell(s.get(key, "")) for key in keys) + " |" for s in sessions
    ]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("|", "\\|").replace("\n", " ")
