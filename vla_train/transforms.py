"""What is done to a training batch, as frozen values that turn one batch into another.

Randomness comes from torch's default generator, which the loop seeds from the step number.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from vla_train.policy import Batch

GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True, kw_only=True)
class ShiftHeadImage:
    """Move the head image by up to a fraction of its side; wrist views keep their geometry."""

    fraction: float

    def __call__(self, batch: Batch) -> Batch:
        """Shifts whole samples by whole pixels, edges repeated."""
        side = batch.images.shape[-1]
        reach = round(self.fraction * side)
        if reach == 0:
            return batch
        offsets = torch.randint(0, 2 * reach + 1, (len(batch), 2)).tolist()
        padded = functional.pad(batch.images[:, 0], (reach,) * 4, mode="replicate")
        moved = [
            image[:, y : y + side, x : x + side]
            for image, (y, x) in zip(padded, offsets, strict=True)
        ]
        images = torch.cat([torch.stack(moved)[:, None], batch.images[:, 1:]], dim=1)
        return replace(batch, images=images)


@dataclass(frozen=True, kw_only=True)
class JitterColour:
    """Change brightness, contrast and saturation, one draw per sample and camera."""

    brightness: float
    contrast: float
    saturation: float

    def __call__(self, batch: Batch) -> Batch:
        """Works on [-1, 1] images and stays inside."""
        images = batch.images
        mean = images.mean(dim=(2, 3, 4), keepdim=True)
        grey = torch.tensor(GREY, device=images.device).view(3, 1, 1)
        luma = (images * grey).sum(dim=2, keepdim=True)
        images = luma + (images - luma) * (1 + self._draw(images, self.saturation))
        images = mean + (images - mean) * (1 + self._draw(images, self.contrast))
        images = images + self._draw(images, self.brightness)
        return replace(batch, images=images.clamp(-1.0, 1.0))

    @staticmethod
    def _draw(images: Tensor, reach: float) -> Tensor:
        shape = (*images.shape[:2], 1, 1, 1)
        return (torch.rand(shape, device=images.device) * 2 - 1) * reach


@dataclass(frozen=True, kw_only=True)
class DisturbState:
    """Gaussian noise on the valid state entries, in normalised units."""

    deviation: float

    def __call__(self, batch: Batch) -> Batch:
        """Entries that are not valid stay 0."""
        noise = torch.randn_like(batch.state) * self.deviation * batch.state_valid
        return replace(batch, state=batch.state + noise)
