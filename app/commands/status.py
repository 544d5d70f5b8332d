"""`handoff status`: how sessions stand, without running anything."""

import argparse
import json

from app.page import Page, add_command, add_json

PAGE = Page(
    name="status",
    summary="how sessions stand: done, changed, failed and why",
    about="Looks at sessions and changes nothing. For every stage: current, stale (and what "
    "changed), failed (and why), or waiting.",
    examples=("handoff status sessions", "handoff status sessions/anna-0001 --json"),
    writes=("nothing",),
    then=("handoff run sessions   (runs what is stale or waiting)",),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument(
        "sessions", nargs="+", metavar="SESSION", help="session folder, or a folder of sessions"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from app.sessions import sessions_at
    from pipeline.look import status
    from pipeline.results import to_document
    from pipeline.table import table

    results = status(sessions_at(arguments.sessions))
    print(json.dumps(to_document(results), indent=2) if arguments.json else table(results))
    return 1 if any(result.failed for result in results) else 0
