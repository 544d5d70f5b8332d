"""`handoff export`: sessions become a training dataset."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from app.numbers import size_wh
from app.page import Page, add_command, add_json
from core.errors import BadInputError

if TYPE_CHECKING:
    from core.session.storage import SessionFolder
    from export.report import ExportReport

PAGE = Page(
    name="export",
    summary="write a LeRobot v3 dataset of any number of sessions",
    about="Cuts sessions into episodes, resamples them to one rate and writes a LeRobot v3.0 "
    "dataset that LeRobot opens unmodified. What could not be used is counted and said. Sessions "
    "that are not finished, or changed since, are refused. An export that was killed goes on at "
    "the first unfinished episode; the same export again does nothing.\n\n"
    "With --robot it takes robot episodes (an RLDS folder) instead of sessions; with --check it "
    "looks through finished datasets and writes nothing.",
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
    parser.add_argument(
        "--skip-unfinished", action="store_true", help="leave such sessions out and name them"
    )
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
    folders, left_out = usable(sessions_at(arguments.sessions), skip=arguments.skip_unfinished)
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    with Bar("export", quiet=arguments.json) as bar:
        report = export_sessions(
            folders,
            arguments.into,
            name=arguments.name,
            config=config,
            replace=arguments.replace,
            progress=bar,
        )
    return show(report, arguments)


def usable(
    folders: "list[SessionFolder]", *, skip: bool
) -> tuple["list[SessionFolder]", list[str]]:
    """The sessions that are whole, and why each other one is not. BadInputError unless ``skip``."""
    from pipeline.unfinished import why_unfinished

    reasons = {folder: why_unfinished(folder) for folder in folders}
    whole = [folder for folder, reason in reasons.items() if reason is None]
    lines = [f"{folder.url}: {why}" for folder, why in reasons.items() if why is not None]
    if lines and not (skip and whole):
        more = f" (and {len(lines) - 1} more sessions like it)" if len(lines) > 1 else ""
        others = ", or export the finished ones: --skip-unfinished" if whole else ""
        first = next(folder for folder, reason in reasons.items() if reason is not None)
        raise BadInputError(f"{lines[0]}{more}; run: handoff run {quote(first.url)}{others}")
    return whole, lines


def show(report: "ExportReport", arguments: argparse.Namespace) -> int:
    """Print what came out, and what people do next."""
    if arguments.json:
        print(json.dumps({**dataclasses.asdict(report), "path": str(report.path)}, indent=2))
        return 0
    print("\n".join(report.lines()))
    run_folder = f"runs/{arguments.name}"
    words = f"{quote(str(report.path))} --run {quote(run_folder)}"
    print(f"next: handoff train {words} --minutes 5")
    return 0
