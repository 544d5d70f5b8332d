"""`handoff export`: sessions become a training dataset."""

import argparse
import dataclasses
import json
from pathlib import Path

from app.numbers import size_wh
from app.page import Page, add_command, add_json

PAGE = Page(
    name="export",
    summary="write a LeRobot v3 dataset of any number of sessions",
    about="Cuts sessions into episodes, resamples them to one rate and writes a LeRobot v3.0 "
    "dataset that LeRobot opens unmodified. What could not be used is counted and said. An "
    "export that was killed goes on at the first unfinished episode.",
    examples=(
        "handoff export sessions --name first",
        "handoff export sessions/anna-0001 sessions/ben-0002 --name pair --fps 20",
    ),
    writes=("datasets/<name>: data, videos, meta (with meta/handoff.json) and a card, README.md",),
    then=("handoff train datasets/first --run runs/first --minutes 5",),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument(
        "sessions", nargs="+", metavar="SESSION", help="session folder, or a folder of sessions"
    )
    parser.add_argument("--name", required=True, help="name of the dataset")
    parser.add_argument(
        "--into", type=Path, default=Path("datasets"), metavar="FOLDER", help="(datasets)"
    )
    parser.add_argument("--fps", type=int, help="frames per second of the dataset")
    parser.add_argument(
        "--image-size", type=size_wh, metavar="WxH", help="pictures are shrunk to fit"
    )
    parser.add_argument("--cameras", nargs="+", metavar="NAME", help="head left_wrist right_wrist")
    parser.add_argument("--replace", action="store_true", help="replace a dataset of this name")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from app.sessions import Bar, sessions_at
    from export.config import ExportConfig
    from export.sessions import export_sessions

    asked = {"fps": arguments.fps, "image_size": arguments.image_size}
    asked["cameras"] = tuple(arguments.cameras) if arguments.cameras else None
    config = ExportConfig(**{key: value for key, value in asked.items() if value is not None})
    with Bar("export", quiet=arguments.json) as bar:
        report = export_sessions(
            sessions_at(arguments.sessions),
            arguments.into,
            name=arguments.name,
            config=config,
            replace=arguments.replace,
            progress=bar,
        )
    if arguments.json:
        print(json.dumps({**dataclasses.asdict(report), "path": str(report.path)}, indent=2))
        return 0
    print("\n".join(report.lines()))
    print(f"next: handoff train {report.path} --run runs/{arguments.name} --minutes 5")
    return 0
