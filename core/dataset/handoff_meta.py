"""`meta/handoff.json`: what upstream's format has no place for, above all statistics of chunks."""

from typing import Any

import numpy as np

from core.dataset.chunks import ChunkEncoder, ChunkSettings
from core.dataset.embodiments import Embodiment
from core.dataset.episode import Episode
from core.dataset.slots import slot_names
from core.dataset.state import state_vectors
from core.dataset.statistics import StatisticsStore

FORMAT_VERSION = 1
STARTS_AT_ONCE = 512


class HandoffStatistics:
    """Statistics of relative chunks and policy states, per embodiment.

    Every tick of every episode starts a chunk; dimensions are pooled over steps; only valid entries
    count. A column without one has count 0 and nulls.
    """

    def __init__(self, chunks: tuple[ChunkSettings, ...], store: StatisticsStore) -> None:
        self._chunks = chunks
        self._store = store

    def add(self, episode: Episode) -> None:
        """Count one episode."""
        name = episode.embodiment.name
        self._store.add(_block("state", name), *state_vectors(episode))
        for number, settings in enumerate(self._chunks):
            encoder = ChunkEncoder(episode, settings)
            for start in range(0, len(episode), STARTS_AT_ONCE):
                ticks = np.arange(start, min(start + STARTS_AT_ONCE, len(episode)))
                values, mask = encoder.encode(ticks)
                width = values.shape[-1]
                self._store.add(
                    _block(f"chunk{number}", name),
                    values.reshape(-1, width),
                    mask.reshape(-1, width),
                )

    def to_dict(self, embodiments: list[Embodiment]) -> dict[str, Any]:
        """Everything this writer knows itself; the exporter adds sessions and redaction."""
        names = [body.name for body in embodiments]
        return {
            "handoff_format": FORMAT_VERSION,
            "embodiments": [body.to_dict() for body in embodiments],
            "chunk_statistics": [
                {
                    "settings": settings.to_dict(),
                    "slot_names": list(slot_names(settings.base_alignment)),
                    "embodiments": {name: self._summary(f"chunk{number}", name) for name in names},
                }
                for number, settings in enumerate(self._chunks)
            ],
            "state_statistics": {name: self._summary("state", name) for name in names},
        }

    def _summary(self, kind: str, name: str) -> dict[str, list[float | None]]:
        """As `StatisticsStore.summary`, but null where there was nothing to measure."""
        summary = self._store.summary(_block(kind, name))
        return {
            key: [
                value if count or key == "count" else None
                for value, count in zip(column, summary["count"], strict=True)
            ]
            for key, column in summary.items()
        }


def _block(kind: str, embodiment: str) -> str:
    return f"{kind}@{embodiment.replace('/', '_')}"


def chunk_statistics(handoff: dict[str, Any], settings: ChunkSettings) -> dict[str, Any] | None:
    """Stored statistics per embodiment of exactly these settings, or None: recompute then."""
    for block in handoff.get("chunk_statistics", []):
        if block["settings"] == settings.to_dict():
            found: dict[str, Any] = block["embodiments"]
            return found
    return None
