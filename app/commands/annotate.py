"""`handoff annotate`: people's labels into a session, or what it is labelled with."""

import argparse
import json
from pathlib import Path
from shlex import quote

from app.page import Page, add_command, add_json

PAGE = Page(
    name="annotate",
    summary="give a session labels from a CSV or JSON file, or show those it has",
    about="A label says what an arm does from when to when. Imported labels replace those of the "
    "same tracks and are kept in the session, whatever runs afterwards. On tracks that "
    "nobody labelled the machine proposes times, never words.\n\n"
    "CSV: track,start_s,end_s,text[,task,success,verb,object,author]\n"
    "     track is episode, left, right, both or phase; seconds count from the session's start.\n"
    "JSON: a list of objects with the same names.",
    examples=(
        "handoff annotate sessions/anna-0001 --labels labels.csv",
        "handoff annotate sessions/anna-0001             (shows the segments)",
        "printf 'track,start_s,end_s,text\\nleft,0.5,2.5,pick up the egg\\n' > labels.csv",
    ),
    writes=("<session>/annotate/labels.json; `handoff run` makes segments.parquet of it",),
    then=("handoff run sessions/anna-0001", "handoff report sessions/anna-0001"),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument("session", metavar="SESSION", help="session folder")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="labels to import (CSV, JSON)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from annotate.label_store import import_labels
    from app.sessions import session_at

    folder = session_at(arguments.session)
    if arguments.labels is None:
        return show(arguments)
    counts = import_labels(folder, arguments.labels)
    if arguments.json:
        print(json.dumps({"session": folder.name, "labels": counts}))
        return 0
    shown = ", ".join(f"{n} on {track}" for track, n in counts.items())
    print(f"{folder.name}: kept labels: {shown}\nnext: handoff run {quote(arguments.session)}")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print the session's segments."""
    from app.scene import Scene
    from app.sessions import session_at

    scene = Scene.read(session_at(arguments.session))
    if scene.segments is None:
        print(f"no segments yet; run: handoff run {quote(arguments.session)}")
        return 1
    segments = scene.segments
    starts, ends = scene.seconds_of(segments.start_ns), scene.seconds_of(segments.end_ns)
    rows = [
        {
            "track": str(segments.track[row]),
            "start_s": round(float(starts[row]), 3),
            "end_s": round(float(ends[row]), 3),
            "text": str(segments.text[row]),
            "by": str(segments.author_kind[row]),
            "state": str(segments.state[row]),
            "task": segments.task[row],
            "success": segments.success[row],
        }
        for row in range(len(segments))
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        said = row["text"] or "(unlabelled)"
        times = f"{row['start_s']:8.2f} {row['end_s']:8.2f} s"
        print(f"{row['track']:<8}{times}  {row['by']:<8}{row['state']:<9} {said}")
    return 0
