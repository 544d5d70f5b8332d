"""Camera images to tokens: a small convolutional encoder shared by the three camera slots.

Per camera a coarse grid of features (what is where), one token of the picture at 8 x 8 pixels (what
it looks like at a glance, nothing to learn first) and one of soft keypoints (where exactly):
expected image positions of learned heat maps, which need little data to localise an object.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vla_train.policy import CAMERA_SLOTS

GRID_STRIDE = 32
GLANCE_PX = 8


class ImageTokens(nn.Module):
    """Images ``(B, 3, 3, S, S)`` to tokens ``(B, 3 * (2 + (S / 32) ** 2), W)``."""

    def __init__(self, image_px: int, width: int, keypoints: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=4, padding=2),
            nn.GroupNorm(4, 32),
            nn.GELU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.GroupNorm(8, 64),
            nn.GELU(),
        )
        self.coarse = nn.Sequential(
            nn.Conv2d(64, 96, 3, stride=2, padding=1),
            nn.GroupNorm(8, 96),
            nn.GELU(),
            nn.Conv2d(96, width, 3, stride=2, padding=1),
        )
        self.heat = nn.Conv2d(64, keypoints, 1)
        self.keypoint_token = nn.Linear(2 * keypoints, width)
        self.glance = nn.Linear(3 * GLANCE_PX**2, width)
        self.tokens_per_camera = 2 + (image_px // GRID_STRIDE) ** 2
        shape = (CAMERA_SLOTS, self.tokens_per_camera, width)
        self.place = nn.Parameter(torch.randn(shape) * 0.02)

    def forward(self, images: Tensor) -> Tensor:
        batch = len(images)
        fine = self.fine(images.flatten(0, 1))
        grid = self.coarse(fine).flatten(2).transpose(1, 2)
        point = self.keypoint_token(soft_keypoints(self.heat(fine)))[:, None]
        glance = functional.adaptive_avg_pool2d(images.flatten(0, 1), GLANCE_PX).flatten(1)
        tokens = torch.cat([point, self.glance(glance)[:, None], grid], dim=1).unflatten(
            0, (batch, CAMERA_SLOTS)
        )
        return (tokens + self.place).flatten(1, 2)


def soft_keypoints(heat_BKHW: Tensor) -> Tensor:
    """Expected position of each heat map, ``(B, 2K)`` in [-1, 1] (Levine et al. 2016)."""
    height, width = heat_BKHW.shape[-2:]
    weight = heat_BKHW.flatten(2).softmax(dim=-1).unflatten(-1, (height, width))
    rows = torch.linspace(-1.0, 1.0, height, device=heat_BKHW.device)
    columns = torch.linspace(-1.0, 1.0, width, device=heat_BKHW.device)
    x = (weight.sum(dim=2) * columns).sum(dim=-1)
    y = (weight.sum(dim=3) * rows).sum(dim=-1)
    return torch.cat([x, y], dim=-1)
