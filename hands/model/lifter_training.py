"""Trains the lifter from pairs of a detector's answer and the truth. Needs torch; minutes.

Rendered hands are not photographs: there the detector errs in ways it does not on real ones seen
from the front. So part of every batch are hands whose answer is made up as it is on real pictures
(`faithful`): right but for noise, with the detector's own idea of where a knuckle is. The network
tells the two apart by whether picture and 3D guess agree, and leaves the second kind alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import MissingExtraError
from core.geometry.rotations import matrix_from_rotvec
from hands.model.evidence import MIRROR, landmark_mixing, normalised, turn_to
from hands.model.lifter import MCPS, OUTPUTS, features, run, targets

Floats = NDArray[np.float64]

DOF = 4.0  # of the Student-t likelihood: some detections are wild
FACING_RAD = 0.3  # one sigma, per axis, of the turn of hands that face the camera
FARTHEST_MISS = 0.8  # palms: farther off, the detector saw something else


@dataclass(frozen=True)
class LifterTraining:
    """Settings. Noise and stretch are laid over the detector's answer: other images, other people.

    noise: of landmarks, palms.   guess_noise: of the 3D guess, relative.   hidden: width.
    faithful: share of made-up right answers; their turn and joints err by so much.
    """

    hidden: int = 256
    steps: int = 3000
    batch: int = 512
    rate: float = 2e-3
    decay: float = 0.02
    dropout: float = 0.05
    faithful: float = 0.5
    faithful_turn_rad: float = 0.06
    faithful_joint_m: float = 0.005
    faithful_landmark: float = 0.03
    noise: float = 0.008
    guess_noise: float = 0.05
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Samples:
    """N detections with truth, as right hands. rays, guess: ``(N,21,3)``, see `Evidence`.

    points: ``(N,21,3)`` true landmarks in the camera.   length_m: ``(N,)``.   scene: ``(N,)``,
    samples of one number belong together.
    """

    rays: Floats
    guess: Floats
    points: Floats
    length_m: Floats
    scene: NDArray[np.int64]

    def take(self, rows: Any) -> "Samples":
        return Samples(*(value[rows] for value in vars(self).values()))


def train(samples: Samples, config: LifterTraining) -> dict[str, Floats]:
    """The network's arrays, as `hands.model.lifter` reads them."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("training the lifter needs torch: pip install torch") from error
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    values, view = features(samples.rays, samples.guess)
    wanted = targets(samples.points, view, samples.length_m)
    kept = np.abs(wanted[:, :42]).reshape(-1, 21, 2).mean(axis=(1, 2)) < FARTHEST_MISS
    samples = samples.take(kept)
    mean, scale = values[kept].mean(0), values[kept].std(0) + 1e-3
    out_mean, out_scale = wanted[kept].mean(0), wanted[kept].std(0) + 1e-4
    net = torch.nn.Sequential(
        torch.nn.Linear(values.shape[1], config.hidden), torch.nn.SiLU(),
        torch.nn.Dropout(config.dropout),
        torch.nn.Linear(config.hidden, config.hidden), torch.nn.SiLU(),
        torch.nn.Dropout(config.dropout),
        torch.nn.Linear(config.hidden, 2 * OUTPUTS),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.rate, weight_decay=config.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.rate, config.steps)
    for _ in range(config.steps):
        rows = rng.integers(len(samples.rays), size=config.batch)
        x, y = _batch(samples.take(rows), rng, config)
        x = torch.tensor((x - mean) / scale, dtype=torch.float32)
        y = torch.tensor((y - out_mean) / out_scale, dtype=torch.float32)
        out = net(x)
        spread = out[:, OUTPUTS:].clamp(-5, 2)
        squared = ((out[:, :OUTPUTS] - y) * torch.exp(-spread)) ** 2
        loss = (spread + 0.5 * (DOF + 1) * torch.log1p(squared / DOF)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    arrays = {"mean": mean, "scale": scale, "out_mean": out_mean, "out_scale": out_scale}
    for k, layer in enumerate(linear):
        arrays[f"weight_{k}"] = layer.weight.detach().numpy().T.astype(np.float64)
        arrays[f"bias_{k}"] = layer.bias.detach().numpy().astype(np.float64)
    return arrays


def _noisy(samples: Samples, rng: np.random.Generator, config: LifterTraining) -> tuple[Any, Any]:
    """Inputs and targets of samples whose landmarks and guess were shaken."""
    size = np.linalg.norm(samples.rays[:, 9] - samples.rays[:, 0], axis=1)
    shake = rng.normal(0, config.noise, samples.rays.shape)
    shake += rng.normal(0, config.noise, (len(size), 1, 3))
    rays = normalised(samples.rays + shake * size[:, None, None])
    reach = np.abs(samples.guess).mean(axis=(1, 2))[:, None, None]
    guess = samples.guess + rng.normal(0, config.guess_noise, samples.guess.shape) * reach
    values, view = features(rays, guess)
    return values, targets(samples.points, view, samples.length_m)


def _batch(samples: Samples, rng: np.random.Generator, config: LifterTraining) -> tuple[Any, Any]:
    """Rendered samples, shaken, and made-up ones."""
    count = round(config.faithful * len(samples.rays))
    made_up = faithful(samples.take(slice(0, count)), rng, config)
    values, view = features(made_up.rays, made_up.guess)
    wanted = targets(made_up.points, view, made_up.length_m)
    x, y = _noisy(samples.take(slice(count, None)), rng, config)
    return np.concatenate([values, x]), np.concatenate([wanted, y])


def faithful(samples: Samples, rng: np.random.Generator, config: LifterTraining) -> Samples:
    """The same hands turned to face the camera, with answers as a detector gives on photographs."""
    count = len(samples.points)
    points = facing(samples.points, rng)
    palm = np.linalg.norm(points[:, 9] - points[:, 0], axis=1)[:, None, None]
    shake = rng.normal(0, config.faithful_landmark, (count, 21, 3))
    shake += rng.normal(0, config.faithful_landmark, (count, 1, 3))
    rays = normalised(points + shake * palm)
    centred = (points - points.mean(axis=1, keepdims=True)) @ turn_to(normalised(rays.mean(axis=1)))
    turn = matrix_from_rotvec(rng.normal(0, config.faithful_turn_rad, (count, 3)))
    guess = centred @ turn + rng.normal(0, config.faithful_joint_m, centred.shape)
    return Samples(rays, guess, points, samples.length_m, samples.scene)


def facing(points: Floats, rng: np.random.Generator) -> Floats:
    """Hands ``(N,21,3)`` turned so that their backs or palms face the camera, and put anywhere."""
    count = len(points)
    local = points - points.mean(axis=1, keepdims=True)
    x = normalised(local[:, MCPS].mean(axis=1) - local[:, 0])
    normal = normalised(np.cross(local[:, 5] - local[:, 0], local[:, 17] - local[:, 0]))
    palm = np.stack([x, np.cross(normal, x), normal], axis=-1)
    roll = rng.uniform(-np.pi, np.pi, count)
    toward = rng.choice([-1.0, 1.0], count)
    zero = np.zeros(count)
    wanted = np.stack([
        np.stack([np.cos(roll), np.sin(roll), zero], -1),
        np.stack([-np.sin(roll) * toward, np.cos(roll) * toward, zero], -1),
        np.stack([zero, zero, toward], -1),
    ], axis=-1)  # fmt: skip
    lean = matrix_from_rotvec(rng.normal(0, FACING_RAD, (count, 3)))
    turn = lean @ wanted @ np.swapaxes(palm, 1, 2)
    aside = np.concatenate([rng.normal(0, 0.25, (count, 2)), np.ones((count, 1))], axis=1)
    place = normalised(aside) * rng.uniform(0.25, 1.0, (count, 1))
    turn = turn_to(normalised(aside)) @ turn
    return np.asarray(local @ np.swapaxes(turn, 1, 2) + place[:, None])


def error_of(arrays: dict[str, Floats], samples: Samples) -> float:
    """Mean absolute error of the network's answers, in its own units (palms, hand lengths)."""
    values, view = features(samples.rays, samples.guess)
    mean, _ = run(values, arrays)
    return float(np.abs(mean - targets(samples.points, view, samples.length_m)).mean())


def save(arrays: dict[str, Floats], path: Path) -> None:
    """Half precision, about 200 kB."""
    np.savez_compressed(path, **{name: a.astype(np.float16) for name, a in arrays.items()})


def samples_from(columns: dict[str, NDArray[Any]], size_wh: tuple[int, int]) -> Samples:
    """From pictures of a centred pinhole. columns: px ``(N,21,2)``, world, joints ``(N,21,3)``,
    left, focal, length, scene ``(N,)``.
    """
    middle = (np.array(size_wh) - 1) / 2
    flat = (columns["px"] - middle) / columns["focal"][:, None, None]
    rays = normalised(np.concatenate([flat, np.ones((*flat.shape[:2], 1))], axis=-1))
    mirror = np.where(columns["left"][:, None, None], MIRROR, 1.0)
    return Samples(
        rays=rays * mirror,
        guess=columns["world"] * mirror,
        points=landmark_mixing() @ (columns["joints"] * mirror),
        length_m=columns["length"],
        scene=columns["scene"],
    )
