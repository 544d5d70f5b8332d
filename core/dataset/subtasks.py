"""Subtask text for training, from what each arm does."""

from dataclasses import dataclass, field


def training_text(left: str, right: str, *, both: str = "") -> str:
    """``left: ...; right: ...``; the `both` text where that is labelled; "" where nothing is."""
    if both.strip():
        return both.strip()
    parts = [("left", left.strip()), ("right", right.strip())]
    return "; ".join(f"{side}: {text}" for side, text in parts if text)


@dataclass
class SubtaskTable:
    """Texts with stable rows; row 0 is "" and means unlabelled."""

    texts: list[str] = field(default_factory=lambda: [""])

    def __post_init__(self) -> None:
        self._rows = {text: row for row, text in enumerate(self.texts)}

    def row(self, text: str) -> int:
        """The row of a text, added when new."""
        if text not in self._rows:
            self._rows[text] = len(self.texts)
            self.texts.append(text)
        return self._rows[text]
