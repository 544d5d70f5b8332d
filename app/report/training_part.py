"""What the page says about a training run: its log, errors and chunks, from its own files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.report.chunk_pictures import chunk_pictures
from app.report.errors_table import WHO, ErrorRow, rows_of
from app.report.pictures import HEAD, LEFT, RIGHT, TRUTH, Plot
from app.report.sheet import Picture
from core.dataset.slots import arm_slots
from core.errors import BadInputError
from core.geometry.landmarks import SIDES
from core.session.stage import NO_PROGRESS, Progress

Arrays = dict[str, NDArray[Any]]
EMBODIMENT_COLORS = (LEFT, RIGHT, TRUTH, "#7a5bbf", HEAD)
METHODS = {"predicted": ("policy", LEFT), "still": ("stay still", "#8a93a3")}
METHODS["neighbour"] = ("nearest neighbour", RIGHT)


@dataclass(frozen=True)
class PredictionPart:
    """One dataset's predictions. verdict: one sentence that says who was better."""

    title: str
    verdict: str
    protocol: str
    rows: list[ErrorRow]
    growth: str | None
    pictures: list[Picture]
    who: tuple[str, ...] = WHO


@dataclass(frozen=True)
class TrainingPart:
    """The values of the training card."""

    name: str
    facts: list[tuple[str, str]]
    curves: str | None
    predictions: list[PredictionPart]


def training_part(run: Path, progress: Progress = NO_PROGRESS) -> TrainingPart:
    """Everything about one run. Raises BadInputError for a folder that is none."""
    config = _read_json(run / "config.json", why=f"is {run} a training run?")
    progress.note(run.name)
    log = _read_log(run / "log.jsonl")
    stems = sorted(path.with_suffix("") for path in (run / "predictions").glob("*.json"))
    return TrainingPart(
        name=run.name,
        facts=_facts(config, log),
        curves=loss_curves(log),
        predictions=[_prediction(stem) for stem in stems],
    )


