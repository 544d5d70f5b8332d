"""`handoff train`: a policy from datasets of people and robots."""

import argparse
import dataclasses
import json

from app.numbers import at_least_one
from app.page import Page, add_command, add_json

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
        "handoff train datasets/first --run runs/control --steps 2000 --shuffle-labels",
    ),
    writes=("<run>: config, log.jsonl, checkpoints; the run a second time does nothing",),
    then=("handoff predict runs/first datasets/first", "handoff report --run runs/first"),
)
CHANGEABLE = ("batch", "learning_rate", "image_px", "seed", "threads", "human_fraction")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="LeRobot v3 dataset folder")
    parser.add_argument("--run", dest="training", required=True, metavar="RUN", help="run folder")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=at_least_one, help="train for so many steps")
    length.add_argument("--minutes", type=float, help="train for about so long")
    for name in CHANGEABLE:
        kind = float if name in {"learning_rate", "human_fraction"} else int
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind)
    parser.add_argument(
        "--shuffle-labels", action="store_true", help="control: exchange actions among frames"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from app.extras import needing
    from app.sessions import Bar

    with needing("train"):
        from vla_train.config import TrainConfig
        from vla_train.loop import train
    asked = {name: getattr(arguments, name) for name in CHANGEABLE}
    config = TrainConfig(
        datasets=tuple(arguments.datasets),
        run=arguments.training,
        steps=arguments.steps,
        minutes=arguments.minutes,
        shuffle_labels=arguments.shuffle_labels,
        **{name: value for name, value in asked.items() if value is not None},
    )
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
    print(f"next: handoff predict {result.run} {' '.join(arguments.datasets)}")
    return 0
