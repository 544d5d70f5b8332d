"""Optimiser, learning rate and moving average. Everything here depends on the step number alone."""

import math

import torch
from torch import Tensor, nn

from vla_train.config import TrainConfig

BETAS = (0.9, 0.95)


def make_optimizer(policy: nn.Module, config: TrainConfig) -> tuple[torch.optim.AdamW, list[str]]:
    """AdamW, decaying matrices only; and the weights' names in the optimiser's order."""
    named = list(policy.named_parameters())
    matrices = [(n, p) for n, p in named if p.ndim >= 2 and not n.endswith("place")]
    matrix_names = {n for n, _ in matrices}
    others = [(n, p) for n, p in named if n not in matrix_names]
    groups = [
        {"params": [p for _, p in matrices], "weight_decay": config.weight_decay},
        {"params": [p for _, p in others], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=BETAS, foreach=False)
    return optimizer, [n for n, _ in matrices] + [n for n, _ in others]


def learning_rate(step: int, planned_steps: int | None, config: TrainConfig) -> float:
    """Linear warm-up, then half a cosine down to ``final_learning_rate`` of the peak.

    Without a plan yet (a run given in minutes) the peak is held after the warm-up.
    """
    peak = config.learning_rate
    if step < config.warmup_steps:
        return peak * (step + 1) / config.warmup_steps
    if planned_steps is None or planned_steps <= config.warmup_steps:
        return peak
    done = min(1.0, (step - config.warmup_steps) / (planned_steps - config.warmup_steps))
    floor = config.final_learning_rate
    return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)


@torch.no_grad()
def update_average(
    average: dict[str, Tensor], policy: nn.Module, *, step: int, decay: float
) -> None:
    """Exponential moving average of the weights; early steps forget faster."""
    kept = min(decay, (1 + step) / (10 + step))
    for name, weight in policy.state_dict().items():
        average[name].lerp_(weight, 1 - kept)


def copy_weights(policy: nn.Module) -> dict[str, Tensor]:
    """A detached copy of every weight."""
    return {name: weight.detach().clone() for name, weight in policy.state_dict().items()}
