"""The one door between data and models: a typed batch, and what every policy must offer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from core.dataset.slots import SLOT_WIDTH

CAMERA_SLOTS = 3  # head, left wrist, right wrist, always in this order


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """What a policy sees and is asked for. B samples, H chunk steps, L text tokens, S image side.

    images: ``(B, 3, 3, S, S)`` f32 in [-1, 1], camera then channel; an absent camera is all -1.
    camera_valid: ``(B, 3)`` bool.   tokens: ``(B, L)`` int64, 0 is padding.
    state: ``(B, W)`` normalised, left arm then right, 0 where ``state_valid`` ``(B, W)`` is false.
    owned: ``(B, 32)`` bool: the slots to predict, those of the embodiment that are known now.
    prior: ``(B, H, 32)`` the normalised chunk of going on as one was, 0 outside ``owned``.
    actions: ``(B, H, 32)`` normalised chunk, 0 outside ``action_mask``.   action_mask: ``(B, H,
    32)`` bool.
    embodiment: ``(B,)`` int64 row of the run's embodiments, for the log; no policy may read it.
    """

    images: Tensor
    camera_valid: Tensor
    tokens: Tensor
    state: Tensor
    state_valid: Tensor
    owned: Tensor
    prior: Tensor
    actions: Tensor
    action_mask: Tensor
    embodiment: Tensor

    def __post_init__(self) -> None:
        count, steps = self.actions.shape[:2]
        side, width = self.images.shape[-1], self.state.shape[-1]
        expected = {
            "images": (count, CAMERA_SLOTS, 3, side, side),
            "camera_valid": (count, CAMERA_SLOTS),
            "tokens": (count, self.tokens.shape[-1]),
            "state": (count, width),
            "state_valid": (count, width),
            "owned": (count, SLOT_WIDTH),
            "prior": (count, steps, SLOT_WIDTH),
            "actions": (count, steps, SLOT_WIDTH),
            "action_mask": (count, steps, SLOT_WIDTH),
            "embodiment": (count,),
        }
        for name, shape in expected.items():
            found = tuple(getattr(self, name).shape)
            assert found == shape, f"batch.{name} has shape {found}, not {shape}"

    def __len__(self) -> int:
        return len(self.actions)


class Policy(Protocol):
    """A model the training loop can train; the torch module behind it holds the weights.

    ``loss`` returns ``per_sample`` ``(B,)``, whose mean is minimised, and may return further
    ``(B,)`` terms for the log. ``sample`` turns noise ``(B, H, 32)`` into a normalised chunk, 0
    outside ``owned``. Randomness inside comes from torch's default generator, which the loop seeds
    from the step.
    """

    config: Any

    def loss(self, batch: Batch) -> dict[str, Tensor]: ...
    def sample(self, batch: Batch, noise: Tensor) -> Tensor: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...
    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]: ...
    def train(self, mode: bool = True) -> Any: ...
    def eval(self) -> Any: ...
