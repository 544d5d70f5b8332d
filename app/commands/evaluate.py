"""`handoff evaluate`: results against the truth beside a synthetic session."""

import argparse
import json

from app.page import Page, add_command, add_json

PAGE = Page(
    name="evaluate",
    summary="measure every stage against the truth of a synthetic session",
    about="Compares what the stages found with truth/ beside the session: the head trajectory "
    "(error after yaw and position alignment over all frames, scale, gravity), hands (17 "
    "landmarks and palm frames) and proposed label boundaries. Every number is computed "
    "when asked.",
    examples=("handoff evaluate sessions/synthetic-0001", "handoff evaluate sessions/… --json"),
    writes=("nothing",),
    then=("handoff report sessions/synthetic-0001   (the same numbers with pictures)",),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument("session", metavar="SESSION", help="session folder with truth/")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from app.evaluate import evaluate
    from app.evaluate.figures import as_text
    from app.sessions import session_at

    folder = session_at(arguments.session)
    figures = evaluate(folder).figures
    if arguments.json:
        document = {"session": folder.name, "figures": [figure.to_dict() for figure in figures]}
        print(json.dumps(document, indent=2))
    else:
        print(as_text(figures))
    return 0
