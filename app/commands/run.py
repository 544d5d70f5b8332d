"""`handoff run`: every stage that is not up to date, in order."""

import argparse
import json
from shlex import quote

from app.numbers import at_least_one
from app.page import Page, add_command, add_json
from core.session.layout import STAGES

PAGE = Page(
    name="run",
    summary="bring sessions up to date: capture, hands, slam, labels",
    about="Runs the stages of one or many sessions, in order. What is up to date is skipped: a "
    "second run does nothing, and a run that was killed goes on where it was. A session "
    "that fails stops nobody else; the table at the end says why it failed.\n\n"
    f"stages: {', '.join(STAGES)}",
    examples=(
        "handoff run sessions/anna-0001",
        "handoff run sessions --jobs 4",
        "handoff run sessions/anna-0001 --until slam",
        "handoff run sessions/anna-0001 --set annotate.max_segment_s=4",
    ),
    writes=(
        "<session>/capture, hands, slam, annotate: the tables of docs/session-folder.md",
        "each with _done.<stage>.json, which says what made them",
    ),
    then=("handoff report sessions/anna-0001", "handoff view sessions/anna-0001"),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument(
        "sessions", nargs="+", metavar="SESSION", help="session folder, or a folder of sessions"
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--until", choices=STAGES, metavar="STAGE", help="this stage and its needs")
    choice.add_argument(
        "--only", choices=STAGES, action="append", metavar="STAGE", help="only this (repeatable)"
    )
    parser.add_argument(
        "--jobs", type=at_least_one, metavar="N", help="sessions at a time (one per core)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STAGE.KEY=VALUE",
        help="change a setting; a wrong KEY lists them",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from app.sessions import sessions_at
    from app.settings import configs_from
    from pipeline.results import to_document
    from pipeline.run import run_sessions
    from pipeline.stages import all_stages
    from pipeline.table import table

    configs = configs_from(arguments.set, {s.name: s.config_type for s in all_stages()})
    results = run_sessions(
        sessions_at(arguments.sessions),
        configs=configs,
        until=arguments.until,
        only=arguments.only,
        jobs=arguments.jobs,
        quiet=arguments.json,
    )
    print(json.dumps(to_document(results), indent=2) if arguments.json else table(results))
    failed = any(result.failed for result in results)
    news = any(stage.state == "done" for result in results for stage in result.stages)
    if news and not failed and not arguments.json:
        print(f"\nnext: handoff report {quote(arguments.sessions[0])}")
    return 1 if failed else 0