def _read_json(path: Path, *, why: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: no such file; {why}") from error
    except json.JSONDecodeError as error:
        raise BadInputError(f"{path}: not valid JSON ({error.msg}); make it again") from error
    return values


def _read_log(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: the last one may be half written."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _facts(config: dict[str, Any], log: list[dict[str, Any]]) -> list[tuple[str, str]]:
    datasets = ", ".join(Path(name).name for name in config["datasets"])
    facts = [("policy", str(config["policy"])), ("datasets", datasets)]
    if log:
        facts.append(("steps", str(log[-1]["step"])))
        facts.append(("time", f"{log[-1]['seconds'] / 60:.1f} min"))
    chunk = config["chunk"]
    facts.append(("chunk", f"{chunk['steps']} steps in {chunk['duration_s']:g} s"))
    facts.append(("reference", str(chunk["reference"])))
    facts.append(("batch", str(config["batch"])))
    if config.get("shuffle_labels"):
        facts.append(("control", "labels shuffled"))
    return facts


def loss_curves(log: list[dict[str, Any]]) -> str | None:
    """Loss per embodiment over steps; dots are frames that training never sees."""
    if not log:
        return None
    names = sorted({name for line in log for name in line["loss"]})
    with Plot(9.2, 3.0) as plot:
        axis = plot.axes[0]
        for number, name in enumerate(names):
            color = EMBODIMENT_COLORS[number % len(EMBODIMENT_COLORS)]
            seen = [(line["step"], line["loss"][name]) for line in log if name in line["loss"]]
            axis.plot(*zip(*seen, strict=True), color=color, lw=1.2, label=f"{name}, training")
            held = [line for line in log if name in line.get("held_out_loss", {})]
            if held:
                points = [(line["step"], line["held_out_loss"][name]) for line in held]
                style = {"ms": 4, "lw": 1, "ls": (0, (3, 2)), "label": f"{name}, held out"}
                axis.plot(*zip(*points, strict=True), "o", color=color, **style)
        axis.set(title="flow-matching loss", xlabel="step", ylabel="loss")
        axis.set_ylim(0, 1.25 * axis.get_ylim()[1])
        axis.legend(loc="upper right", ncols=max(1, len(names)))
    return plot.image


def _prediction(stem: Path) -> PredictionPart:
    report = _read_json(stem.with_name(stem.name + ".json"), why="predict again")
    place = stem.with_name(stem.name + ".npz")
    if not place.is_file():
        raise BadInputError(f"{place}: no such file; predict again")
    with np.load(place, allow_pickle=False) as file:
        arrays: Arrays = {name: file[name] for name in file.files}
    rows = rows_of(report)
    return PredictionPart(
        title=f"Predictions: {stem.name} ({report['embodiment']})",
        verdict=verdict(rows),
        protocol=_protocol(report) + _stale(stem),
        rows=rows,
        growth=error_growth(arrays, duration_s=float(report["chunk"]["duration_s"])),
        pictures=chunk_pictures(Path(report["dataset"]), arrays),
    )


def _protocol(report: dict[str, Any]) -> str:
    frames = f"{report['count']} frames ({str(report['frames']).replace('_', ' ')})"
    samples = report["samples_averaged"]
    held_out = report.get("held_out") or {}
    how = f" Held out: {held_out['protocol']}." if "protocol" in held_out else ""
    return f"{frames}; a prediction is the mean of {samples} samples.{how}"


def _stale(stem: Path) -> str:
    """A warning where the run went on learning after it predicted."""
    log = stem.parents[1] / "log.jsonl"
    made = stem.with_name(stem.name + ".json").stat().st_mtime_ns
    if log.is_file() and log.stat().st_mtime_ns > made:
        return " Training went on after this: predict again for the newest checkpoint."
    return ""


def verdict(rows: list[ErrorRow]) -> str:
    """Who was better, in one sentence with the figures."""
    first = next((row for row in rows if row.unit == "mm"), None)
    if first is None or any(first.values[who] is None for who in WHO):
        return "There was nothing to compare."
    ours, still, near = (float(first.values[who] or 0.0) for who in WHO)
    least = min(still, near)
    name = "staying still" if least == still else "the nearest training frame"
    if ours < least:
        better = 100 * (1 - ours / least)
        return f"The policy is {ours:.1f} mm off, {better:.0f} % less than {name} ({least:.1f} mm)."
    return f"The policy is {ours:.1f} mm off; {name} does better with {least:.1f} mm."


def error_growth(arrays: Arrays, *, duration_s: float) -> str | None:
    """Mean position error over the steps of a chunk, both arms; None where nothing is valid."""
    curves = {}
    for key, (name, color) in METHODS.items():
        errors, valid = [], []
        for side in SIDES:
            slots = arm_slots(side)
            gap = (arrays[key] - arrays["true"])[..., slots][..., :3]
            errors.append(1e3 * np.linalg.norm(gap, axis=-1))
            valid.append(arrays["mask"][..., slots].all(-1))
        known = np.stack(valid)
        count = known.sum((0, 1))
        total = np.where(known, np.stack(errors), 0.0).sum((0, 1))
        curves[name] = (np.where(count > 0, total / np.maximum(count, 1), np.nan), color)
    if not any(np.isfinite(curve).any() for curve, _ in curves.values()):
        return None
    steps = arrays["true"].shape[1]
    seconds = duration_s * np.arange(1, steps + 1) / steps
    with Plot(9.2, 2.5) as plot:
        axis = plot.axes[0]
        for name, (curve, color) in curves.items():
            axis.plot(seconds, curve, color=color, label=name)
        axis.set(title="position error within a chunk, both arms", xlabel="seconds", ylabel="mm")
        axis.set_ylim(0, None)
        axis.legend(loc="upper left")
    return plot.image
