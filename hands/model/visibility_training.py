"""Trains the network of `hands.model.visibility` from fitted hands and the truth. Needs torch; half
a minute.

Synthetic takes show hands at work from above, and little else. So part of every batch are made-up
hands in any posture, seen from any side, whose joints are wrong by as much as fitted ones are: what
a take never shows is judged by its geometry.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import MissingExtraError
from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.rotations import matrix_from_rotvec
from hands.model.kinematics import (
    ANGLE_HIGH,
    ANGLE_LOW,
    ANGLE_MEAN,
    ANGLE_SIGMA,
    joints_in_palm,
    place,
)
from hands.model.occlusion import clearances_m
from hands.model.proportions import hand_shape
from hands.model.visibility import INSIDE_M, SURE, features, logits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class VisibilityTraining:
    """Settings. made_up: how many made-up hands there are; share: of them in a batch; their turn,
    joint angles and distance err by so much. shake: noise on all inputs, in their deviations.
    """

    hidden: int = 64
    steps: int = 2000
    batch: int = 400
    rate: float = 3e-3
    decay: float = 0.02
    dropout: float = 0.1
    shake: float = 0.1
    made_up: int = 20_000
    share: float = 0.4
    turn_rad: float = 0.12
    angle_rad: float = 0.2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class SeenHands:
    """N hands. values: ``(N,153)``, `features` of what was fitted.   visible: ``(N,17)``, truth."""

    values: Floats
    visible: Bools


def made_up(rng: np.random.Generator, config: VisibilityTraining) -> SeenHands:
    """Hands alone in the picture, in any posture and from any side."""
    count, shape = config.made_up, hand_shape(None)
    angles = np.clip(rng.normal(ANGLE_MEAN, ANGLE_SIGMA, (count, 21)), ANGLE_LOW, ANGLE_HIGH)
    turn = matrix_from_rotvec(rng.normal(size=(count, 3)) * np.pi)
    aside = rng.normal(0, 0.2, (count, 2))
    position = np.column_stack([aside, np.ones(count)]) * rng.uniform(0.3, 0.7, (count, 1))
    true = place(joints_in_palm(angles, shape), turn, position)
    angles += rng.normal(0, config.angle_rad, angles.shape)
    turn = matrix_from_rotvec(rng.normal(0, config.turn_rad, (count, 3))) @ turn
    fitted = place(joints_in_palm(angles, shape), turn, position)
    landmarks = landmarks17_from_mediapipe21(true)
    free = np.min(clearances_m(landmarks, true), axis=-1) > -INSIDE_M
    return SeenHands(features(fitted, landmarks17_from_mediapipe21(fitted)), free)


def train(hands: SeenHands, config: VisibilityTraining) -> dict[str, Floats]:
    """The network's arrays, as `hands.model.visibility` reads them."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            "training what is visible needs torch: pip install torch"
        ) from error
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    mean, scale = np.nanmean(hands.values, axis=0), np.nanstd(hands.values, axis=0) + 0.05
    sources = []
    for part in (made_up(rng, config), hands):
        values = np.nan_to_num((part.values - mean) / scale)
        sources.append((torch.tensor(values).float(), torch.tensor(part.visible).float()))
    hidden = torch.nn.Sequential(
        torch.nn.Linear(len(mean), config.hidden), torch.nn.SiLU(),
        torch.nn.Dropout(config.dropout), torch.nn.Linear(config.hidden, 17),
    )  # fmt: skip
    direct = torch.nn.Linear(len(mean), 17, bias=False)
    net = torch.nn.ModuleList([hidden, direct])
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.rate, weight_decay=config.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.rate, config.steps)
    loss_of = torch.nn.BCEWithLogitsLoss()
    own = round(config.share * config.batch)
    for _ in range(config.steps):
        batch = [
            [column[rows] for column in source]
            for source, size in zip(sources, (own, config.batch - own), strict=True)
            for rows in [rng.integers(len(source[0]), size=size)]
        ]
        x, y = (torch.cat(columns) for columns in zip(*batch, strict=True))
        x = x + config.shake * torch.randn_like(x)
        loss = loss_of(hidden(x) + direct(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    arrays = {
        "weight_0": hidden[0].weight.T, "bias_0": hidden[0].bias,
        "weight_1": hidden[3].weight.T, "bias_1": hidden[3].bias, "direct": direct.weight.T,
    }  # fmt: skip
    numbers = {name: array.detach().numpy().astype(np.float64) for name, array in arrays.items()}
    return {"mean": mean, "scale": scale, **numbers}


def precision_and_recall(arrays: dict[str, Floats], hands: SeenHands) -> tuple[float, float]:
    """Of the landmarks that are called visible, and of those that are."""
    claimed = logits(hands.values, arrays) > SURE
    both = np.sum(claimed & hands.visible)
    return float(both / max(claimed.sum(), 1)), float(both / max(hands.visible.sum(), 1))


def save(arrays: dict[str, Floats], path: Path) -> None:
    """Half precision, about 27 kB."""
    np.savez_compressed(path, **{name: a.astype(np.float16) for name, a in arrays.items()})
