"""`handoff predict`: a trained policy's chunks and how far off they are."""

import argparse
import json

from app.page import Page, add_command, add_json

PAGE = Page(
    name="predict",
    summary="predict with a trained policy and measure it against baselines",
    about="Predicts action chunks for frames of a dataset with the newest checkpoint of a run and "
    "says how far they are from what happened, in millimetres and degrees, beside two "
    "baselines: staying still, and the most similar training frame. By default only frames "
    "that training never saw. Needs the extra `train`.",
    examples=(
        "handoff predict runs/first datasets/first",
        "handoff predict runs/first datasets/first --frames train --json",
    ),
    writes=("<run>/predictions/<dataset>.npz and .json",),
    then=("handoff report sessions/anna-0001 --run runs/first",),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument("training", metavar="RUN", help="folder of a training run")
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="LeRobot v3 dataset folder")
    parser.add_argument(
        "--frames", choices=("held_out", "train", "all"), default="held_out", help="(held_out)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from app.extras import needing
    from app.report.errors_table import as_text
    from app.sessions import Bar

    with needing("train"):
        from vla_train.predict import predict
    reports = {}
    for dataset in arguments.datasets:
        with Bar("predict", quiet=arguments.json) as bar:
            found = predict(arguments.training, dataset, frames=arguments.frames, progress=bar)
        reports[dataset] = found.report
    if arguments.json:
        print(json.dumps(reports, indent=2))
        return 0
    for dataset, report in reports.items():
        print(f"{dataset}\n{as_text(report)}")
    return 0
