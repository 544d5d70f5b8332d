"""A trained run's chunks for the frames of a dataset, their errors, and the baselines beside
them.
"""

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from core.dataset.embodiments import SIDES
from core.dataset.slots import arm_slots
from core.errors import BadInputError, StaleError
from core.geometry.se3 import SE3
from core.session.stage import NO_PROGRESS, Progress
from vla_train.accuracy import accuracy
from vla_train.baselines import NearestNeighbour
from vla_train.batches import ReadyFrames, make_ready
from vla_train.checkpoint import load_checkpoint
from vla_train.config import TrainConfig
from vla_train.loop import use_cores
from vla_train.normalise import check_settings
from vla_train.policies import make_policy
from vla_train.policy import Policy
from vla_train.prepare import OpenDataset, RunData, fingerprint, load_table, open_dataset, prepare
from vla_train.recall import with_recall
from vla_train.run_folder import RunFolder, write_atomically
from vla_train.still import stay_still

Which = Literal["held_out", "train", "all"]
FRAMES_AT_ONCE = 32
SAMPLES = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """Chunks of N frames in metres and radians, ``(N, H, 32)`` each.

    row: ``(N,)`` frame of the dataset; episode, tick, timestamp_ns likewise.
    predicted: the mean of several samples.   mask: where ``true`` is known and may be compared.
    baselines: ``still`` and ``neighbour``.
    predicted_in_head, true_in_head: ``(N, 2, H, 7)`` palm poses left and right. Under
    ``chunk_head`` they lie in the head (base) frame of the chunk's start, under ``per_tick`` in
    each step's own.
    arm_valid: ``(N, 2, H)``.   report: errors, protocol, settings; plain JSON values.
    """

    row: NDArray[np.int64]
    episode: NDArray[np.int64]
    tick: NDArray[np.int64]
    timestamp_ns: NDArray[np.int64]
    predicted: NDArray[np.float32]
    true: NDArray[np.float32]
    mask: NDArray[np.bool_]
    baselines: dict[str, NDArray[np.float32]]
    predicted_in_head: NDArray[np.float64]
    true_in_head: NDArray[np.float64]
    arm_valid: NDArray[np.bool_]
    report: dict[str, Any]


def predict(
    run_dir: str | Path,
    dataset: str,
    *,
    frames: Which = "held_out",
    samples: int = SAMPLES,
    opener: OpenDataset = open_dataset,
    progress: Progress = NO_PROGRESS,
) -> Predictions:
    """Predict with a run's newest checkpoint and save arrays and report under ``predictions/``.

    A dataset the run was trained on is recognised by its content; ``held_out`` then means the
    frames training never saw. Of any other dataset all frames are unseen. The nearest-neighbour
    baseline looks through the run's own training frames of the same embodiment.
    """
    run = RunFolder(Path(run_dir))
    config = run.config()
    use_cores(config.threads)
    data = _run_data(run, config, opener=opener, progress=progress)
    ready, number = _dataset(dataset, config, data, opener=opener)
    rows = _rows(ready, data, number, frames=frames)
    policy = load_policy(run, config)
    predicted = sample_chunks(
        policy, ready, rows, samples=samples, seed=config.seed, progress=progress
    )
    same = [
        pair
        for pair in zip(data.ready, data.splits, strict=True)
        if pair[0].scale.name == ready.scale.name
    ]
    baselines = {
        "still": np.repeat(stay_still(ready.table)[rows, None], config.chunk.steps, axis=1),
        "neighbour": NearestNeighbour.fit(same).predict(ready, rows),
    }
    result = _collect(ready, rows, predicted=predicted, baselines=baselines, config=config)
    about = {
        "run": str(run.root),
        "dataset": dataset,
        "embodiment": ready.scale.name,
        "frames": frames if number is not None else "all, of a dataset the run was not trained on",
        "count": len(rows),
        "samples_averaged": samples,
        "chunk": config.chunk.to_dict(),
        "held_out": None if number is None else data.splits[number].description,
    }
    result = replace(result, report={**about, **result.report})
    save(result, run.predictions / Path(dataset).name)
    return result


def load_policy(run: RunFolder, config: TrainConfig) -> Policy:
    """The newest weights, the moving average where there is one; refused under other settings."""
    checkpoint = load_checkpoint(run)
    check_settings(checkpoint.normalisation, config.chunk, where=str(run.root))
    if checkpoint.normalisation.to_dict() != run.read_json("normalisation.json"):
        raise StaleError(
            f"{run.root}: normalisation.json is not the one its checkpoint learned with"
        )
    policy: Any = make_policy(config)
    policy.load_state_dict(checkpoint.best_weights)
    policy.eval()
    return policy


