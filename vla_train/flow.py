"""Flow matching on masked action chunks, as in pi0.5.

t = 1 is noise and t = 0 is data: ``x_t = t * noise + (1 - t) * actions``, target velocity
``noise - actions``; t ~ Beta(1.5, 1) * 0.999 + 0.001 (openpi). Slots and steps outside the mask are
zero in the input, absent from the loss and zero in the output.
Legend: B samples, H steps, D = 32 slots.
"""

from collections.abc import Callable

import torch
from torch import Tensor

TIME_SHAPE = 1.5  # Beta(1.5, 1): most draws lie near noise, where the direction is decided
TIME_SCALE, TIME_FLOOR = 0.999, 0.001
EULER_STEPS = 10


def draw_times(count: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Flow times in (0, 1], ``(count,)``. Beta(a, 1) is uniform ** (1 / a): exact, no rejection."""
    uniform = torch.rand(count, device=device)
    return uniform ** (1.0 / TIME_SHAPE) * TIME_SCALE + TIME_FLOOR


def noisy(actions_BHD: Tensor, noise_BHD: Tensor, times_B: Tensor) -> Tensor:
    """Point on the straight path from data to noise."""
    times = times_B[:, None, None]
    return times * noise_BHD + (1.0 - times) * actions_BHD


def masked_flow_loss(velocity_BHD: Tensor, target_BHD: Tensor, mask_BHD: Tensor) -> Tensor:
    """Mean squared error over each sample's own valid entries, ``(B,)``.

    So a body with 18 slots weighs as much as one with 16. A sample without a valid entry gives 0.
    """
    weight = mask_BHD.to(velocity_BHD.dtype)
    squared = (velocity_BHD - target_BHD).square() * weight
    return squared.sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)


def integrate(velocity: Callable[[Tensor, Tensor], Tensor], noise_BHD: Tensor) -> Tensor:
    """Euler from t = 1 to t = 0 in ten equal steps. ``velocity`` takes (x_BHD, times_B)."""
    x = noise_BHD
    step = 1.0 / EULER_STEPS
    for index in range(EULER_STEPS):
        times = torch.full((len(x),), 1.0 - index * step, device=x.device, dtype=x.dtype)
        x = x - step * velocity(x, times)
    return x
