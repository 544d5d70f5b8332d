"""`handoff export`: sessions become a training dataset."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from app.numbers import size_wh
from app.page import Page, add_command, add_json
from core.errors import BadInputError

if TYPE_CHECKING:
    from export.report import ExportReport

PAGE = Page(
    name="export",
    summary="write a LeRobot v3 dataset of any number of sessions",
    about="Cuts sessions into episodes, resamples them to one rate and writes a LeRobot v3.0 "
    "dataset that LeRobot opens unmodified. What could not be used is counted and said. An "
    "export that was killed goes on at the first unfinished episode; the same export again does "
    "nothing.\n\nWith --robot it takes robot episodes (an RLDS folder) instead of sessions; with "
    "--check it looks through finished datasets and writes nothing.",
    examples=(
        "handoff export sessions --name first",
        "handoff export sessions/anna-0001 sessions/ben-0002 --name pair --fps 20",
        "handoff export bridge_dataset --robot widowx_bridge --name bridge",
        "handoff export --check datasets/first",
    ),
    writes=("datasets/<name>: data, videos, meta (with meta/handoff.json) and a card, README.md",),
    then=("handoff train datasets/first --run runs/first --minutes 5",),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument(
        "sessions", nargs="+", metavar="SESSION", help="session folder, or a folder of sessions"
    )
    parser.add_argument("--name", help="name of the dataset")
    parser.add_argument(
        "--into", type=Path, default=Path("datasets"), metavar="FOLDER", help="(datasets)"
    )
    parser.add_argument("--fps", type=int, help="frames per second of the dataset")
    parser.add_argument(
        "--image-size", type=size_wh, metavar="WxH", help="pictures are shrunk to fit"
    )
    parser.add_argument("--cameras", nargs="+", metavar="NAME", help="head left_wrist right_wrist")
    parser.add_argument("--replace", action="store_true", help="replace a dataset of this name")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--robot",
        metavar="EMBODIMENT",
        help="the argument is an RLDS folder; its embodiment.toml, or the name of one we have",
    )
    kind.add_argument("--check", action="store_true", help="the arguments are datasets to check")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.check:
        return check(arguments)
    if not arguments.name:
        raise BadInputError("the dataset needs a name: add --name NAME")
    return import_episodes(arguments) if arguments.robot else export(arguments)


def check(arguments: argparse.Namespace) -> int:
    """Look through datasets; 1 when any has a problem."""
    from export.validate import check_dataset

    reports = [check_dataset(path) for path in arguments.sessions]
    if arguments.json:
        found = [{**dataclasses.asdict(r), "root": str(r.root), "ok": r.ok} for r in reports]
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(line for report in reports for line in report.lines()))
    return 0 if all(report.ok for report in reports) else 1


def import_episodes(arguments: argparse.Namespace) -> int:
    """Robot episodes as a dataset."""
    from app.sessions import Bar
    from export.robot_rlds import import_robot

    if len(arguments.sessions) != 1:
        raise BadInputError(f"--robot takes one RLDS folder, {len(arguments.sessions)} were given")
    if arguments.fps or arguments.image_size or arguments.cameras:
        raise BadInputError("with --robot, rate and cameras come from the embodiment.toml")
    with Bar("import", quiet=arguments.json) as bar:
        report = import_robot(
            arguments.sessions[0],
            arguments.robot,
            arguments.into / arguments.name,
            replace=arguments.replace,
            progress=bar,
        )
    return show(report, arguments)


def export(arguments: argparse.Namespace) -> int:
    """Sessions as a dataset."""
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
    return show(report, arguments)


def show(report: "ExportReport", arguments: argparse.Namespace) -> int:
    """Print what came out, and what people do next."""
    if arguments.json:
        print(json.dumps({**dataclasses.asdict(report), "path": str(report.path)}, indent=2))
        return 0
    print("\n".join(report.lines()))
    print(f"next: handoff train {report.path} --run runs/{arguments.name} --minutes 5")
    return 0
