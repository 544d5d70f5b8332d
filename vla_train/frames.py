"""One dataset's frames in memory, ready to be drawn at random: small images, states, chunks, texts.

Images are decoded once, shrunk and kept as bytes: 83 kB a frame at 96 px and three cameras, so an
hour at 30 Hz needs 9 GB. Chunks are cut here for the run's own settings, on SE(3), by
`core.dataset`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.dataset.chunks import ChunkEncoder, ChunkSettings
from core.dataset.embodiments import Embodiment
from core.dataset.episode import CAMERAS, POSE_COLUMNS, POSE_VALID, Episode
from core.errors import BadInputError
from vla_train.state import policy_state
from vla_train.text import prompt

DECODE_AT_ONCE = 64


class FrameSource(Protocol):
    """What this room needs of a dataset reader; `core.dataset` has the real one."""

    @property
    def episodes(self) -> Sequence[Episode]: ...
    def images(self, camera: str, indices: Sequence[int]) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameTable:
    """N frames of one dataset.

    images: ``(N, 3, S, S, 3)`` uint8 RGB, slots head, left wrist, right wrist; absent is 0.
    camera_valid: ``(N, 3)``.   state, state_valid: ``(N, W)``.
    chunk, chunk_mask: ``(N, H, 32)``.
    head_from_palm: ``(N, 2, 7)`` left, right, and ``palm_valid`` ``(N, 2)``.
    text: ``(N,)`` row of ``texts``.   episode, tick: ``(N,)`` episode number and frame inside it.
    step_ticks: ``(H,)`` how many ticks after its start each chunk step lies.
    """

    name: str
    embodiment: Embodiment
    images: NDArray[np.uint8]
    camera_valid: NDArray[np.bool_]
    state: NDArray[np.float32]
    state_valid: NDArray[np.bool_]
    chunk: NDArray[np.float32]
    chunk_mask: NDArray[np.bool_]
    head_from_palm: NDArray[np.float64]
    palm_valid: NDArray[np.bool_]
    texts: tuple[str, ...]
    text: NDArray[np.int64]
    episode: NDArray[np.int64]
    tick: NDArray[np.int64]
    timestamp_ns: NDArray[np.int64]
    step_ticks: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.tick)


def load_frames(
    source: FrameSource,
    *,
    name: str,
    settings: ChunkSettings,
    image_px: int,
    history_s: tuple[float, ...] = (),
) -> FrameTable:
    """Read every frame of a dataset. All its episodes must be of one embodiment."""
    episodes = list(source.episodes)
    if not episodes:
        raise BadInputError(f"{name}: the dataset holds no episodes")
    embodiment = _one_embodiment(episodes, name)
    chunks = [ChunkEncoder(e, settings).encode(np.arange(len(e))) for e in episodes]
    states = [policy_state(e, settings, history_s=history_s) for e in episodes]
    camera_valid = np.concatenate([e.camera_valid for e in episodes])
    texts, text = _texts(episodes)
    return FrameTable(
        name=name,
        embodiment=embodiment,
        images=_images(source, camera_valid, image_px),
        camera_valid=camera_valid,
        state=np.concatenate([state for state, _ in states]),
        state_valid=np.concatenate([valid for _, valid in states]),
        chunk=np.concatenate([values for values, _ in chunks]),
        chunk_mask=np.concatenate([mask for _, mask in chunks]),
        head_from_palm=np.concatenate([_palms(e) for e in episodes]),
        palm_valid=np.concatenate([e.valid[:, list(POSE_VALID.values())] for e in episodes]),
        texts=texts,
        text=text,
        episode=np.concatenate([np.full(len(e), k) for k, e in enumerate(episodes)]),
        tick=np.concatenate([np.arange(len(e)) for e in episodes]),
        timestamp_ns=np.concatenate([e.timestamp_ns for e in episodes]),
        step_ticks=_step_ticks(episodes, settings, name),
    )


def letterbox(image_rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Shrink ``(h, w, 3)`` into a square of ``side``, aspect kept, centred on black."""
    import cv2

    height, width = image_rgb.shape[:2]
    scale = side / max(height, width)
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA)
    square: NDArray[np.uint8] = np.zeros((side, side, 3), dtype=np.uint8)
    top, left = (side - size_wh[1]) // 2, (side - size_wh[0]) // 2
    square[top : top + size_wh[1], left : left + size_wh[0]] = small
    return square


def _images(source: FrameSource, camera_valid: NDArray[np.bool_], side: int) -> NDArray[np.uint8]:
    images = np.zeros((len(camera_valid), len(CAMERAS), side, side, 3), dtype=np.uint8)
    for slot, camera in enumerate(CAMERAS):
        rows = np.flatnonzero(camera_valid[:, slot])
        for start in range(0, len(rows), DECODE_AT_ONCE):
            some = rows[start : start + DECODE_AT_ONCE]
            for row, image in zip(some, source.images(camera, some.tolist()), strict=True):
                images[row, slot] = letterbox(image, side)
    return images


def _one_embodiment(episodes: list[Episode], name: str) -> Embodiment:
    first = episodes[0].embodiment
    for number, episode in enumerate(episodes):
        if episode.embodiment != first:
            raise BadInputError(
                f"{name}: episode {number} is of {episode.embodiment.name!r}, episode 0 of "
                f"{first.name!r}; export one dataset per embodiment"
            )
    return first


def _step_ticks(episodes: list[Episode], settings: ChunkSettings, name: str) -> NDArray[np.float64]:
    rates = {episode.fps for episode in episodes}
    if len(rates) > 1:
        raise BadInputError(f"{name}: episodes run at {sorted(rates)} Hz; one rate per dataset")
    scale = settings.time_scale * episodes[0].embodiment.time_scale
    whole = settings.duration_s * rates.pop() / scale
    return np.round(whole * np.arange(1, settings.steps + 1) / settings.steps, 9)


def _palms(episode: Episode) -> NDArray[np.float64]:
    sides = [episode.state[:, columns] for columns in POSE_COLUMNS.values()]
    return np.stack(sides, axis=1).astype(np.float64)


def _texts(episodes: list[Episode]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    rows: dict[str, int] = {}
    text: list[int] = []
    for episode in episodes:
        prompts = [prompt(episode.task, subtask) for subtask in episode.subtask_texts]
        text += [rows.setdefault(prompts[row], len(rows)) for row in episode.subtask]
    return tuple(rows), np.asarray(text, dtype=np.int64)


def describe(table: FrameTable) -> dict[str, Any]:
    """What a run notes about a dataset it was trained on."""
    return {
        "name": table.name,
        "embodiment": table.embodiment.to_dict(),
        "frames": len(table),
        "episodes": int(table.episode.max()) + 1,
    }
