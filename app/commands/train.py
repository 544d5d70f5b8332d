"""`handoff train`: a policy from datasets of people and robots."""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from shlex import join
from typing import TYPE_CHECKING, Any

from app.numbers import at_least_one
from app.page import Page, add_command, add_json

if TYPE_CHECKING:
    from vla_train.config import TrainConfig

PAGE = Page(
    name="train",
    summary="train a policy on datasets of people and robots together",
    about="Trains a small flow-matching policy on one or many datasets, half of every batch from "
    "people and half from robots where there are both. Stopped at any moment, the same "
    "command goes on where it was. Some frames are held out and never seen. Needs the extra "
    "`train`.",
    examples=(
        "handoff train datasets/first --run runs/first --minutes 5",
        "handoff train datasets/first samples/robot --run runs/both --steps 2000",
        "handoff train datasets/first --run runs/headless --minutes 5 --reference per_tick",
        "handoff train datasets/first samples/robot --run runs/quick --minutes 3 --preset demo",
        "handoff train datasets/first --run runs/control --steps 2000 --shuffle-labels",
    ),
    writes=("<run>: config, log.jsonl, checkpoints; the run a second time does nothing",),
    then=("handoff predict runs/first datasets/first", "handoff report --run runs/first"),
)
CHANGEABLE: dict[str, tuple[type, str]] = {
    "policy": (str, "which policy (small)"),
    "batch": (int, "frames per step"),
    "learning_rate": (float, "at its peak"),
    "image_px": (int, "pictures are shrunk to so many pixels"),
    "human_fraction": (float, "share of people in a batch"),
    "checkpoint_every": (int, "steps between checkpoints"),
    "log_every": (int, "steps between lines of the log"),
    "seed": (int, "of everything random"),
    "threads": (int, "processor threads (1; 0 for all)"),
}
CHUNK = {
    "reference": "reference",
    "steps": "chunk_steps",
    "duration_s": "chunk_seconds",
    "base_alignment": "base_alignment",
}
HOLDOUT = {"fraction": "holdout_fraction"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="LeRobot v3 dataset folder")
    parser.add_argument("--run", dest="training", required=True, metavar="RUN", help="run folder")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=at_least_one, help="train for so many steps")
    length.add_argument("--minutes", type=float, help="train for about so long")
    chunks = parser.add_argument_group("what a policy predicts")
    chunks.add_argument(
        "--reference",
        choices=("chunk_head", "per_tick"),
        help="hands in the room, or in each moment's head frame, which needs no head path",
    )
    chunks.add_argument("--chunk-steps", type=at_least_one, metavar="N", help="steps of a chunk")
    chunks.add_argument("--chunk-seconds", type=float, metavar="S", help="length of a chunk")
    chunks.add_argument("--base-alignment", choices=("shared", "separate"), help="head and base")
    more = parser.add_argument_group("how it is trained")
    for name, (kind, word) in CHANGEABLE.items():
        more.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="X", help=word)
    more.add_argument("--holdout-fraction", type=float, metavar="X", help="frames never seen")
    more.add_argument(
        "--shuffle-labels", action="store_true", help="control: exchange actions among frames"
    )
    more.add_argument(
        "--preset",
        choices=("demo", "debug"),
        help="demo: for seconds of data on two cores; debug: a tiny policy, trained in seconds",
    )
    add_json(parser)


def _given(arguments: argparse.Namespace, names: Mapping[str, str]) -> dict[str, Any]:
    """Field -> value for the options that were given; the rest keeps the room's defaults."""
    asked = {field: getattr(arguments, option) for field, option in names.items()}
    return {field: value for field, value in asked.items() if value is not None}


def config_of(arguments: argparse.Namespace) -> "TrainConfig":
    """The run's configuration. Raises BadInputError for values that cannot be."""
    from vla_train.config import TrainConfig, debug, demo

    start = demo if arguments.preset == "demo" else TrainConfig
    config = start(datasets=tuple(arguments.datasets), run=arguments.training, minutes=1.0)
    if arguments.preset == "debug":
        config = debug(config)
    return dataclasses.replace(
        config,
        steps=arguments.steps,
        minutes=arguments.minutes,
        shuffle_labels=arguments.shuffle_labels,
        chunk=dataclasses.replace(config.chunk, **_given(arguments, CHUNK)),
        holdout=dataclasses.replace(config.holdout, **_given(arguments, HOLDOUT)),
        **_given(arguments, {name: name for name in CHANGEABLE}),
    )


def run(arguments: argparse.Namespace) -> int:
    from app.extras import needing
    from app.sessions import Bar

    with needing("train"):
        from vla_train.loop import train
    config = config_of(arguments)
    with Bar("train", quiet=arguments.json) as bar:
        result = train(config, progress=bar)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(result), indent=2))
        return 0
    print(f"{result.run}: {result.steps} steps in {result.seconds:.0f} s")
    for name, loss in result.losses.items():
        held_out = result.held_out_losses.get(name)
        beside = "" if held_out is None else f", on held-out frames {held_out:.4f}"
        print(f"  loss {name}: {loss:.4f}{beside}")
    for warning in result.warnings:
        print(f"  warning: {warning}")
    print(f"next: handoff predict {join([str(result.run), *arguments.datasets])}")
    return 0
