"""Per-embodiment scales: q01 and q99 of relative chunks and of states go to -1 and 1.

Quantiles are exact, over training labels only, pooled over steps. Spans too narrow to mean motion
are widened, so that a still joint's noise is never blown up; values far outside are clipped.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.chunks import ChunkSettings, settings_from_dict
from core.dataset.quantiles import QuantileScale, exact_quantiles, normalise, unnormalise
from core.dataset.slots import BASE_SLOTS, GRIPPER_SLOTS, SLOT_WIDTH, arm_slots, head_slots
from core.errors import BadInputError, StaleError
from vla_train.carry_on import Lesson, Momentum, fit_momentum
from vla_train.frames import FrameTable
from vla_train.holdout import Split, label_rows
from vla_train.state import ARMS, MOMENT_WIDTH, POSE_WIDTH

CLIP = 3.0
MIN_SPAN_M, MIN_SPAN_RAD, MIN_SPAN_GRIPPER = 0.02, 0.05, 0.2
MIN_SPAN_COLUMN = 0.2  # an entry of a rotation matrix in the state


@dataclass(frozen=True, eq=False, kw_only=True)
class EmbodimentScale:
    """Scales of one embodiment. ``action`` has 32 columns, ``state`` those of `policy_state`.

    momentum: ``(2, M, H)``, how its arms go on as they were going (`vla_train.carry_on`).
    """

    name: str
    action: QuantileScale
    state: QuantileScale
    momentum: Momentum

    def actions_in(
        self, chunk: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Chunk in metres and radians to normalised values, 0 outside the mask."""
        return np.where(mask, normalise(chunk, self.action, clip=CLIP), np.float32(0.0))

    def actions_out(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised values back to metres and radians."""
        return unnormalise(normalised, self.action)

    def state_in(self, state: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """State to normalised values, 0 where not valid."""
        return np.where(valid, normalise(state, self.state, clip=CLIP), np.float32(0.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class Normalisation:
    """The scales of a run, and the chunk settings they were measured under."""

    settings: ChunkSettings
    scales: tuple[EmbodimentScale, ...]

    def of(self, name: str) -> EmbodimentScale:
        """The scale of one embodiment."""
        for scale in self.scales:
            if scale.name == name:
                return scale
        known = ", ".join(scale.name for scale in self.scales)
        raise BadInputError(f"embodiment {name!r} was not in training; the run knows {known}")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        scales = {
            s.name: {
                "action": _scale_out(s.action),
                "state": _scale_out(s.state),
                "momentum": s.momentum.tolist(),
            }
            for s in self.scales
        }
        return {"settings": self.settings.to_dict(), "scales": scales}


def normalisation_from_dict(values: dict[str, Any]) -> Normalisation:
    """Back from `Normalisation.to_dict`."""
    scales = tuple(
        EmbodimentScale(
            name=name,
            action=_scale_in(s["action"]),
            state=_scale_in(s["state"]),
            momentum=np.asarray(s["momentum"], dtype=np.float64),
        )
        for name, s in values["scales"].items()
    )
    return Normalisation(settings=settings_from_dict(values["settings"]), scales=scales)


def fit_normalisation(
    tables: list[FrameTable],
    splits: list[Split],
    settings: ChunkSettings,
    *,
    shuffle_seed: int | None = None,
) -> Normalisation:
    """Measure every embodiment's scales on the training part of all its datasets.

    shuffle_seed: of a run on exchanged labels, whose momentum must not come from the true ones.
    """
    scales = []
    for name in dict.fromkeys(table.embodiment.name for table in tables):
        own = [(t, s) for t, s in zip(tables, splits, strict=True) if t.embodiment.name == name]
        chunks = np.concatenate([t.chunk[s.train].reshape(-1, SLOT_WIDTH) for t, s in own])
        masks = np.concatenate([_labels(t, s).reshape(-1, SLOT_WIDTH) for t, s in own])
        states = np.concatenate([t.state[s.train] for t, s in own])
        valid = np.concatenate([t.state_valid[s.train] for t, s in own])
        action = _fit(chunks, masks, min_span=_action_spans(settings.base_alignment))
        state = _fit(states, valid, min_span=_state_spans(states.shape[1] // ARMS))
        momentum = fit_momentum([_lesson(t, s, shuffle_seed) for t, s in own])
        scales.append(EmbodimentScale(name=name, action=action, state=state, momentum=momentum))
    return Normalisation(settings=settings, scales=tuple(scales))


def check_settings(normalisation: Normalisation, settings: ChunkSettings, *, where: str) -> None:
    """Refuse a checkpoint whose chunk settings are not those of the data it is used with."""
    for key, value in normalisation.settings.to_dict().items():
        asked = settings.to_dict()[key]
        if asked != value:
            raise StaleError(
                f"{where}: trained with chunk {key} = {value!r}, asked for {asked!r}; "
                "use the run's own settings or train a new run"
            )


def _lesson(table: FrameTable, split: Split, shuffle_seed: int | None) -> Lesson:
    """What training may learn about every frame of a table."""
    learnable = split.label_mask & split.train[:, None]
    mask = table.chunk_mask & learnable[:, :, None]
    rows = label_rows(split, shuffle_seed)
    return Lesson(table, table.chunk[rows], mask[rows])


def _labels(table: FrameTable, split: Split) -> NDArray[np.bool_]:
    labels: NDArray[np.bool_] = (
        table.chunk_mask[split.train] & split.label_mask[split.train, :, None]
    )
    return labels


def _fit(
    values: NDArray[np.float32], mask: NDArray[np.bool_], *, min_span: NDArray[np.float64]
) -> QuantileScale:
    (low, high), counts = exact_quantiles(values, mask, (0.01, 0.99))
    widen = np.maximum(min_span - (high - low), 0.0) / 2
    return QuantileScale(low - widen, high + widen, counts > 0)


def _action_spans(base_alignment: str) -> NDArray[np.float64]:
    spans = np.full(SLOT_WIDTH, MIN_SPAN_RAD)
    for side in ("left", "right"):
        spans[arm_slots(side).start : arm_slots(side).start + 3] = MIN_SPAN_M
        spans[GRIPPER_SLOTS[side]] = MIN_SPAN_GRIPPER
    spans[[BASE_SLOTS[0], *head_slots(base_alignment)[:3]]] = MIN_SPAN_M
    return spans


def _state_spans(arm_width: int) -> NDArray[np.float64]:
    arm = np.full(arm_width, MIN_SPAN_RAD)
    arm[:POSE_WIDTH] = MIN_SPAN_COLUMN
    for start in (0, *range(POSE_WIDTH, arm_width, MOMENT_WIDTH)):
        arm[start : start + 3] = MIN_SPAN_M
    return np.tile(arm, ARMS)


def _scale_out(scale: QuantileScale) -> dict[str, Any]:
    return {"q01": scale.low.tolist(), "q99": scale.high.tolist(), "known": scale.known.tolist()}


def _scale_in(values: dict[str, Any]) -> QuantileScale:
    low, high = np.asarray(values["q01"]), np.asarray(values["q99"])
    return QuantileScale(low, high, np.asarray(values["known"], dtype=bool))
