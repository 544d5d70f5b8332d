"""`handoff evaluate`: results against the truth beside synthetic sessions."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.page import Page, add_command, add_json

if TYPE_CHECKING:
    from app.evaluate import Evaluation
    from core.session.storage import SessionFolder

PAGE = Page(
    name="evaluate",
    summary="measure every stage against the truth of synthetic sessions",
    about="Compares what the stages found with truth/ beside the session: clocks of the streams, "
    "hand detections, the head's trajectory (after yaw and position alignment over all frames; "
    "RPE, scale, gravity), wrist cameras where they were located, the 17 landmarks and what is "
    "said to be visible, palm frames, jitter at rest, whether the stated sigmas hold, action "
    "chunks, and proposed label boundaries. Every number is computed when asked; docs/measuring.md "
    "says what each of them is. What was not measured is shown as none.\n\n"
    "Several sessions, or a folder of them, give one row each and the median and mean of all.",
    examples=(
        "handoff evaluate sessions/synthetic-0001",
        "handoff evaluate sessions/synthetic-0001 --html errors.html",
        "handoff evaluate sessions --json",
    ),
    writes=("nothing, or the page named with --html",),
    then=("handoff report sessions/synthetic-0001   (the take itself, with pictures)",),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument(
        "sessions", nargs="+", metavar="SESSION", help="session folders with truth/, or a folder"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one page with plots")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from app.evaluate import evaluate
    from app.evaluate.summary import to_document
    from app.report.evaluation_part import write_evaluation
    from app.sessions import Bar, sessions_at

    folders, found = _with_truth(sessions_at(arguments.sessions)), []
    with Bar("evaluate", quiet=arguments.json) as bar:
        bar.total(len(folders), "session")
        for folder in folders:
            found.append(evaluate(folder))
            bar.advance()
    if arguments.html is not None:
        write_evaluation(folders, found, arguments.html)
    print(json.dumps(to_document(found), indent=2) if arguments.json else _shown(found))
    if arguments.html is not None and not arguments.json:
        print(f"{arguments.html}: open it in a browser")
    return 0


def _with_truth(given: "list[SessionFolder]") -> "list[SessionFolder]":
    """Those of several sessions that can be measured; the others are named."""
    from app.evaluate import can_be_evaluated
    from core.errors import BadInputError

    if len(given) == 1:
        return given
    folders = [folder for folder in given if can_be_evaluated(folder)]
    if not folders:
        raise BadInputError(
            "none of the sessions has both truth and results; make one: handoff sim record"
        )
    for folder in given:
        if folder not in folders:
            print(f"{folder.url}: left out: no truth/ or no stage has run", file=sys.stderr)
    return folders


def _shown(found: "list[Evaluation]") -> str:
    """One session whole, several with a row each."""
    from app.evaluate import summary
    from app.evaluate.figures import as_text
    from app.evaluate.landmarks import joints_as_text

    if len(found) > 1:
        return summary.as_text(found)
    (one,) = found
    joints = [] if one.hands is None else [joints_as_text(one.hands.errors().by_joint_mm())]
    return "\n".join([as_text(one.figures), *joints])