def sample_chunks(
    policy: Policy,
    ready: ReadyFrames,
    rows: NDArray[np.int64],
    *,
    samples: int,
    seed: int,
    progress: Progress = NO_PROGRESS,
) -> NDArray[np.float32]:
    """Mean of several sampled chunks per frame in metres and radians, ``(N, H, 32)``."""
    generator = torch.Generator().manual_seed(seed)
    progress.total(len(rows), "frame")
    chunks = []
    for start in range(0, len(rows), FRAMES_AT_ONCE):
        some = rows[start : start + FRAMES_AT_ONCE]
        batch = ready.batch(some)
        draws = [
            policy.sample(batch, torch.randn(batch.actions.shape, generator=generator))
            for _ in range(samples)
        ]
        chunks.append(torch.stack(draws).mean(dim=0).numpy())
        progress.advance(len(some))
    metric = ready.scale.actions_out(np.concatenate(chunks))
    return np.where(ready.owned[rows][:, None], metric, np.float32(0.0))


def save(predictions: Predictions, stem: Path) -> None:
    """Write ``<stem>.npz`` with the arrays and ``<stem>.json`` with the report."""
    arrays = {k: v for k, v in vars(predictions).items() if isinstance(v, np.ndarray)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, **predictions.baselines)
    write_atomically(stem.with_name(stem.name + ".npz"), buffer.getvalue())
    text = json.dumps(predictions.report, indent=1) + "\n"
    write_atomically(stem.with_name(stem.name + ".json"), text.encode())


def beats(report: dict[str, Any], figure: str = "position_mm", over: str = "mean") -> bool:
    """Whether the policy's arm error is below both baselines'."""
    ours, *others = (
        report["errors"][name]["arms"][figure][over] for name in ("policy", "still", "neighbour")
    )
    return all(ours < other for other in others)


def _run_data(
    run: RunFolder, config: TrainConfig, *, opener: OpenDataset, progress: Progress
) -> RunData:
    data = prepare(config, opener=opener, progress=progress)
    if data.record != run.read_json("data.json"):
        raise StaleError(f"{run.root}: the run's datasets changed since training; train again")
    return data


def _dataset(
    dataset: str, config: TrainConfig, data: RunData, *, opener: OpenDataset
) -> tuple[ReadyFrames, int | None]:
    """The dataset as the run takes it, and which of the run's datasets it is, if any."""
    if dataset in config.datasets:
        number = config.datasets.index(dataset)
        return data.ready[number], number
    table = load_table(dataset, config, opener=opener)
    known = [entry["fingerprint"] for entry in data.record["datasets"]]
    found = fingerprint(table)
    if found in known:
        number = known.index(found)
        return data.ready[number], number
    ready, _ = make_ready(table, data.normalisation, tokenizer=data.tokenizer)
    return with_recall(ready, data.recalls[ready.scale.name]), None


def _rows(
    ready: ReadyFrames, data: RunData, number: int | None, *, frames: Which
) -> NDArray[np.int64]:
    chosen = ready.action_mask.any(axis=(1, 2))
    if number is not None and frames != "all":
        split = data.splits[number]
        chosen &= split.held_out if frames == "held_out" else split.train
    if not chosen.any():
        raise BadInputError(f"{ready.table.name}: no {frames} frame has a valid chunk")
    return np.flatnonzero(chosen)


def _collect(
    ready: ReadyFrames,
    rows: NDArray[np.int64],
    *,
    predicted: NDArray[np.float32],
    baselines: dict[str, NDArray[np.float32]],
    config: TrainConfig,
) -> Predictions:
    table = ready.table
    true, mask = table.chunk[rows], ready.action_mask[rows]
    every = {"policy": predicted, **baselines}
    errors = {
        name: accuracy(chunks, true, mask, base_alignment=config.chunk.base_alignment)
        for name, chunks in every.items()
    }
    start = table.head_from_palm[rows]
    return Predictions(
        row=rows,
        episode=table.episode[rows],
        tick=table.tick[rows],
        timestamp_ns=table.timestamp_ns[rows],
        predicted=predicted,
        true=true,
        mask=mask,
        baselines=baselines,
        predicted_in_head=palms_in_head(start, predicted),
        true_in_head=palms_in_head(start, true),
        arm_valid=np.stack([mask[..., arm_slots(side)].all(axis=-1) for side in SIDES], axis=1),
        report={"errors": errors},
    )


def palms_in_head(
    head_from_palm: NDArray[np.float64], chunks: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Chunks ``(N, H, 32)`` onto their start poses ``(N, 2, 7)``: poses ``(N, 2, H, 7)``."""
    sides = []
    for arm, side in enumerate(SIDES):
        start = SE3.from_pose7(head_from_palm[:, arm, None])
        relative = SE3.from_vec6(chunks[..., arm_slots(side)].astype(np.float64))
        sides.append((start @ relative).to_pose7())
    return np.stack(sides, axis=1)
