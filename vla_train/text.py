"""Words to numbers without a vocabulary file: a word's row is its CRC-32 modulo the table size.

Enough for a small policy that reads short labels; collisions are possible and harmless at this
size.
"""

import re
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING = 0
_WORD = re.compile(r"[^\W_]+|[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class WordTokenizer:
    """Hashes lower-cased words and punctuation into ``rows`` embedding rows; row 0 is padding."""

    rows: int = 1024
    max_tokens: int = 32

    def words(self, text: str) -> list[int]:
        """Rows of every word, not yet cut."""
        found = _WORD.findall(text.lower())
        return [1 + zlib.crc32(word.encode()) % (self.rows - 1) for word in found]

    def encode(self, texts: tuple[str, ...]) -> tuple[NDArray[np.int64], int]:
        """Padded rows ``(len(texts), max_tokens)`` and how many texts had to be cut."""
        tokens = np.full((len(texts), self.max_tokens), PADDING, dtype=np.int64)
        cut = 0
        for row, text in enumerate(texts):
            words = self.words(text)
            cut += len(words) > self.max_tokens
            words = words[: self.max_tokens]
            tokens[row, : len(words)] = words
        return tokens, cut


def prompt(task: str, subtask: str) -> str:
    """The text a policy is conditioned on: the task, and the subtask where one is labelled."""
    task, subtask = task.strip(), subtask.strip()
    return f"Task: {task}. Subtask: {subtask}" if subtask else f"Task: {task}."
